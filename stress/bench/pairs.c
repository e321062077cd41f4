/* Allocate 32 bytes, free them: the steady state of a fast path. */
#include "bench.h"

const char bench_operation[] = "alloc and free of 32 bytes" BENCH_KIND;
const bool bench_in_step = false;

enum { PAIRS = 1 << 20, SIZE = 32 };

uint64_t bench_round(struct bench_thread *thread) {
  (void)thread;
  for (uint64_t i = 0; i < PAIRS; i++) {
    uint64_t *object = bench_alloc_kind(SIZE);
    *(volatile uint64_t *)object = i;
    bench_free(object);
  }
  return PAIRS;
}
