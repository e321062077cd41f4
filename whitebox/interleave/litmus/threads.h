/* Litmus tests whose threads block, sleep or take signals: more C than axioms.py reads. Their results are derived by
 * hand from the edges that POSIX and C17 give. */
#ifndef LITMUS_THREADS_H
#define LITMUS_THREADS_H

#include "litmus.h"
#include <pthread.h>
#include <stddef.h>

/* RUNS(name, title, outcomes, registers, finally, threads...): litmus_run, but not read by axioms.py. */
#define RUNS(id, about, set, registers, finally, ...)                                                                  \
  static void id##_run(void) { litmus_run(registers, finally, (litmus_thread *const[]){__VA_ARGS__, NULL}); }          \
  INTERLEAVE_MODEL(id, .run = id##_run, .title = about, .outcomes = set)

/* FAILS(name, title, kind, threads...): some execution fails in this way. */
#define FAILS(id, about, kind, ...)                                                                                    \
  static void id##_run(void) { litmus_run(0, NULL, (litmus_thread *const[]){__VA_ARGS__, NULL}); }                     \
  INTERLEAVE_MODEL(id, .run = id##_run, .title = about, .expect = kind)

#endif
