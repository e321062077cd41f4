/* Full collections of a random graph: nodes of 64 bytes, 256 MiB or what --size says in MiB, each reached by a path of
 * its own and by one link from anywhere. Nothing dies: what is measured is marking, and the sweep that follows. The
 * first thread collects; the system's own threads may help it. */
#include "bench.h"

#include <stdlib.h>

const char bench_operation[] = "node of a random graph, marked";
const bool bench_in_step = false;

enum { MEBIBYTES = 256 };

struct node {
  struct node *down[2], *across;
  uint64_t data[5];
};

static struct node *root;
static size_t count;

/* Every node is on a list until all are made; then nodes become a tree in random order. */
static void build(struct bench_thread *thread) {
  count = bench_size_or(MEBIBYTES) * 1024 * 1024 / sizeof(struct node);
  struct node **order = malloc(count * sizeof *order); /* no root of any collector's */
  if (!order) abort();
  for (size_t i = 0; i < count; i++) {
    struct node *node = bench_alloc(sizeof *node);
    node->across = root;
    root = order[i] = node;
  }
  for (size_t i = count - 1; i > 0; i--) {
    size_t k = bench_random(thread) % (i + 1);
    struct node *swap = order[i];
    order[i] = order[k];
    order[k] = swap;
  }
  for (size_t i = 0; i < count; i++) {
    order[i]->down[0] = 2 * i + 1 < count ? order[2 * i + 1] : NULL;
    order[i]->down[1] = 2 * i + 2 < count ? order[2 * i + 2] : NULL;
    order[i]->across = order[bench_random(thread) % count];
  }
  root = order[0];
  free(order);
}

uint64_t bench_round(struct bench_thread *thread) {
  if (thread->index) return 0;
  if (!root) build(thread);
  bench_collect_timed(thread);
  return count;
}
