#include "sizeclass.h"

struct sizeclass sizeclass_table[SIZECLASS_COUNT] COLLECTOR_DATA;
/* The class of a size as a constant expression: the steps of next_size, inverted. */
#define LOG(size) (31u - (unsigned)__builtin_clz(((size)-1) | 256u))
#define CLASS(size)                                                                                                    \
  (uint8_t)((size) <= 8     ? 0                                                                                        \
            : (size) <= 256 ? ((size) + 15) / 16                                                                       \
                            : 16 + (LOG(size) - 8) * 8 + (((size)-1) >> (LOG(size) - 3)) - 7)
#define SMALL(i)         CLASS((i)*8u)
#define LARGE(i)         CLASS(SIZECLASS_TABLE_MAX + (i)*128u)
#define FOUR(m, i)       m(i), m((i) + 1), m((i) + 2), m((i) + 3)
#define SIXTEEN(m, i)    FOUR(m, i), FOUR(m, (i) + 4), FOUR(m, (i) + 8), FOUR(m, (i) + 12)
#define SIXTY_FOUR(m, i) SIXTEEN(m, i), SIXTEEN(m, (i) + 16), SIXTEEN(m, (i) + 32), SIXTEEN(m, (i) + 48)

const uint8_t sizeclass_index_small[SIZECLASS_TABLE_MAX / 8 + 1] = {SIXTY_FOUR(SMALL, 0u), SIXTY_FOUR(SMALL, 64u),
                                                                    SMALL(128u)};
const uint8_t sizeclass_index_large[(SIZECLASS_SMALL_MAX - SIZECLASS_TABLE_MAX) / 128 + 1] = {
    SIXTY_FOUR(LARGE, 0u), SIXTY_FOUR(LARGE, 64u), SIXTY_FOUR(LARGE, 128u), SIXTEEN(LARGE, 192u), SIXTEEN(LARGE, 208u),
    SIXTEEN(LARGE, 224u),  FOUR(LARGE, 240u),      FOUR(LARGE, 244u),       LARGE(248u)};

/* A span holds about this many objects, within these bytes, so that a refill from central is rare and a thread that
 * touches many classes strands little. Of the smallest objects it holds more: otherwise descriptors would be 3 % of
 * their memory, and much of a cycle would go into visiting spans. */
#define SPAN_WISHED_OBJECTS 128u
#define SPAN_WISHED_BYTES   32768u
#define SPAN_SMALLEST       64u

static uint32_t next_size(uint32_t size) {
  if (size < 16) return 16;
  if (size < 256) return size + 16;
  uint32_t doubling = 1u << (31 - __builtin_clz(size));
  return size + doubling / 8;
}

/* Pages of a span: near the wish, then as many more as keep the unused tail within an eighth. */
static uint32_t span_pages(uint32_t size, uint32_t page_bytes) {
  uint32_t wish = size * SPAN_WISHED_OBJECTS;
  if (wish > SPAN_WISHED_BYTES || size < SPAN_SMALLEST) wish = SPAN_WISHED_BYTES;
  uint32_t pages = (wish + page_bytes - 1) / page_bytes;
  while ((pages * page_bytes) % size > pages * page_bytes / 8) pages++;
  return pages;
}

void sizeclass_initialize(size_t page_bytes, uint32_t (*lines)(uint32_t words)) {
  uint32_t size = 8;
  for (unsigned index = 0; index < SIZECLASS_COUNT; index++, size = next_size(size)) {
    struct sizeclass *entry = &sizeclass_table[index];
    entry->size = size;
    entry->reciprocal = (uint32_t)((UINT64_C(0x100000000) + size - 1) / size);
    entry->pages = span_pages(size, (uint32_t)page_bytes);
    entry->slots = entry->pages * (uint32_t)page_bytes / size;
    /* Slot number times what the reciprocal exceeds 2^32 / size by: of the slots of a span it is below, of a start
     * behind the last it is not. Inside a slot it is the reciprocal at least, which is more. A power of two exceeds by
     * nothing, and nothing is behind its last slot. */
    uint32_t excess = entry->reciprocal * size;
    entry->starts = excess ? entry->slots * excess : 1;
    entry->words = (entry->slots + 63) / 64;
    entry->lines = lines(entry->words);
  }
}
