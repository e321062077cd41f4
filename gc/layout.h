/* Layouts of typed objects. Registered for the rest of the process; ids are small and never reused. */
#ifndef VGC_LAYOUT_H
#define VGC_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

#include "vgc.h"

struct layout {
  size_t words; /* of one element */
  const char *name;
  uint64_t bits[]; /* bit w of word w/64: word w may be a pointer */
};

/* NULL if id names none. Lock-free; also with the world stopped. */
const struct layout *layout_of(vgc_layout_id id);

#endif
