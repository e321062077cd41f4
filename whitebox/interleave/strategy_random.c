/* A random walk. */
#include "strategy_random.h"

#include <inttypes.h>
#include <stdlib.h>

struct swarm swarm_draw(struct random *random) {
  static const uint64_t shares[] = {0,
                                    UINT64_C(1) << 24 /* 1/256 */,
                                    UINT64_C(1) << 26,
                                    UINT64_C(1) << 28,
                                    UINT64_C(1) << 30,
                                    UINT64_C(1) << 31 /* 1/2 */};
  /* A signal that is not taken now is taken at one of many places later. */
  static const uint64_t later[] = {0, UINT64_C(1) << 30 /* 1/4 */, UINT64_C(1) << 31, UINT64_C(3) << 30};
  struct swarm swarm = {.calm = random_below(random, 4) == 0};
  for (unsigned kind = 0; kind < CHOICE_KINDS && !swarm.calm; kind++)
    swarm.other[kind] = kind == CHOICE_SIGNAL ? later[random_below(random, sizeof later / sizeof *later)]
                                              : shares[random_below(random, sizeof shares / sizeof *shares)];
  return swarm;
}

unsigned swarm_other(const struct swarm *swarm, struct random *random, enum choice_kind kind, unsigned n) {
  if (kind == CHOICE_MODEL) return random_below(random, n);
  uint64_t share = swarm->other[kind];
  if (share == 0 || !random_hit(random, share)) return 0;
  return 1 + random_below(random, n - 1);
}

void strategy_end_nothing(struct strategy *strategy, enum verdict verdict) {
  (void)strategy;
  (void)verdict;
}

struct strategy *strategy_itself(struct strategy *strategy) {
  return strategy;
}

struct walk {
  struct strategy base;
  struct random random;
  struct swarm swarm;
  uint64_t switches; /* of 2^32: how often another thread goes on though the current one could; 0: all alike */
};

static bool walk_begin(struct strategy *strategy, uint64_t run) {
  struct walk *walk = (struct walk *)strategy;
  walk->random = random_of_run(strategy->seed, 1, run);
  walk->swarm = swarm_draw(&walk->random);
  unsigned calm = random_below(&walk->random, 8);
  walk->switches = calm < 3 ? 0 : UINT64_C(1) << (34 - calm); /* 1/2 ... 1/32 */
  return true;
}

static unsigned walk_thread(struct strategy *strategy, const uint8_t *ids, unsigned n, bool current_enabled) {
  struct walk *walk = (struct walk *)strategy;
  (void)ids;
  if (!current_enabled || walk->switches == 0) return random_below(&walk->random, n);
  return random_hit(&walk->random, walk->switches) ? 1 + random_below(&walk->random, n - 1) : 0;
}

static unsigned walk_other(struct strategy *strategy, enum choice_kind kind, unsigned n) {
  struct walk *walk = (struct walk *)strategy;
  return swarm_other(&walk->swarm, &walk->random, kind, n);
}

static void walk_describe(const struct strategy *strategy, FILE *out) {
  fprintf(out, "random walk, seed %" PRIu64, strategy->seed);
}

struct strategy *strategy_random(uint64_t seed) {
  struct walk *walk = calloc(1, sizeof *walk);
  if (walk == NULL) abort();
  walk->base = (struct strategy){.name = "random",
                                 .begin = walk_begin,
                                 .thread = walk_thread,
                                 .other = walk_other,
                                 .end = strategy_end_nothing,
                                 .describe = walk_describe,
                                 .active = strategy_itself,
                                 .seed = seed};
  return &walk->base;
}
