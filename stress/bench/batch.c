/* 1000 objects of 16 to 512 bytes, then freed in random order: spans fill up and empty, and nothing is freed in the
 * order in which it came. */
#include "bench.h"

const char bench_operation[] = "alloc and free in batches of 1000" BENCH_KIND;
const bool bench_in_step = false;

enum { BATCH = 1000, BATCHES = 100, SMALLEST = 16, LARGEST = 512, SIZES = 8192 };

/* Made once: the benchmark measures the allocator, not the generator. Each thread its own. */
static _Thread_local struct {
  bool made;
  uint16_t order[BATCH];
  uint16_t sizes[SIZES];
} plan;

static void make_plan(struct bench_thread *thread) {
  for (unsigned i = 0; i < BATCH; i++) plan.order[i] = (uint16_t)i;
  for (unsigned i = BATCH - 1; i > 0; i--) {
    unsigned k = (unsigned)(bench_random(thread) % (i + 1));
    uint16_t swap = plan.order[i];
    plan.order[i] = plan.order[k];
    plan.order[k] = swap;
  }
  for (unsigned i = 0; i < SIZES; i++) {
    plan.sizes[i] = (uint16_t)(SMALLEST + bench_random(thread) % (LARGEST - SMALLEST + 1));
  }
  plan.made = true;
}

uint64_t bench_round(struct bench_thread *thread) {
  uint64_t *objects[BATCH];
  if (!plan.made) make_plan(thread);
  for (unsigned batch = 0; batch < BATCHES; batch++) {
    unsigned first = (unsigned)(bench_random(thread) % SIZES);
    for (unsigned i = 0; i < BATCH; i++) {
      objects[i] = bench_alloc_kind(plan.sizes[(first + i) % SIZES]);
      *objects[i] = i;
    }
    for (unsigned i = 0; i < BATCH; i++) bench_free(objects[plan.order[i]]);
  }
  return (uint64_t)BATCHES * BATCH;
}
