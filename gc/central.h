/* Central: for each class the spans that no cache owns. Sweeping is lazy: a cycle declares every unowned span unswept
 * in time in proportion to their number, and whoever needs a span of the class sweeps until one has room. All under the
 * class's lock. */
#ifndef VGC_CENTRAL_H
#define VGC_CENTRAL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lock.h"
#include "platform.h"
#include "span.h"

/* Classes share locks: a cycle takes all of them, and ThreadSanitizer's deadlock detector follows no more than 64 held
 * at a time, the program's own among them. */
#define CENTRAL_LOCKS 32u

struct central {
  /* Class lock: */
  struct span_list partial[KIND_COUNT];   /* SPAN_PARTIAL */
  struct span_list exhausted[KIND_COUNT]; /* SPAN_EXHAUSTED */
  struct span_list unswept[KIND_COUNT];   /* SPAN_UNSWEPT */
  uint64_t swept_objects;
  /* Unowned spans with a first returned slot; pushed by any thread (release), taken whole under the lock (acquire). */
  _Atomic(struct span *) returned;
} __attribute__((aligned(PLATFORM_FALSE_SHARING)));

extern INTERNAL struct central central[SIZECLASS_COUNT];

void central_initialize(void);
/* A span with a free slot, now owned by `cache` and CURRENT, or NULL. */
struct span *central_take(unsigned class_index, enum kind, struct cache *);
/* Takes a span back from its owner, the caller. */
void central_give(struct span *);
/* Sweeps what is unswept, in all classes, and delivers what was returned. */
void central_finish_sweep(void);
/* Sweeps until at least `pages` pages came free or nothing is left. Returns the pages. */
size_t central_sweep_some(size_t pages);
/* World stopped, all class locks held: declares every unowned span unswept. */
void central_flip(void);
/* As above, for a span just taken from its owner. */
void central_add_unswept(struct span *);
/* The class lock. */
void central_lock(unsigned class_index);
void central_unlock(unsigned class_index);
void central_lock_all(void);
void central_unlock_all(void);
/* Files a span without owner by its free slots. Class lock. */
void central_file(struct span *);
/* In a forked child, all locks held: forgets what was returned; spans that hold something are notified anew. */
void central_forget_returned(void);

#endif
