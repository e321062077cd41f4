/* As pairs.c, of memory that holds no pointers. */
#include "bench.h"

const char bench_operation[] = "alloc and free of 32 bytes without pointers";
const bool bench_in_step = false;

enum { PAIRS = 1 << 20, SIZE = 32 };

uint64_t bench_round(struct bench_thread *thread) {
  (void)thread;
  for (uint64_t i = 0; i < PAIRS; i++) {
    uint64_t *object = bench_alloc_noscan(SIZE);
    *(volatile uint64_t *)object = i;
    bench_free(object);
  }
  return PAIRS;
}
