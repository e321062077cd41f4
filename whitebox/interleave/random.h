/* Pseudo-random numbers: splitmix64 to make a state from a seed, xoroshiro128++ to go on (Blackman and Vigna). */
#ifndef INTERLEAVE_RANDOM_H
#define INTERLEAVE_RANDOM_H

#include <stdint.h>

struct random {
  uint64_t s[2];
};

static inline uint64_t random_mix(uint64_t x) {
  x += UINT64_C(0x9e3779b97f4a7c15);
  x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
  return x ^ (x >> 31);
}

/* The numbers of one run of one strategy: another for each (seed, salt, run). */
static inline struct random random_of_run(uint64_t seed, uint64_t salt, uint64_t run) {
  uint64_t a = random_mix(random_mix(seed) ^ random_mix(salt * 3 + 1) ^ run);
  return (struct random){{a, random_mix(a) | 1}};
}

static inline uint64_t random_next(struct random *r) {
  uint64_t a = r->s[0], b = r->s[1], sum = a + b;
  uint64_t result = ((sum << 17) | (sum >> 47)) + a;
  b ^= a;
  r->s[0] = ((a << 49) | (a >> 15)) ^ b ^ (b << 21);
  r->s[1] = (b << 28) | (b >> 36);
  return result;
}

/* Below n, n > 0; the bias is below 2^-16 for n below 2^16. */
static inline uint32_t random_below(struct random *r, uint32_t n) {
  return (uint32_t)(((random_next(r) >> 32) * n) >> 32);
}

/* True in `share` of 2^32 cases. */
static inline int random_hit(struct random *r, uint64_t share) { return (random_next(r) >> 32) < share; }

#endif
