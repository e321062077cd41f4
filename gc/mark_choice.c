#include "mark_choice.h"

#include "platform.h"

#define FIRST_INTERVAL 8u
#define LAST_INTERVAL  64u

static struct {
  uint64_t cost[2];  /* ns for each MiB found, alone and together; 0: not known yet */
  bool asked;        /* about the next cycle */
  bool better;       /* which of them costs less */
  unsigned since;    /* cycles since the other was tried */
  unsigned interval; /* of such trials */
} choice COLLECTOR_DATA = {.interval = FIRST_INTERVAL};

void mark_choice_reset(void) {
  choice.cost[false] = choice.cost[true] = 0;
  choice.asked = choice.better = false;
  choice.since = 0;
  choice.interval = FIRST_INTERVAL;
}

bool mark_choice_together(void) {
  choice.asked = true;
  if (!choice.cost[true]) return true;
  return ++choice.since < choice.interval ? choice.better : !choice.better;
}

/* Of the better way a mean that forgets a quarter each time; of the other nothing older counts than its trial. */
void mark_choice_learn(bool together, uint64_t nanoseconds, size_t bytes) {
  uint64_t *cost = &choice.cost[together];
  if (!choice.asked && *cost) return;
  choice.asked = false;
  uint64_t now = (nanoseconds << 20) / (bytes + 1) + 1;
  if (together == choice.better) {
    *cost = *cost ? *cost - *cost / 4 + now / 4 : now;
    return;
  }
  *cost = now;
  choice.since = 0;
  if (choice.cost[choice.better] && now >= choice.cost[choice.better]) {
    if (choice.interval < LAST_INTERVAL) choice.interval *= 2;
    return;
  }
  choice.better = together;
  choice.interval = FIRST_INTERVAL;
}
