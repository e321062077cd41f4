/* One cell for each 8-byte word of the memory under test. A cell counts in one run: the run's number is its stamp, so
 * that a new run clears nothing. */
#ifndef INTERLEAVE_SHADOW_H
#define INTERLEAVE_SHADOW_H

#include "runtime.h"

#define SHADOW_WORLD UINT64_C(0x300000000000)
#define SHADOW_IMAGE UINT64_C(0x400000000000)
#define CELL_SLOTS   6u

enum { ACCESS_WRITE = 1, ACCESS_ATOMIC = 2 };

struct access {
  uint16_t clock;
  uint8_t lane;
  uint8_t mask; /* bytes of the word; 0: no access */
  uint8_t bits;
  uint8_t unused[3];
};

struct cell {
  uint32_t run;
  uint32_t location; /* first atomic in this word (atomics.c), 0 none */
  uint8_t forbidden; /* bytes that may not be used; not stamped: its changes are undone one by one */
  bool saved;        /* its old value is in the undo log */
  uint16_t unused;
  uint32_t unused2;
  struct access access[CELL_SLOTS];
};
_Static_assert(sizeof(struct cell) == 64, "one cache line for each word");

/* The cell of the word, or NULL for memory that is not watched. */
static inline struct cell *shadow_cell(uintptr_t address) {
  uintptr_t offset = address - WORLD_ADDRESS;
  if (LIKELY(offset < WORLD_BYTES)) return (struct cell *)(SHADOW_WORLD + offset / 8 * sizeof(struct cell));
  offset = address - RT->image_low;
  if (LIKELY(offset < RT->image_high - RT->image_low))
    return (struct cell *)(SHADOW_IMAGE + offset / 8 * sizeof(struct cell));
  return NULL;
}

/* The cell, emptied if it is of an earlier run. */
static inline struct cell *shadow_fresh(struct cell *cell) {
  if (UNLIKELY(cell->run != RT->run)) {
    cell->run = RT->run;
    cell->location = 0;
    cell->saved = false;
    for (unsigned i = 0; i < CELL_SLOTS; i++) cell->access[i] = (struct access){0};
  }
  return cell;
}

void shadow_initialize(void);

#endif
