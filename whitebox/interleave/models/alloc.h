/* What the models of the allocator share: a heap of few large slots, threads that are registered before anything is
 * explored, and the oracles. */
#ifndef MODELS_ALLOC_H
#define MODELS_ALLOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "door.h"
#include "interleave.h"

/* With pages of 1 KiB a span of these has 4 slots. */
#define SLOT       8192u
#define SPAN_SLOTS 4u
/* Another class whose descriptors have the same size: 8 slots. */
#define OTHER_SLOT 4096u
/* And one of a single slot. */
#define SOLE_SLOT 32768u
#define LARGE     ((size_t)40 * 1024)

/* All executions, and the runs that tell what threads share. */
#define ALLOC_MODEL(id, ...) INTERLEAVE_MODEL(id, .preemptions = UINT32_MAX, .learn = 1000, __VA_ARGS__)

#define ACTORS_MAX  4u
#define FIBERS      8u
#define OBJECTS_MAX 24u

/* ---- For setup ---- */

/* Brings the library up, never to collect by itself, with an error hook that counts. */
void heap_start(void);
/* An object without pointers. */
void *take(void);
void *take_other(void);
void *take_sole(void);
/* `count` of those that take() gives. */
void fill(void **objects, unsigned count);
/* The calling thread's spans become nobody's. */
void disown(void);
/* One of them does, full or usable and not current: what a thread that exits does with each. */
void disown_span(struct span *);

/* ---- Threads ---- */

struct actor {
  void (*before)(void); /* or NULL; what the threads prepare, one after the other, thread 0 last: not explored */
  void (*act)(void);    /* explored */
};

/* Actor 0 is the calling thread, the others are threads that have ended when it returns. All have a cache. */
void actors_run(const struct actor *actors, unsigned count);

/* ---- Oracles, for the end of a run ---- */

/* Errors reported in the run, by one thread, and the last one. */
unsigned errors(void);
void errors_expect(void); /* before initialisation; heap_start does it, too */
unsigned errors_by(unsigned thread);
enum vgc_error last_error(void);
/* Exactly these objects live, none twice, by a walk over the spans; the page map shows each span on each of its pages;
 * statistics are equal to the count; no free slot of take()'s class is lost: the calling thread can have each of them,
 * once, before a new span is needed. No other thread owns spans any more. */
void expect_live(void *const *objects, unsigned count);

#endif
