/* Litmus tests: threads of a few accesses each, with the exact set of results that the memory model of interleave.h
 * allows. The sets are derived from the axioms, by hand and again by axioms.py, which reads these sources: a thread is
 * a `static void name(void)` of stores, loads, read-modify-writes, fences and ifs on the objects below, nothing else.
 */
#ifndef LITMUS_H
#define LITMUS_H

#include "interleave.h"
#include <stdatomic.h>

/* All 0 when an execution begins. */
extern _Atomic int x, y, z;
extern int d; /* plain */
/* Results. Each element is written by one thread only, and read by the main thread after it joined all. */
extern int r[6];

enum {
  rlx = memory_order_relaxed,
  con = memory_order_consume,
  acq = memory_order_acquire,
  rel = memory_order_release,
  ar = memory_order_acq_rel,
  sc = memory_order_seq_cst
};

#define load(object, order)         atomic_load_explicit(&(object), order)
#define store(object, value, order) atomic_store_explicit(&(object), value, order)
#define add(object, value, order)   atomic_fetch_add_explicit(&(object), value, order)
#define swap(object, value, order)  atomic_exchange_explicit(&(object), value, order)
#define fence(order)                atomic_thread_fence(order)

/* 1 if the object was `from` and is now `to`, else 0. */
#define cas(object, from, to, success, failure)                                                                        \
  ({                                                                                                                   \
    int expected_ = (from);                                                                                            \
    (int)atomic_compare_exchange_strong_explicit(&(object), &expected_, to, success, failure);                         \
  })
#define cas_weak(object, from, to, success, failure)                                                                   \
  ({                                                                                                                   \
    int expected_ = (from);                                                                                            \
    (int)atomic_compare_exchange_weak_explicit(&(object), &expected_, to, success, failure);                           \
  })

typedef void litmus_thread(void);

/* Runs the threads (a list that ends with NULL; the last one on the main thread), joins them, runs `finally` if it is
 * not NULL, and tells the first `registers` elements of r as the outcome. */
void litmus_run(unsigned registers, litmus_thread *finally, litmus_thread *const threads[]);

/* LITMUS(name, title, outcomes, registers, finally, threads...) */
#define LITMUS(id, about, set, registers, finally, ...)                                                                \
  static void id##_run(void) { litmus_run(registers, finally, (litmus_thread *const[]){__VA_ARGS__, NULL}); }          \
  INTERLEAVE_MODEL(id, .run = id##_run, .title = about, .outcomes = set)

/* RACY(name, title, threads...): some execution has a data race. */
#define RACY(id, about, ...)                                                                                           \
  static void id##_run(void) { litmus_run(0, NULL, (litmus_thread *const[]){__VA_ARGS__, NULL}); }                     \
  INTERLEAVE_MODEL(id, .run = id##_run, .title = about, .expect = INTERLEAVE_RACE)

/* Final values, for `finally`. */
void final_x(void);  /* r[0] = x */
void final_y(void);  /* r[0] = y */
void final_xy(void); /* r[0] = x, r[1] = y */
void then_x(void);   /* r[1] = x */
void then_y(void);   /* r[1] = y */
void third_x(void);  /* r[2] = x */
void third_y(void);  /* r[2] = y */

#endif
