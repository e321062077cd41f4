/* PCT: threads have random priorities and the highest that can goes on; at d - 1 random decisions the running thread's
 * becomes the lowest. A run finds each bug of depth d with a probability of at least 1 / (n k^(d-1)), for n threads and
 * k decisions (Burckhardt, Kothari, Musuvathi, Nagarakatte: A Randomized Scheduler with Probabilistic Guarantees of
 * Finding Bugs, 2010). The bound holds for bugs of the order of threads alone: of runs in which all other choices are
 * 0. */
#include "strategy_random.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

struct pct {
  struct strategy base;
  unsigned depth;
  struct random random;
  struct swarm swarm;
  uint32_t at;                    /* decisions about threads so far in this run */
  uint32_t change[PCT_DEPTH_MAX]; /* where the running thread's priority drops; unsorted */
  uint32_t priority[FIBERS_MAX];
  uint32_t lowest; /* priorities below this are free */
  uint32_t seen;   /* bit of each fiber that has a priority */
  /* Measured. */
  uint32_t most;     /* decisions in one run, rounded up to a power of two: what changes are drawn from */
  uint32_t threads;  /* most at once */
  uint64_t counted;  /* runs that the bound holds for */
  double log_missed; /* of the probability that all of them miss */
  char name[8];
};

static bool pct_begin(struct strategy *strategy, uint64_t run) {
  struct pct *pct = (struct pct *)strategy;
  pct->random = random_of_run(strategy->seed, 16 + pct->depth, run);
  pct->swarm = swarm_draw(&pct->random);
  pct->at = 0;
  pct->seen = 0;
  pct->lowest = UINT32_C(1) << 16;
  strategy->parameter = pct->most;
  for (unsigned i = 0; i + 1 < pct->depth; i++) pct->change[i] = random_below(&pct->random, pct->most);
  return true;
}

static void give_priorities(struct pct *pct, const uint8_t *ids, unsigned n) {
  for (unsigned i = 0; i < n; i++) {
    if (pct->seen >> ids[i] & 1) continue;
    pct->seen |= UINT32_C(1) << ids[i];
    /* Above all that have dropped; the low bits keep them apart. */
    pct->priority[ids[i]] = (UINT32_C(1) << 24) + (random_below(&pct->random, 1u << 20) << 4) + ids[i];
  }
}

static unsigned pct_thread(struct strategy *strategy, const uint8_t *ids, unsigned n, bool current_enabled) {
  struct pct *pct = (struct pct *)strategy;
  give_priorities(pct, ids, n);
  bool drops = false;
  for (unsigned i = 0; i + 1 < pct->depth; i++) drops |= pct->change[i] == pct->at;
  pct->at++;
  /* A thread that yields waits for another. */
  if (current_enabled && (drops || RT->fiber[ids[0]].pending.kind == OP_YIELD)) pct->priority[ids[0]] = --pct->lowest;
  unsigned best = 0;
  for (unsigned i = 1; i < n; i++)
    if (pct->priority[ids[i]] > pct->priority[ids[best]]) best = i;
  return best;
}

static unsigned pct_other(struct strategy *strategy, enum choice_kind kind, unsigned n) {
  struct pct *pct = (struct pct *)strategy;
  return swarm_other(&pct->swarm, &pct->random, kind, n);
}

static void pct_end(struct strategy *strategy, enum verdict verdict) {
  struct pct *pct = (struct pct *)strategy;
  uint32_t threads = RT->fibers;
  if (threads > pct->threads) pct->threads = threads;
  if (verdict == RUN_CLEAN && pct->swarm.calm && pct->at <= pct->most) {
    pct->counted++;
    pct->log_missed += log1p(-1 / (threads * pow(pct->most, pct->depth - 1)));
  }
  while (pct->most < pct->at) pct->most *= 2;
}

static void pct_describe(const struct strategy *strategy, FILE *out) {
  const struct pct *pct = (const struct pct *)strategy;
  fprintf(out,
          "PCT depth %u, seed %" PRIu64
          ": n = %u threads, k <= %u decisions; a bug of depth %u in the order of threads "
          "is missed by all %" PRIu64 " calm runs with a probability of at most %.3g",
          pct->depth, strategy->seed, pct->threads, pct->most, pct->depth, pct->counted, exp(pct->log_missed));
}

struct strategy *strategy_pct(uint64_t seed, unsigned depth) {
  struct pct *pct = calloc(1, sizeof *pct);
  if (pct == NULL) abort();
  pct->depth = depth < 1 ? 1 : depth > PCT_DEPTH_MAX ? PCT_DEPTH_MAX : depth;
  pct->most = 16;
  snprintf(pct->name, sizeof pct->name, "pct%u", pct->depth);
  pct->base = (struct strategy){.name = pct->name,
                                .begin = pct_begin,
                                .thread = pct_thread,
                                .other = pct_other,
                                .end = pct_end,
                                .describe = pct_describe,
                                .active = strategy_itself,
                                .seed = seed};
  return &pct->base;
}

/* A replay needs what was measured when the run was made. */
void pct_restore(struct strategy *strategy, uint64_t parameter) {
  struct pct *pct = (struct pct *)strategy;
  if (parameter >= 1 && parameter <= DECISIONS_MAX * 2) pct->most = (uint32_t)parameter;
}
