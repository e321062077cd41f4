/* What stop.c and stop_limit.c share: the first thread stops the others, which compute and allocate nothing, again and
 * again. Each stop's latency, from the decision to the last thread's answer, is reported as a pause. */
#ifndef BENCH_STOP_H
#define BENCH_STOP_H

#include <stdatomic.h>

#include "bench.h"

const char bench_operation[] = "stop of the other threads";
const bool bench_in_step = true;

enum { STOPS = 20 };

/* One stop, the world running again at its end: nanoseconds. Of the first thread. */
static uint64_t stop_once(struct bench_thread *);
/* By each thread at its first round. */
static void stop_prepare(struct bench_thread *);

static atomic_uint stop_rounds; /* that the first thread has done */

static void compute_until(unsigned rounds) {
  volatile uint64_t state = rounds;
  while (atomic_load_explicit(&stop_rounds, memory_order_relaxed) != rounds) state = state * 6364136223846793005 + 1;
}

uint64_t bench_round(struct bench_thread *thread) {
  static _Thread_local unsigned rounds;
  if (rounds++ == 0) stop_prepare(thread);
  bench_barrier();
  if (thread->index) {
    compute_until(rounds);
    return 0;
  }
  for (unsigned i = 0; i < STOPS; i++) bench_pause(thread, stop_once(thread));
  atomic_store(&stop_rounds, rounds);
  return STOPS;
}

#endif
