/* Whether helpers take part in a cycle: as long as they make it faster. They do not in every heap, for markers that
 * find objects of the same few spans take each other's lines of mark bits away, nor on a machine that is busy. So both
 * ways are measured, and the slower is tried again: at once when a byte costs half as much again or cycles are given
 * up, else after 8 or 16 cycles, and then ever more seldom, at last every 128. */
#ifndef VGC_MARK_CHOICE_H
#define VGC_MARK_CHOICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Collect lock. */

/* Forgets all. */
void mark_choice_reset(void);
/* Whether the next cycle is to be marked together. True, as long as that has never been. */
bool mark_choice_together(void);
/* A cycle found so many bytes in so long. Of those that were not asked about the first counts alone. */
void mark_choice_learn(bool together, uint64_t nanoseconds, size_t bytes);
/* The cycle that was asked about has been given up. */
void mark_choice_give_up(bool together);

#endif
