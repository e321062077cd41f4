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

#endif
