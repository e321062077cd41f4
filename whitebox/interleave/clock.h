/* Vector clocks of 32 lanes. Lane f is fiber f, lane FIBERS_MAX + f its signal handlers: a handler is a thread of its
 * own to the race check. A lane counts the synchronising steps of its thread in one run; a run has fewer than 2^16. */
#ifndef INTERLEAVE_CLOCK_H
#define INTERLEAVE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#define FIBERS_MAX 16u
#define LANES      32u
#define NEVER      UINT16_MAX

typedef uint16_t clock_lanes __attribute__((vector_size(2 * LANES)));

struct clock {
  clock_lanes lane;
};

static inline void clock_join(struct clock *to, const struct clock *from) {
  clock_lanes newer = (clock_lanes)(from->lane > to->lane);
  to->lane = (from->lane & newer) | (to->lane & ~newer);
}

/* Whether any lane of `seen` is at or below the same lane of `view`. */
static inline bool clock_any_at_or_below(const struct clock *seen, const struct clock *view) {
  typedef uint64_t words __attribute__((vector_size(2 * LANES)));
  words hit = (words)(seen->lane <= view->lane);
  uint64_t any = 0;
  for (unsigned i = 0; i < LANES / 4; i++) any |= hit[i];
  return any != 0;
}

#endif
