/* POS: each operation that comes up has a random priority and the highest goes first; what depends on an operation just
 * done draws again, so that the orders of dependent operations are sampled evenly (Yuan, Yang, Gu: Partial Order Aware
 * Concurrency Sampling, 2018). */
#include "strategy_random.h"

#include <inttypes.h>
#include <stdlib.h>

struct pos {
  struct strategy base;
  struct random random;
  struct swarm swarm;
  uint32_t drawn; /* bit of each fiber whose pending operation has a priority */
  uint32_t priority[FIBERS_MAX];
  struct operation known[FIBERS_MAX]; /* the operation that it was drawn for */
};

static bool pos_begin(struct strategy *strategy, uint64_t run) {
  struct pos *pos = (struct pos *)strategy;
  pos->random = random_of_run(strategy->seed, 2, run);
  pos->swarm = swarm_draw(&pos->random);
  pos->drawn = 0;
  return true;
}

static bool same(const struct operation *a, const struct operation *b) {
  return a->kind == b->kind && a->address == b->address && a->write == b->write;
}

static unsigned pos_thread(struct strategy *strategy, const uint8_t *ids, unsigned n, bool current_enabled) {
  struct pos *pos = (struct pos *)strategy;
  if (current_enabled) pos->drawn &= ~(UINT32_C(1) << ids[0]); /* it has just done one and come to the next */
  unsigned best = 0;
  for (unsigned i = 0; i < n; i++) {
    const struct operation *pending = &RT->fiber[ids[i]].pending;
    if (!(pos->drawn >> ids[i] & 1) || !same(pending, &pos->known[ids[i]])) {
      pos->drawn |= UINT32_C(1) << ids[i];
      pos->known[ids[i]] = *pending;
      pos->priority[ids[i]] = (uint32_t)(random_next(&pos->random) >> 32);
    }
    if (pos->priority[ids[i]] > pos->priority[ids[best]]) best = i;
  }
  const struct operation *done = &RT->fiber[ids[best]].pending;
  for (unsigned i = 0; i < n; i++)
    if (i == best || operations_depend(done, &RT->fiber[ids[i]].pending)) pos->drawn &= ~(UINT32_C(1) << ids[i]);
  return best;
}

static unsigned pos_other(struct strategy *strategy, enum choice_kind kind, unsigned n) {
  struct pos *pos = (struct pos *)strategy;
  return swarm_other(&pos->swarm, &pos->random, kind, n);
}

static void pos_describe(const struct strategy *strategy, FILE *out) {
  fprintf(out, "partial order sampling, seed %" PRIu64, strategy->seed);
}

struct strategy *strategy_pos(uint64_t seed) {
  struct pos *pos = calloc(1, sizeof *pos);
  if (pos == NULL) abort();
  pos->base = (struct strategy){.name = "pos",
                                .begin = pos_begin,
                                .thread = pos_thread,
                                .other = pos_other,
                                .end = strategy_end_nothing,
                                .describe = pos_describe,
                                .active = strategy_itself,
                                .seed = seed};
  return &pos->base;
}
