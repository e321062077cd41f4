/* Nobody knows beforehand which strategy finds a bug first: each gets a share of the runs. */
#include "exhaustive.h"

#include <inttypes.h>
#include <stdlib.h>

enum member { RANDOM, POS, PCT2, PCT3, BOUNDED, MEMBERS };

/* One round of runs. */
static const uint8_t round_of[] = {BOUNDED, RANDOM, PCT2, POS, BOUNDED, RANDOM, PCT3, POS};
#define ROUND         (sizeof round_of / sizeof *round_of)
#define LARGEST_BOUND 3u

struct portfolio {
  struct strategy base;
  struct strategy *member[MEMBERS];
  struct strategy *active;
  uint64_t runs[MEMBERS];
  unsigned bound;      /* of the bounded search at work: 1, 2, 3 */
  uint64_t executions; /* of the bounded searches that are done */
  unsigned bound_done; /* 0: none */
};

static bool begin_bounded(struct portfolio *p) {
  while (!p->member[BOUNDED]->begin(p->member[BOUNDED], 0)) {
    p->bound_done = p->bound;
    if (p->bound == LARGEST_BOUND) return false;
    strategy_free(p->member[BOUNDED]);
    p->member[BOUNDED] = strategy_exhaustive(++p->bound, false);
  }
  return true;
}

static bool portfolio_begin(struct strategy *strategy, uint64_t run) {
  struct portfolio *p = (struct portfolio *)strategy;
  enum member member = round_of[run % ROUND];
  if (member == BOUNDED && (p->bound_done == LARGEST_BOUND || !begin_bounded(p))) member = RANDOM;
  if (member != BOUNDED) p->member[member]->begin(p->member[member], run);
  p->active = p->member[member];
  p->active->run = run;
  p->runs[member]++;
  strategy->by_list = p->active->by_list;
  strategy->executed = p->active->executed;
  return true;
}

static unsigned portfolio_thread(struct strategy *strategy, const uint8_t *ids, unsigned n, bool current_enabled) {
  struct strategy *active = ((struct portfolio *)strategy)->active;
  return active->thread(active, ids, n, current_enabled);
}

static unsigned portfolio_other(struct strategy *strategy, enum choice_kind kind, unsigned n) {
  struct strategy *active = ((struct portfolio *)strategy)->active;
  return active->other(active, kind, n);
}

static void portfolio_end(struct strategy *strategy, enum verdict verdict) {
  struct strategy *active = ((struct portfolio *)strategy)->active;
  active->end(active, verdict);
}

static struct strategy *portfolio_active(struct strategy *strategy) { return ((struct portfolio *)strategy)->active; }

static void portfolio_describe(const struct strategy *strategy, FILE *out) {
  const struct portfolio *p = (const struct portfolio *)strategy;
  fprintf(out, "portfolio, seed %" PRIu64 ":", strategy->seed);
  for (unsigned i = 0; i < MEMBERS; i++) {
    if (p->runs[i] == 0) continue;
    fprintf(out, "\n    %" PRIu64 " runs: ", p->runs[i]);
    p->member[i]->describe(p->member[i], out);
  }
}

struct strategy *strategy_portfolio(uint64_t seed) {
  struct portfolio *p = calloc(1, sizeof *p);
  if (p == NULL) abort();
  p->member[RANDOM] = strategy_random(seed);
  p->member[POS] = strategy_pos(seed);
  p->member[PCT2] = strategy_pct(seed, 2);
  p->member[PCT3] = strategy_pct(seed, 3);
  p->bound = 1;
  p->member[BOUNDED] = strategy_exhaustive(1, false);
  p->base = (struct strategy){.name = "portfolio",
                              .begin = portfolio_begin,
                              .thread = portfolio_thread,
                              .other = portfolio_other,
                              .end = portfolio_end,
                              .describe = portfolio_describe,
                              .active = portfolio_active,
                              .seed = seed};
  return &p->base;
}

struct extent portfolio_extent(const struct strategy *strategy) {
  const struct portfolio *p = (const struct portfolio *)strategy;
  return exhaustive_extent(p->member[BOUNDED]);
}

bool portfolio_is(const struct strategy *strategy) { return strategy->thread == portfolio_thread; }

void strategy_free(struct strategy *strategy) {
  if (strategy == NULL) return;
  if (portfolio_is(strategy))
    for (unsigned i = 0; i < MEMBERS; i++) strategy_free(((struct portfolio *)strategy)->member[i]);
  if (exhaustive_is(strategy)) free(((struct exhaustive *)strategy)->stack);
  free(strategy);
}
