/* Words of 64 bits. */
#ifndef VGC_BITMAP_H
#define VGC_BITMAP_H

#include <stdint.h>

#include "platform.h"

static ALWAYS_INLINE unsigned bitmap_first(uint64_t word) { return (unsigned)__builtin_ctzll(word); }
static ALWAYS_INLINE unsigned bitmap_last(uint64_t word) { return 63u - (unsigned)__builtin_clzll(word); }
/* In line: without a flag for newer processors the compiler's own is a call (Warren, Hacker's Delight, 5-1). */
static ALWAYS_INLINE unsigned bitmap_count(uint64_t word) {
  word -= word >> 1 & UINT64_C(0x5555555555555555);
  word = (word & UINT64_C(0x3333333333333333)) + (word >> 2 & UINT64_C(0x3333333333333333));
  word = (word + (word >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
  return (unsigned)(word * UINT64_C(0x0101010101010101) >> 56);
}
/* The lowest `count` bits; at most 64. */
static ALWAYS_INLINE uint64_t bitmap_below(unsigned count) {
  return count >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << count) - 1;
}
/* Bits of word `index` of a map over `slots` bits that stand for a slot. */
static ALWAYS_INLINE uint64_t bitmap_valid(uint32_t slots, uint32_t index) { return bitmap_below(slots - index * 64); }

#endif
