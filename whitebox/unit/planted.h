/* A span with one bitmap word, put into every state that its slots can be in. */
#ifndef PLANTED_H
#define PLANTED_H

#include "unit.h"

enum planted_slot { SLOT_FREE, SLOT_AVAILABLE, SLOT_RETURNED, SLOT_ISSUED, SLOT_MARKED, SLOT_STATES };

/* A size whose spans have six slots, under pages of 8 KiB. */
#define PLANTED_SIZE  5120u
#define PLANTED_SLOTS 6u

/* Bits of the slots in each state. */
struct planted {
  struct span *span;
  uint64_t in[SLOT_STATES];
};

/* A fresh span without owner. Library up, no lock held. */
struct span *planted_span(size_t size, enum span_state state);
/* Puts the span into pattern number `pattern`, its digits to base `states` being the states of the slots in the order
 * of the enumeration. */
struct planted planted_make(struct span *span, unsigned pattern, unsigned states);

#endif
