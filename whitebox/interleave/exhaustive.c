/* Every decision, depth first, without state: each run replays the decisions up to the deepest with an alternative
 * left, takes that, and 0 from there on. The stack holds a decision's alternatives until all have been taken, so a run
 * that ends early, at a failure, loses none.
 *
 * Without a preemption bound, sleep sets leave out executions that differ from an earlier one only in the order of
 * independent operations (Godefroid: Partial-Order Methods for the Verification of Concurrent Systems, 1996). With a
 * bound they would be unsound: the earlier execution may have been one beyond the bound. */
#include "exhaustive.h"

#include <stdlib.h>
#include <unistd.h>

static struct exhaustive *of(struct strategy *strategy) { return (struct exhaustive *)strategy; }

/* The program did not do the same with the same decisions: every statement about what was explored would be wrong. */
static COLD _Noreturn void not_the_same(const struct exhaustive *x, enum choice_kind kind, unsigned n) {
  const struct node *node = &x->stack[x->position];
  dprintf(STDERR_FILENO,
          "interleave: defect of the runtime: decision %u of a repeated run was of kind %u among %u and is of kind %u "
          "among %u now; the program depends on something that the explorer does not control\n",
          x->position, node->kind, node->n, kind, n);
  _exit(3);
}

static struct node *next_node(struct exhaustive *x, enum choice_kind kind, unsigned n, uint32_t skip) {
  if (x->position < x->depth) {
    struct node *node = &x->stack[x->position];
    if (UNLIKELY(node->kind != kind || node->n != n)) not_the_same(x, kind, n);
    x->position++;
    return node;
  }
  if (UNLIKELY(x->depth == DECISIONS_MAX))
    fail(INTERLEAVE_UNSUPPORTED, "more than %u decisions in one run", DECISIONS_MAX);
  struct node *node = &x->stack[x->depth++];
  *node = (struct node){.n = (uint16_t)n, .skip = (uint16_t)skip, .kind = (uint8_t)kind};
  x->position++;
  return node;
}

/* What a fiber does next is more than its pending operation if a signal may come first, or if it may go on only because
 * nobody else can. */
static bool opaque(const struct fiber *fiber) { return fiber->queued & ~fiber->mask || fiber->spinning; }

static bool depends(const struct fiber *asleep, const struct operation *done) {
  return opaque(asleep) || operations_depend(&asleep->pending, done) || (done->write && trace_reads_again(asleep));
}

static void wake_dependent(struct exhaustive *x, const struct operation *done) {
  for (uint32_t rest = x->asleep; rest; rest &= rest - 1) {
    unsigned id = (unsigned)__builtin_ctz(rest);
    if (depends(&RT->fiber[id], done)) x->asleep &= ~(UINT32_C(1) << id);
  }
}

/* Before the chosen fiber goes on. */
static void wake_by(struct exhaustive *x, const struct fiber *chosen) {
  if (opaque(chosen)) {
    x->asleep = 0;
    return;
  }
  wake_dependent(x, &chosen->pending);
  if (!trace_reads_again(chosen)) return;
  for (uint32_t rest = x->asleep; rest; rest &= rest - 1) {
    unsigned id = (unsigned)__builtin_ctz(rest);
    if (RT->fiber[id].pending.write) x->asleep &= ~(UINT32_C(1) << id);
  }
}

/* All that follows has been seen in another order. */
static COLD _Noreturn void leave_redundant(struct exhaustive *x) {
  x->cut = true;
  RT->discarded = true;
  run_leave();
}

static unsigned reduced_thread(struct exhaustive *x, const uint8_t *ids, unsigned n) {
  uint32_t enabled = 0, skip = 0;
  for (unsigned i = 0; i < n; i++) enabled |= UINT32_C(1) << ids[i];
  x->asleep &= enabled;
  for (unsigned i = 0; i < n; i++) skip |= (x->asleep >> ids[i] & 1) << i;
  if (skip == (UINT32_C(1) << n) - 1) leave_redundant(x);
  bool fresh = x->position == x->depth;
  struct node *node = next_node(x, CHOICE_THREAD, n, skip);
  if (fresh) node->taken = (uint16_t)__builtin_ctz(~skip);
  for (unsigned i = 0; i < node->taken; i++) x->asleep |= UINT32_C(1) << ids[i];
  wake_by(x, &RT->fiber[ids[node->taken]]);
  return node->taken;
}

static unsigned exhaustive_thread(struct strategy *strategy, const uint8_t *ids, unsigned n, bool current_enabled) {
  struct exhaustive *x = of(strategy);
  if (x->reduce) return reduced_thread(x, ids, n);
  if (current_enabled && RT->preemptions >= x->bound) return 0;
  return next_node(x, CHOICE_THREAD, n, 0)->taken;
}

static unsigned exhaustive_other(struct strategy *strategy, enum choice_kind kind, unsigned n) {
  struct exhaustive *x = of(strategy);
  unsigned taken = next_node(x, kind, n, 0)->taken;
  /* A handler may do anything, and time is everybody's. */
  if (taken && (kind == CHOICE_SIGNAL || kind == CHOICE_TIME)) x->asleep = 0;
  return taken;
}

/* Between two decisions a fiber may go on alone: what it does wakes others all the same, and if it was asleep the rest
 * is redundant. */
static void exhaustive_executed(struct strategy *strategy, const struct fiber *fiber, const struct operation *done) {
  struct exhaustive *x = of(strategy);
  if (x->asleep == 0) return;
  if (UNLIKELY(x->asleep >> fiber->id & 1)) leave_redundant(x);
  wake_dependent(x, done);
}

static bool exhaustive_begin(struct strategy *strategy, uint64_t run) {
  struct exhaustive *x = of(strategy);
  (void)run;
  if (x->exhausted) return false;
  x->position = 0;
  x->asleep = 0;
  x->cut = false;
  return true;
}

static void exhaustive_end(struct strategy *strategy, enum verdict verdict) {
  struct exhaustive *x = of(strategy);
  (void)verdict;
  x->redundant += x->cut;
  if (UNLIKELY(x->position < x->depth)) not_the_same(x, CHOICE_KINDS, 0);
  while (x->depth) {
    struct node *node = &x->stack[x->depth - 1];
    do node->taken++;
    while (node->taken < node->n && node->kind == CHOICE_THREAD && node->skip >> node->taken & 1);
    if (node->taken < node->n) return;
    x->depth--;
  }
  x->exhausted = true;
}

static void exhaustive_describe(const struct strategy *strategy, FILE *out) {
  struct extent extent = exhaustive_extent(strategy);
  fprintf(out, "exhaustive, ");
  if (extent.bound == UINT32_MAX)
    fprintf(out, "no preemption bound%s", of((struct strategy *)strategy)->reduce ? ", sleep sets" : "");
  else
    fprintf(out, "at most %u preemption%s", extent.bound, extent.bound == 1 ? "" : "s");
  if (extent.exhausted)
    fprintf(out, ": all explored");
  else
    fprintf(out, ": about %.3g %% explored, %u of %u decisions not yet changed", 100 * extent.fraction,
            extent.untouched, extent.depth);
}

struct extent exhaustive_extent(const struct strategy *strategy) {
  const struct exhaustive *x = (const struct exhaustive *)strategy;
  struct extent extent = {.redundant = x->redundant, .exhausted = x->exhausted, .bound = x->bound, .depth = x->depth};
  double weight = 1;
  for (uint32_t i = 0; i < x->depth; i++) {
    const struct node *node = &x->stack[i];
    unsigned before = 0, all = node->n;
    for (unsigned child = 0; child < node->n; child++) {
      bool skipped = node->kind == CHOICE_THREAD && node->skip >> child & 1;
      all -= skipped;
      before += child < node->taken && !skipped;
    }
    weight /= all;
    extent.fraction += weight * before;
    if (before == 0 && extent.untouched == i) extent.untouched++;
  }
  if (x->exhausted) extent.fraction = 1;
  return extent;
}

bool exhaustive_is(const struct strategy *strategy) { return strategy->thread == exhaustive_thread; }

struct strategy *strategy_exhaustive(unsigned bound, bool reduce) {
  struct exhaustive *x = calloc(1, sizeof *x);
  if (x == NULL) abort();
  x->stack = calloc(DECISIONS_MAX, sizeof *x->stack);
  if (x->stack == NULL) abort();
  x->bound = bound;
  x->reduce = reduce && bound == UINT32_MAX;
  if (bound == UINT32_MAX)
    snprintf(x->name, sizeof x->name, "%s", x->reduce ? "exhaustive" : "naive");
  else
    snprintf(x->name, sizeof x->name, "bounded%u", bound);
  x->base = (struct strategy){.name = x->name,
                              .begin = exhaustive_begin,
                              .thread = exhaustive_thread,
                              .other = exhaustive_other,
                              .executed = x->reduce ? exhaustive_executed : NULL,
                              .end = exhaustive_end,
                              .describe = exhaustive_describe,
                              .active = strategy_itself,
                              .by_list = true};
  return &x->base;
}
