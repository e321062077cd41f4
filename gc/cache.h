/* A thread's cache: the spans it owns, one current span for each class and kind.
 *
 * Allocation goes up a hierarchy: 1. the current span's available word; 2. its other words, with what was returned to
 * it;
 * 3. the cache's usable spans; 4. central; 5. fresh pages. The first two touch nothing that another thread writes. */
#ifndef VGC_CACHE_H
#define VGC_CACHE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform.h"
#include "point.h"
#include "sizeclass.h"
#include "span.h"

struct thread;

#define CACHE_SLOTS (KIND_COUNT * SIZECLASS_COUNT)

struct cache {
  /* Owner; the collector looks in a stopped world. Never NULL: an empty slot names a span that has nothing available.
   */
  _Atomic(struct span *) current[CACHE_SLOTS]; /* relaxed: statistics read it from outside */
  /* Owner while `busy`; the collector in a stopped world while not: */
  struct span_list full[CACHE_SLOTS];
  struct span_list usable[CACHE_SLOTS];
  /* Owner, relaxed, only ever growing, also over later owners; others read: */
  _Atomic uint64_t issued[CACHE_SLOTS];           /* slots moved into `avail` less those put back */
  _Atomic uint64_t used[(CACHE_SLOTS + 63) / 64]; /* bits of `issued` that were ever counted up: few of many */
  _Atomic uint64_t issued_large, issued_large_bytes;
  /* Owner writes, the collector reads in a stopped world: the lists above may be halfway between two states. */
  _Atomic uint32_t busy;
  uint32_t countdown;      /* owner: allocations until the next forced collection */
  struct cache *next;      /* all caches ever made; written once, before cache_all publishes it (release/acquire) */
  struct cache *next_free; /* registry lock */
  struct thread *thread;   /* registry lock */

  /* Spans with a first returned slot, pushed by others (release), taken whole by the owner (acquire). */
  _Atomic(struct span *) returned __attribute__((aligned(PLATFORM_FALSE_SHARING)));
} __attribute__((aligned(PLATFORM_FALSE_SHARING)));

/* The calling thread's cache, or an empty one that owns nothing. */
extern INTERNAL _Thread_local struct cache *cache_current __attribute__((tls_model("initial-exec")));
extern INTERNAL struct cache cache_none;

static ALWAYS_INLINE void cache_count(_Atomic uint64_t *counter, uint64_t amount) {
  uint64_t before = load_relaxed(counter);
  POINT(count_between);
  store_relaxed(counter, before + amount); /* one writer */
}

/* The slow sides of fast.h. */

/* Allocates whatever it takes; without memory, what the out-of-memory hook gives. */
void *cache_allocate_slow(enum kind, size_t size);
/* A free by a thread that does not own the span. */
void cache_free_remote(void *ptr, struct span *, uint32_t slot);
/* A free of a large object, or of no object's start. */
void cache_free_odd(void *ptr, struct span *);
/* A free of what lies in no span of the first arena. */
void cache_free_elsewhere(void *ptr);
/* ptr was the first slot of a full span of the caller's that came free. */
void cache_free_into_full(void *ptr, struct span *, struct cache *);
/* Tells what is wrong with freeing ptr, in which span it lies or NULL, and reports it. */
void cache_free_error(void *ptr, struct span *);

/* The caller's cache, made if need be; registers the thread. NULL with errno ENOMEM if there is no memory, and for a
 * helper. */
struct cache *cache_ensure(void);
/* Counts an allocation that is about to be made; collects at every Nth, if so configured. No locks held. */
void cache_count_down(struct cache *);
/* Gives up all spans of the exiting thread's cache and the cache itself. No locks held. */
void cache_thread_exit(struct thread *);
/* All caches ever made. */
struct cache *cache_all(void);
/* In a forked child, for the cache of a thread that is no more; all locks held. */
void cache_abandon(struct cache *);
/* Forgets all caches (shutdown). */
void cache_reset(void);

/* ---- For the collector, in a stopped world ---- */

/* Takes from the cache what it can spare: every span that is neither current nor pointed into by its owner's stack
 * (`pinned`: the owner may be inside vgc_free of a slot of it, whose address it keeps alive to the last store). Nothing
 * if the cache is busy. Each goes to take(span). Returns the number taken. */
uint32_t cache_surrender(struct cache *, void (*take)(struct span *));

/* Tells the holder of a span that something was returned to it. Any thread; lock-free. */
void cache_notify(struct span *);
/* Delivers the spans in cache->returned: those of the caller's own become usable, others are passed on. Owner, busy. */
void cache_take_returned(struct cache *);

#endif
