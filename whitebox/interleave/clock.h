/* Vector clocks of 32 lanes. Lane f is fiber f, lane FIBERS_MAX + f its signal handlers: a handler is a thread of its
 * own to the race check. A lane counts the synchronising steps of its thread in one run; a run has fewer than 2^16. */
#ifndef INTERLEAVE_CLOCK_H
#define INTERLEAVE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#define FIBERS_MAX 16u
#define LANES      32u
#define NEVER      UINT16_MAX

/* Lanes that one instruction handles: gcc takes wider vectors apart, lane by lane. */
#ifdef __AVX2__
#define PART_BYTES 32
#else
#define PART_BYTES 16
#endif
#define PARTS (2 * LANES / PART_BYTES)
typedef uint16_t clock_part __attribute__((vector_size(PART_BYTES)));

struct clock {
  union {
    uint16_t lane[LANES];
    clock_part part[PARTS];
  };
};

static inline void clock_join(struct clock *to, const struct clock *from) {
  for (unsigned i = 0; i < PARTS; i++) {
    clock_part newer = (clock_part)(from->part[i] > to->part[i]);
    to->part[i] = (from->part[i] & newer) | (to->part[i] & ~newer);
  }
}

static inline void clock_set_never(struct clock *clock) {
  for (unsigned i = 0; i < PARTS; i++) clock->part[i] = (clock_part){0} + NEVER;
}

/* Whether any lane of `seen` is at or below the same lane of `view`. */
static inline bool clock_any_at_or_below(const struct clock *seen, const struct clock *view) {
  typedef uint64_t words __attribute__((vector_size(PART_BYTES)));
  clock_part hit = {0};
  uint64_t any = 0;
  for (unsigned i = 0; i < PARTS; i++) hit |= (clock_part)(seen->part[i] <= view->part[i]);
  for (unsigned i = 0; i < PART_BYTES / 8; i++) any |= ((words)hit)[i];
  return any != 0;
}

#endif
