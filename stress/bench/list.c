/* Full collections of one list of 16-byte nodes, 10 million or what --size says: nothing to do side by side, and the
 * longest path that a heap can have. The first thread collects. */
#include "bench.h"

const char bench_operation[] = "node of a list, marked";
const bool bench_in_step = false;

enum { NODES = 10000000 };

struct node {
  struct node *next;
  uint64_t data;
};

static struct node *first;

uint64_t bench_round(struct bench_thread *thread) {
  uint64_t count = bench_size_or(NODES);
  if (thread->index) return 0;
  for (uint64_t i = first ? count : 0; i < count; i++) {
    struct node *node = bench_alloc(sizeof *node);
    *node = (struct node){.next = first, .data = i};
    first = node;
  }
  bench_collect_timed(thread);
  return count;
}
