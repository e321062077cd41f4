/* When to collect. The pace counts pages in spans, not allocations: what a program frees explicitly it reuses without a
 * cycle, pointer-free memory counts like any other (N06), and there are no per-thread deltas to drift (V30, N35).
 *
 * Goal after a cycle: marked bytes plus growth percent of what the cycle had to do, which is these, pointer-free ones
 * at half, and half of the bytes of roots, most of which are no pointers (about bdwgc's measure); at least the minimum
 * heap, at most the soft limit. Fragmentation may leave more than that in use; then a cycle runs only once slots worth
 * the growth have been issued since the last, so that the cost stays proportional to allocation (P05).
 */
#ifndef VGC_PACE_H
#define VGC_PACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void pace_initialize(void);
/* Whether `bytes` more of pages stay within the goal; within the hard limit. Any thread; the answer lasts as long as
 * the pages lock is held. */
bool pace_may_take(size_t bytes);
bool pace_within_hard_limit(size_t bytes);
/* Whether a cycle is due, asked when the goal is reached. Any thread. */
bool pace_should_collect(size_t bytes);
/* Slots handed to caches. Any thread. */
void pace_count_issued(size_t bytes);
/* At the end of a cycle, before the world resumes (V02). */
void pace_after_cycle(size_t marked_bytes, size_t unscanned_bytes, size_t root_bytes);
/* A cycle was given up: the next is due as if it had found all alive. World stopped. */
void pace_after_nothing(void);
/* Settings have changed. Collect lock. */
void pace_tune(void);
/* Lets the heap grow by so many bytes before the next cycle. 0, or -1: beyond the hard limit. Collect lock. */
int pace_reserve(size_t bytes);
/* Bytes of pages at which the next cycle is considered. */
size_t pace_goal(void);
/* At the end of a cycle: free bytes worth keeping, for they will be taken again before the next one: up to the goal, or
 * to what was taken since the calls before, of which a quarter is forgotten each time. Pages lock. */
size_t pace_room(void);
size_t pace_marked(void);

#endif
