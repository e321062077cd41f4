/* What stands beside graph.c as the limit: the same graph in one array, marked by a loop that knows just that: no
 * spans, no sizes, no page map, a bit for each node, and a short queue of prefetches (Cher, Hosking, Vitek 2004). */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

const char bench_operation[] = "node of a random graph, marked";
const bool bench_in_step = false;

enum { MEBIBYTES = 256, QUEUE = 16 };

struct node {
  struct node *down[2], *across;
  uint64_t data[5];
};

static struct node *nodes, *root, **stack;
static uint64_t *marks;
static size_t count;

static void build(struct bench_thread *thread) {
  size_t bytes = bench_size_or(MEBIBYTES) * 1024 * 1024;
  count = bytes / sizeof *nodes;
  unsigned *order = malloc(count * sizeof *order);
  nodes = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  stack = malloc(count * sizeof(struct node *));
  marks = malloc(count / 8);
  if (!order || nodes == MAP_FAILED || !stack || !marks) abort();
  madvise(nodes, bytes, MADV_HUGEPAGE);
  for (unsigned i = 0; i < count; i++) order[i] = i;
  for (size_t i = count - 1; i > 0; i--) {
    size_t k = bench_random(thread) % (i + 1);
    unsigned swap = order[i];
    order[i] = order[k];
    order[k] = swap;
  }
  for (size_t i = 0; i < count; i++) {
    struct node *node = &nodes[order[i]];
    node->down[0] = 2 * i + 1 < count ? &nodes[order[2 * i + 1]] : NULL;
    node->down[1] = 2 * i + 2 < count ? &nodes[order[2 * i + 2]] : NULL;
    node->across = &nodes[bench_random(thread) % count];
  }
  root = &nodes[order[0]];
  free(order);
}

static size_t mark(const struct node *node, size_t depth) {
  const uintptr_t *words = (const uintptr_t *)node;
  for (unsigned i = 0; i < sizeof *node / sizeof *words; i++) {
    uintptr_t offset = words[i] - (uintptr_t)nodes;
    if (offset >= count * sizeof *nodes) continue;
    size_t index = offset / sizeof *nodes;
    uint64_t bit = UINT64_C(1) << index % 64;
    if (marks[index / 64] & bit) continue;
    marks[index / 64] |= bit;
    stack[depth++] = &nodes[index];
  }
  return depth;
}

uint64_t bench_round(struct bench_thread *thread) {
  struct node *queue[QUEUE] = {0};
  size_t depth = 0, marked = 0;
  if (thread->index) return 0;
  if (!root) build(thread);
  uint64_t before = bench_now();
  memset(marks, 0, count / 8);
  marks[(root - nodes) / 64] |= UINT64_C(1) << (root - nodes) % 64;
  stack[depth++] = root;
  for (unsigned at = 0, idle = 0; depth || idle < QUEUE; at = (at + 1) % QUEUE) {
    struct node *next = depth ? stack[--depth] : NULL, *node = queue[at];
    idle = next ? 0 : idle + 1;
    __builtin_prefetch(next);
    queue[at] = next;
    if (!node) continue;
    depth = mark(node, depth);
    marked++;
  }
  bench_pause(thread, bench_now() - before);
  if (marked != count) {
    fprintf(stderr, "graph_limit: marked %zu nodes of %zu\n", marked, count);
    abort();
  }
  return count;
}
