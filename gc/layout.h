/* Layouts of typed objects, and kinds, which are layouts of another sort. Registered for the rest of the process; ids
 * are small and never reused. */
#ifndef VGC_LAYOUT_H
#define VGC_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform.h"
#include "vgc.h"

struct layout {
  size_t words; /* of one element; 0: a kind */
  const char *name;
  enum vgc_scan scan; /* this and what follows: of a kind */
  bool disclaim_reaches;
  vgc_mark_procedure *mark;
  vgc_disclaim_procedure *disclaim;
  void *arg;
  uint64_t bits[]; /* of a layout. Bit w of word w/64: word w may be a pointer */
};
static ALWAYS_INLINE bool layout_is_kind(const struct layout *layout) { return !layout->words; }

/* NULL if id names none. Lock-free; also with the world stopped. */
const struct layout *layout_of(vgc_layout_id id);
/* The id in a slot's last word, which AddressSanitizer holds poisoned against the program. */
vgc_layout_id layout_id_at(uintptr_t word);
/* Registers a copy, for a layout with such bits. 0 with errno ENOMEM. */
vgc_layout_id layout_add(const struct layout *, const uint64_t *bits);
/* False if the id names no kind. */
bool layout_set_disclaim(vgc_layout_id id, vgc_disclaim_procedure *disclaim, bool reaches);
/* Whether there is a kind with a disclaim procedure; with disclaim_reaches as well. Roots lock. */
bool layout_any_disclaims(bool that_reaches);
/* Calls the mark procedure of a kind that has one, unless the program has freed the object, and what it points to, too.
 * World stopped. */
void layout_ask(const struct layout *, uintptr_t object, size_t bytes, struct vgc_marker *);

#endif
