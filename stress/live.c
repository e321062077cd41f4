/* A large live set under allocation: it must stay whole, and the heap must stay in proportion to it. */
#include "harness.h"
#include "oracle.h"

enum { FANOUT = ORACLE_LINKS, SPINE = FANOUT / 2 * ORACLE_ELEMENT, LEAF_TOP = 2 * ORACLE_ELEMENT, LEAST_LEAF = 32 };
/* A heap that grows by 100 % between collections holds twice the live bytes; as much again for partly used pages of
 * many sizes, and the garbage of a small heap's first cycles. */
enum { HEAP_FACTOR = 4, HEAP_BASE = 64 << 20 };

static size_t leaf_bytes; /* immutable while workers run */

static struct reference new_leaf(struct worker *worker) {
  struct random *random = &worker->random;
  struct reference top = oracle_new(worker, random_one_in(random, 2) ? KIND_TYPED : KIND_SCANNED, LEAF_TOP, 2, 8);
  oracle_relink(worker, &top, 0, oracle_new(worker, KIND_NOSCAN, leaf_bytes, 0, 8));
  oracle_relink(worker, &top, 1, oracle_new(worker, KIND_SCANNED, 1 + random_below(random, 64), 0, 8));
  return top;
}

/* Two levels of spines, then leaves. */
static struct reference new_tree(struct worker *worker) {
  struct reference root = oracle_new(worker, KIND_SCANNED, SPINE, FANOUT, 8);
  for (unsigned i = 0; i < FANOUT; i++) {
    struct reference spine = oracle_new(worker, KIND_TYPED, SPINE, FANOUT, 8);
    oracle_relink(worker, &root, i, spine);
    for (unsigned j = 0; j < FANOUT; j++) oracle_relink(worker, &spine, j, new_leaf(worker));
    harness_waits(worker);
  }
  return root;
}

static struct reference any_spine(struct worker *worker, const struct reference *root) {
  return oracle_link(worker, root, (unsigned)random_below(&worker->random, FANOUT));
}

static void touch(struct worker *worker, const struct reference *root) {
  struct reference spine = any_spine(worker, root);
  struct reference leaf = oracle_link(worker, &spine, (unsigned)random_below(&worker->random, FANOUT));
  uint64_t objects = 0, bytes = 0;
  oracle_check_tree(worker, &leaf, &objects, &bytes);
  harness_check(objects == 3, "a leaf of the live set has %llu objects, expected 3", (unsigned long long)objects);
}

static void replace(struct worker *worker, const struct reference *root) {
  struct reference spine = any_spine(worker, root), leaf = new_leaf(worker);
  struct reference old = oracle_relink(worker, &spine, (unsigned)random_below(&worker->random, FANOUT), leaf);
  oracle_drop(worker, &old);
}

static void litter(struct worker *worker) {
  struct reference garbage[4];
  for (int i = 0; i < 4; i++)
    garbage[i] = oracle_new(worker, i % 2 ? KIND_NOSCAN : KIND_SCANNED, random_size(&worker->random), 0, 8);
  for (int i = 0; i < 4; i++) oracle_drop(worker, &garbage[i]);
}

static void begin(struct worker *worker) {
  (void)worker;
  size_t mine = ((size_t)harness_knob("live") << 20) / options.threads / (FANOUT * FANOUT);
  leaf_bytes = mine > LEAF_TOP + 64 + LEAST_LEAF ? mine - LEAF_TOP - 32 : LEAST_LEAF;
}

static void work(struct worker *worker) {
  worker->random = random_split(options.seed, worker->index, UINT64_MAX - 1);
  struct reference root = new_tree(worker);
  while (harness_goes_on(worker)) {
    uint64_t dice = random_below(&worker->random, 100);
    if (dice < 60)
      litter(worker);
    else if (dice < 90)
      touch(worker, &root);
    else
      replace(worker, &root);
    if (random_one_in(&worker->random, 8192)) harness_collect();
  }
  uint64_t objects = 0, bytes = 0;
  oracle_check_tree(worker, &root, &objects, &bytes);
  harness_census(worker, objects, bytes);
  oracle_drop(worker, &root);
}

static void end(struct worker *worker) {
  (void)worker;
  struct subject_stats stats;
  subject.stats(&stats);
  uint64_t live = harness_knob("live") << 20, bound = live * HEAP_FACTOR + HEAP_BASE;
  harness_check(stats.peak_heap_bytes <= bound, "the heap grew to %llu bytes; for %llu live bytes %llu are allowed",
                (unsigned long long)stats.peak_heap_bytes, (unsigned long long)live, (unsigned long long)bound);
}

struct program program = {
    .name = "live",
    .summary = "a large live set under allocation",
    .threads = 2,
    .least_threads = 1,
    .retained = 32,
    .begin = begin,
    .work = work,
    .end = end,
    .knobs = {{"live", "MB of live objects over all threads", 32}},
};
