/* What the random strategies share: how wild a run is, is itself drawn for each run, so that calm runs (newest stores,
 * no failures, few switches) and wild ones both occur (swarm testing; Groce et al. 2012). */
#ifndef INTERLEAVE_STRATEGY_RANDOM_H
#define INTERLEAVE_STRATEGY_RANDOM_H

#include "random.h"
#include "strategy.h"

struct swarm {
  uint64_t other[CHOICE_KINDS]; /* of 2^32: how often such a choice is not 0 */
  bool calm;                    /* none is, but those that are the model's own */
};

struct swarm swarm_draw(struct random *);
unsigned swarm_other(const struct swarm *, struct random *, enum choice_kind, unsigned n);

/* Strategies that have no state from run to run. */
void strategy_end_nothing(struct strategy *, enum verdict);
struct strategy *strategy_itself(struct strategy *);

#endif
