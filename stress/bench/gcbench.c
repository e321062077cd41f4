/* GCBench (Ellis, Kovac, Boehm): trees built top down, where a parent points to younger children, and bottom up, beside
 * a long-lived tree and a large pointer-free array, in GCBench's proportions but for the number of short-lived trees,
 * an eighth, so that a round is short. --size is the greatest depth; GCBench's is 16. Each thread has its own. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>

const char bench_operation[] = "node of GCBench";
const bool bench_in_step = false;

enum { SHALLOW = 4, DEEP = 18, ARRAY_OF_A_NODE = 4 };

struct node {
  struct node *left, *right;
  int i, j;
};

static struct node *new_node(struct node *left, struct node *right) {
  struct node *node = bench_alloc(sizeof *node);
  *node = (struct node){.left = left, .right = right};
  return node;
}

static void populate(struct node *node, unsigned depth) {
  if (depth == 0) return;
  node->left = new_node(NULL, NULL);
  node->right = new_node(NULL, NULL);
  populate(node->left, depth - 1);
  populate(node->right, depth - 1);
}

static struct node *make(unsigned depth) {
  return depth ? new_node(make(depth - 1), make(depth - 1)) : new_node(NULL, NULL);
}

static uint64_t count(const struct node *node) { return node ? 1 + count(node->left) + count(node->right) : 0; }

static void discard(struct node *node) {
#if defined(BENCH_VGC_COLLECT) || defined(BENCH_LIBGC)
  (void)node;
#else
  if (!node) return;
  discard(node->left);
  discard(node->right);
  bench_free(node);
#endif
}

static uint64_t nodes(unsigned depth) { return ((uint64_t)2 << depth) - 1; }

uint64_t bench_round(struct bench_thread *thread) {
  (void)thread;
  unsigned deep = (unsigned)bench_size_or(DEEP);
  size_t length = ARRAY_OF_A_NODE * nodes(deep);
  struct node *long_lived = new_node(NULL, NULL);
  populate(long_lived, deep);
  double *array = bench_alloc_noscan(length * sizeof *array);
  for (size_t i = 0; i < length; i++) array[i] = 1.0 / (double)(i + 1);
  uint64_t made = nodes(deep);
  for (unsigned depth = SHALLOW; depth <= deep; depth += 2) {
    for (unsigned i = 0; i < 1u << (deep - depth); i++) {
      struct node *top_down = new_node(NULL, NULL);
      populate(top_down, depth);
      discard(top_down);
      discard(make(depth));
      made += 2 * nodes(depth);
    }
  }
  if (count(long_lived) != nodes(deep) || array[1000] != 1.0 / 1001) {
    fprintf(stderr, "gcbench: the long-lived data are damaged\n");
    abort();
  }
  discard(long_lived);
  bench_free(array);
  return made;
}
