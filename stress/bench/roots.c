/* Full collections of a near-empty heap with 1000 ranges of 64 bytes added as roots, or as many as --size says, each
 * holding one pointer. The first thread collects. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>

const char bench_operation[] = "root, scanned";
const bool bench_in_step = false;

enum { ROOTS = 1000, WORDS = 8, STRIDE = 2 * WORDS }; /* apart, so that none can be joined with its neighbour */

static void build(uint64_t count) {
  void **ranges = calloc(count * STRIDE, sizeof *ranges); /* no root by itself */
  if (!ranges) abort();
  for (uint64_t i = 0; i < count; i++) {
    void **range = &ranges[i * STRIDE];
    range[0] = bench_alloc(sizeof *range);
    if (bench_root_add(range, WORDS * sizeof *range) == 0) continue;
    fprintf(stderr, "roots: no room for root %llu\n", (unsigned long long)i);
    exit(1);
  }
}

uint64_t bench_round(struct bench_thread *thread) {
  static bool built;
  if (thread->index) return 0;
  if (!built) build(bench_size_or(ROOTS));
  built = true;
  bench_collect_timed(thread);
  return bench_size_or(ROOTS);
}
