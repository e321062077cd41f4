/* Published concurrency bugs, each in a program of its own with the correct version beside it: the model `name` has the
 * bug, `name_fixed` has not, and the two differ in what `fixed` selects. They are ordinary programs: alone.c runs them
 * on real threads. */
#ifndef GALLERY_H
#define GALLERY_H

#include "interleave.h"
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

typedef void gallery_thread(void);

/* Runs the threads of a list that ends with NULL, at most 4, and joins them. */
static inline void gallery_run(gallery_thread *const threads[]);
#define RUN(...) gallery_run((gallery_thread *const[]){__VA_ARGS__, NULL})

/* Two models of the function `body`, which is told which: it sets up all state that it uses, as it is called many
 * times.
 */
#define GALLERY(id, about, kind, body)                                                                                 \
  static void id##_buggy(void) { body(false); }                                                                        \
  static void id##_correct(void) { body(true); }                                                                       \
  INTERLEAVE_MODEL(id, .run = id##_buggy, .title = about, .expect = kind, .preemptions = 2);                           \
  INTERLEAVE_MODEL(id##_fixed, .run = id##_correct, .title = about ": correct", .preemptions = 2)

/* On real threads they meet before they begin, or the first would have ended before the last is made. Relaxed: the
 * meeting must not order what ThreadSanitizer looks at. */
#ifdef GALLERY_ALONE
static _Atomic unsigned gallery_missing;
static inline void gallery_expect(unsigned threads) {
  atomic_store_explicit(&gallery_missing, threads, memory_order_relaxed);
}
static inline void gallery_meet(void) {
  atomic_fetch_sub_explicit(&gallery_missing, 1, memory_order_relaxed);
  for (unsigned spins = 0; atomic_load_explicit(&gallery_missing, memory_order_relaxed) != 0; spins++)
    if (spins > 1000) sched_yield();
}
#else
static inline void gallery_expect(unsigned threads) { (void)threads; }
static inline void gallery_meet(void) {}
#endif

static inline void *gallery_start(void *thread) {
  gallery_meet();
  (*(gallery_thread *const *)thread)();
  return NULL;
}

static inline void gallery_run(gallery_thread *const threads[]) {
  pthread_t started[4];
  unsigned count = 0;
  while (threads[count] != NULL) count++;
  gallery_expect(count);
  for (unsigned i = 0; i < count; i++)
    if (pthread_create(&started[i], NULL, gallery_start, (void *)&threads[i]) != 0) abort();
  for (unsigned i = 0; i < count; i++) pthread_join(started[i], NULL);
}

#endif
