#include "mark_choice.h"

#include "platform.h"

#define FIRST_INTERVAL 8u
#define LAST_INTERVAL  128u

static struct {
  uint64_t cost[2];  /* ns for each MiB found, alone and together; 0: not known yet */
  bool asked;        /* about the next cycle */
  bool better;       /* which of them costs less */
  unsigned since;    /* cycles since the other was tried */
  unsigned interval; /* of such trials */
  bool warm;         /* helpers took part in the last cycle */
  bool strange;      /* the last cycle of the better way cost much more */
} choice COLLECTOR_DATA = {.interval = FIRST_INTERVAL};

void mark_choice_reset(void) {
  __builtin_memset(&choice, 0, sizeof choice);
  choice.interval = FIRST_INTERVAL;
}

bool mark_choice_together(void) {
  choice.asked = true;
  if (!choice.cost[true]) return true;
  return ++choice.since < choice.interval ? choice.better : !choice.better;
}

/* A mean that forgets a quarter each time. Half as much again, twice in a row, is no chance but another heap: then the
 * other way is tried at once. */
static void learn_of_better(uint64_t now) {
  uint64_t *cost = &choice.cost[choice.better];
  bool strange = *cost && now > *cost + *cost / 2;
  if (!strange) {
    *cost = *cost ? *cost - *cost / 4 + now / 4 : now;
  } else if (choice.strange) {
    *cost = now;
    choice.since = choice.interval = FIRST_INTERVAL;
    strange = false;
  }
  choice.strange = strange;
}

static void learn_of_trial(uint64_t now) {
  choice.since = 0;
  choice.cost[!choice.better] = now;
  if (choice.cost[choice.better] && now >= choice.cost[choice.better]) {
    if (choice.interval < LAST_INTERVAL) choice.interval *= 2;
  } else {
    choice.better = !choice.better;
    choice.interval = FIRST_INTERVAL;
  }
}

void mark_choice_learn(bool together, uint64_t nanoseconds, size_t bytes) {
  if (!choice.asked && choice.cost[together]) return;
  choice.asked = false;
  bool cold = together && !choice.warm;
  choice.warm = together;
  if (cold) return; /* stacks have grown, and what the helpers read was in no cache of theirs: the next cycle counts */
  uint64_t now = (nanoseconds << 20) / (bytes + 1) + 1;
  if (together == choice.better)
    learn_of_better(now);
  else
    learn_of_trial(now);
}
