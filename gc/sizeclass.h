/* Size classes: 8, then steps of 16 up to 256, then eight steps a doubling up to 32 KiB. Beyond the 16-byte grain that
 * alignment asks for, at most 12.5 % of a slot is waste. An exact size lands in its exact class (N33).
 *
 * The index by (size + 7) >> 3 and, above 1 KiB, (size + 127) >> 7 follows Go's runtime. */
#ifndef VGC_SIZECLASS_H
#define VGC_SIZECLASS_H

#include <stddef.h>
#include <stdint.h>

#include "platform.h"

#define SIZECLASS_COUNT     73
#define SIZECLASS_SMALL_MAX 32768u
#define SIZECLASS_TABLE_MAX 1024u

/* What a span of a class looks like under the page size in force. */
struct sizeclass {
  uint32_t size;       /* bytes of a slot */
  uint32_t reciprocal; /* ceil(2^32 / size): slot of an offset is (offset * reciprocal) >> 32 */
  uint32_t starts;     /* an offset is a slot's start if and only if (uint32_t)(offset * reciprocal) is below this */
  uint32_t pages;      /* pages of a span */
  uint32_t slots;      /* objects of a span */
  uint32_t words;      /* 64-bit words of a bitmap over the slots */
  uint32_t lines;      /* cache lines of a span's descriptor */
};

/* Immutable once initialisation has published it. */
extern INTERNAL struct sizeclass sizeclass_table[SIZECLASS_COUNT];
/* Constants, because the fast path reads them before anybody has initialised anything (L05). */
extern INTERNAL const uint8_t sizeclass_index_small[SIZECLASS_TABLE_MAX / 8 + 1];
extern INTERNAL const uint8_t sizeclass_index_large[(SIZECLASS_SMALL_MAX - SIZECLASS_TABLE_MAX) / 128 + 1];

/* Computes the table. lines(words) tells the descriptor's size. */
void sizeclass_initialize(size_t page_bytes, uint32_t (*lines)(uint32_t words));

/* Smallest class whose slots hold size bytes; size <= SIZECLASS_TABLE_MAX. */
static ALWAYS_INLINE unsigned sizeclass_of_tabled(size_t size) { return sizeclass_index_small[(size + 7) >> 3]; }

/* As above; size <= SIZECLASS_SMALL_MAX. */
static ALWAYS_INLINE unsigned sizeclass_of(size_t size) {
  if (LIKELY(size <= SIZECLASS_TABLE_MAX)) return sizeclass_of_tabled(size);
  return sizeclass_index_large[(size - SIZECLASS_TABLE_MAX + 127) >> 7];
}

#endif
