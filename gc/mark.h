/* Marking: from the roots, depth first, with two prefetch queues: one for a span's line of bits, one for the object.
 * All of it in a stopped world, by one marker or several (mark_team.h).
 *
 * The stack grows; when it cannot, the object stays marked, its span is noted, and the heap's noted spans are scanned
 * again until nothing is noted (B09, N26). */
#ifndef VGC_MARK_H
#define VGC_MARK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct thread;

/* 0, or -1 without memory for the first stack. */
int mark_initialize(void);
void mark_shutdown(void);

/* Marks everything reachable from the roots. Bytes of the slots marked. */
size_t mark_all(void);

/* Starts the helpers that the next cycle may need, and the one that gives memory back in time. No lock of ours held. */
void mark_hire(void);

/* Objects marked, and rescans after overflow, in the last cycle. */
uint64_t mark_objects(void);
uint32_t mark_overflows(void);
/* Bytes of the mark stacks. Collect lock. */
size_t mark_stack_bytes(void);

#endif
