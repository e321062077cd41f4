/* The frame of a benchmark: threads, clock, result. A program is one file that defines the three things below; main is
 * bench.c's. */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stdint.h>

#include "system.h"

enum { BENCH_THREADS_MAX = 64 };

struct bench_thread {
  unsigned index, count; /* of this thread, and of all */
  uint64_t random;       /* state of bench_random; differs from thread to thread */
  uint64_t *pauses;      /* nanoseconds; the C library's memory, which is no root */
  size_t pause_count, pause_room;
};

/* One round on one thread, some milliseconds long: the number of operations done. */
uint64_t bench_round(struct bench_thread *);
/* What an operation is. */
extern const char bench_operation[];
/* Whether all threads make the same number of rounds, because they wait for each other in them. */
extern const bool bench_in_step;

/* Waits for all threads. */
void bench_barrier(void);
/* xorshift64*, Vigna 2016. */
uint64_t bench_random(struct bench_thread *);
/* What --size says; without, the program's own. */
uint64_t bench_size_or(uint64_t);
/* Nanoseconds of the monotonic clock. */
uint64_t bench_now(void);
/* Something took that long and is to be reported one by one: how often, the median, the longest. */
void bench_pause(struct bench_thread *, uint64_t nanoseconds);

#if defined(bench_collect)
static inline void bench_collect_timed(struct bench_thread *thread) {
  uint64_t before = bench_now();
  bench_collect();
  bench_pause(thread, bench_now() - before);
}
#endif

#endif
