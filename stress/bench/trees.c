/* Binary trees, after the benchmark of that name (Boehm, Ellis, Kovac; the Computer Language Benchmarks Game): a
 * long-lived tree, and short-lived ones, of each depth as many as make the same number of nodes: here a quarter of the
 * Game's, so that a round is short. --size is the greatest depth. Each thread grows its own. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>

const char bench_operation[] = "node of binary trees";
const bool bench_in_step = false;

enum { SHALLOW = 4, DEEP = 17 };

struct node {
  struct node *left, *right;
};

static struct node *grow(unsigned depth) {
  struct node *node = bench_alloc(sizeof *node);
  node->left = depth ? grow(depth - 1) : NULL;
  node->right = depth ? grow(depth - 1) : NULL;
  return node;
}

static uint64_t count(const struct node *node) { return node ? 1 + count(node->left) + count(node->right) : 0; }

static void fell(struct node *node) {
#if defined(BENCH_VGC_COLLECT) || defined(BENCH_LIBGC)
  (void)node;
#else
  if (!node) return;
  fell(node->left);
  fell(node->right);
  bench_free(node);
#endif
}

static uint64_t nodes(unsigned depth) { return ((uint64_t)2 << depth) - 1; }

/* Grows, counts, fells; the number of nodes. */
static uint64_t short_lived(unsigned depth) {
  struct node *tree = grow(depth);
  uint64_t counted = count(tree);
  if (counted != nodes(depth)) {
    fprintf(stderr, "a tree of depth %u has %llu nodes; expected %llu\n", depth, (unsigned long long)counted,
            (unsigned long long)nodes(depth));
    abort();
  }
  fell(tree);
  return counted;
}

uint64_t bench_round(struct bench_thread *thread) {
  (void)thread;
  unsigned deep = (unsigned)bench_size_or(DEEP);
  uint64_t grown = short_lived(deep + 1);
  struct node *long_lived = grow(deep);
  for (unsigned depth = SHALLOW; depth <= deep; depth += 2) {
    for (unsigned i = 0; i < 4u << (deep - depth); i++) grown += short_lived(depth);
  }
  grown += count(long_lived);
  if (count(long_lived) != nodes(deep)) abort();
  fell(long_lived);
  return grown;
}
