/* One generator, split per (seed, thread, iteration): no two streams of a run are alike, and an iteration's inputs can
 * be made again without those before it. SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number
 * generators", 2014). */
#ifndef STRESS_RANDOM_H
#define STRESS_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

struct random {
  uint64_t state; /* owner thread */
};

static inline uint64_t random_mix(uint64_t x) {
  x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
  return x ^ x >> 31;
}

static inline struct random random_split(uint64_t seed, uint64_t thread, uint64_t iteration) {
  uint64_t state = random_mix(seed + UINT64_C(0x9e3779b97f4a7c15));
  state = random_mix(state ^ (thread + 1) * UINT64_C(0xd1342543de82ef95));
  return (struct random){random_mix(state ^ (iteration + 1) * UINT64_C(0xaf251af3b0f025b5))};
}

static inline uint64_t random_next(struct random *random) {
  return random_mix(random->state += UINT64_C(0x9e3779b97f4a7c15));
}

/* 0 to bound - 1; bound is not 0. */
static inline uint64_t random_below(struct random *random, uint64_t bound) {
  return (uint64_t)((unsigned __int128)random_next(random) * bound >> 64);
}

static inline bool random_one_in(struct random *random, uint64_t n) { return random_below(random, n) == 0; }

/* A size in bytes that meets every size class, its two neighbours, and large objects: mostly small. */
uint64_t random_size(struct random *);

#endif
