/* What the models of the allocator share: a heap of few large slots, threads that are registered before anything is
 * explored, and the oracles. */
#ifndef MODELS_ALLOC_H
#define MODELS_ALLOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "door.h"
#include "interleave.h"

/* With pages of 1 KiB a span of these slots has this many, in one bitmap word. */
#define SLOT       8192u
#define SPAN_SLOTS 4u

#define FIBERS     8u
#define ACTORS_MAX 4u
#define FREE_MAX   16u

/* ---- For setup ---- */

/* Brings the library up, never to collect by itself, with an error hook that counts. */
void heap_start(void);
/* An object that no thread's registers or stack keep: the models hold their objects in static variables. */
void *take(void);
/* The same, `count` of them. */
void fill(void **objects, unsigned count);

/* ---- Threads ---- */

/* Runs act[0] on the calling thread and the others each on a thread of its own, registered and with a cache; only the
 * acts are explored. prepare (or NULL) runs on thread 1 before them. When it returns the other threads have ended. */
void actors_run(unsigned count, void (*const act[])(void), void (*prepare)(void));

/* ---- Oracles, for the end of a run ---- */

/* Errors reported in the run, and the last one. */
unsigned errors(void);
enum vgc_error last_error(void);
/* Exactly these objects live, by a walk over the spans; statistics say the same; spans and page map agree. */
void expect_live(void *const *objects, unsigned count);
/* `count` free slots can be had without a new span, each once and none of them live; the next one needs a new span. */
void expect_free(unsigned count);

#endif
