#include "mark_choice.h"

#include "platform.h"

#define FIRST_INTERVAL 8u
#define LAST_INTERVAL  128u

static struct {
  uint64_t cost[2];  /* ns for each MiB found, alone and together; 0: not known */
  bool tried;        /* together */
  bool asked;        /* about the next cycle */
  bool better;       /* which of them costs less */
  unsigned since;    /* cycles since the other was tried */
  unsigned interval; /* of such trials */
  bool warm;         /* helpers took part in the last cycle */
  bool strange;      /* the last cycle of the better way cost much more, or was given up */
} choice COLLECTOR_DATA;

void mark_choice_reset(void) {
  __builtin_memset(&choice, 0, sizeof choice);
  choice.interval = FIRST_INTERVAL;
}

bool mark_choice_together(void) {
  choice.asked = true;
  if (!choice.tried) return true;
  return ++choice.since < choice.interval ? choice.better : !choice.better;
}

/* The better way costs so much now: the other is tried at once. */
static void doubt(uint64_t cost) {
  choice.cost[choice.better] = cost;
  choice.since = choice.interval = FIRST_INTERVAL;
  choice.strange = false;
}

/* A mean that forgets a quarter each time. Half as much again, twice in a row, is no chance but another heap. */
static void learn_of_better(uint64_t now) {
  uint64_t *cost = &choice.cost[choice.better];
  bool strange = *cost && now > *cost + *cost / 2;
  if (strange && choice.strange) {
    doubt(now);
    return;
  }
  if (!strange) *cost = *cost ? *cost - *cost / 4 + now / 4 : now;
  choice.strange = strange;
}

static void lose_trial(void) {
  choice.since = 0;
  if (choice.interval < LAST_INTERVAL) choice.interval *= 2;
}

static void learn_of_trial(uint64_t now) {
  choice.cost[!choice.better] = now;
  if (choice.cost[choice.better] && now >= choice.cost[choice.better]) {
    lose_trial();
  } else {
    choice.since = 0;
    choice.better = !choice.better;
    choice.interval = FIRST_INTERVAL;
  }
}

/* A cycle has ended. Whether it says anything: of those with helpers that follow one without, none does. Stacks have
 * grown, and what the helpers read was in no cache of theirs: the next counts. */
static bool counts(bool together) {
  choice.asked = false;
  bool cold = together && !choice.warm;
  choice.warm = together;
  if (cold) return false;
  choice.tried |= together;
  return true;
}

void mark_choice_learn(bool together, uint64_t nanoseconds, size_t bytes) {
  if ((!choice.asked && choice.cost[together]) || !counts(together)) return;
  uint64_t now = (nanoseconds << 20) / (bytes + 1) + 1;
  if (together == choice.better)
    learn_of_better(now);
  else
    learn_of_trial(now);
}

/* How much it would have cost nobody knows, so any cycle of the other way that ends is better. */
void mark_choice_give_up(bool together) {
  if (!counts(together)) return;
  if (together != choice.better)
    lose_trial();
  else if (choice.strange)
    doubt(0);
  else
    choice.strange = true;
}
