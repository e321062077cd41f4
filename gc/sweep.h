/* Sweeping: turns marks into free slots. */
#ifndef VGC_SWEEP_H
#define VGC_SWEEP_H

#include <stdbool.h>
#include <stdint.h>

#include "span.h"

/* A span without owner, under its lock: dead slots become free, returned ones are folded in, marks are cleared. Returns
 * the number of dead. */
uint32_t sweep_span(struct span *);
/* A span that a cache owns, in a stopped world: dead slots are returned to the owner as a remote free would return them
 * (single-writer rule), marks are cleared. Returns the number of dead. */
uint32_t sweep_owned_span(struct span *);

#endif
