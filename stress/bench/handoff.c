/* Each thread fills its box with objects, then empties its neighbour's: every free is by another thread than the
 * allocation. Two barriers for 50,000 objects each, so that phases of milliseconds, not the scheduler, are measured. */
#include "bench.h"

const char bench_operation[] = "alloc and free by the neighbour";
const bool bench_in_step = true;

enum { BOX = 50000, SIZE = 64 };

/* Made by each thread in its first round, an object of the system's own. What is in a box is written by the owner and
 * read by the neighbour after the barrier. */
static uint64_t **boxes[BENCH_THREADS_MAX];

uint64_t bench_round(struct bench_thread *thread) {
  if (!boxes[thread->index]) boxes[thread->index] = bench_alloc(BOX * sizeof(uint64_t *));
  uint64_t **mine = boxes[thread->index];
  for (unsigned i = 0; i < BOX; i++) {
    mine[i] = bench_alloc(SIZE);
    *mine[i] = i;
  }
  bench_barrier();
  uint64_t **other = boxes[(thread->index + 1) % thread->count];
  for (unsigned i = 0; i < BOX; i++) {
    bench_free(other[i]);
    other[i] = NULL;
  }
  bench_barrier();
  return BOX;
}
