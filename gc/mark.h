/* Marking, from the roots: all of it in a stopped world, by one marker or several (marker.h, mark_team.h). After an
 * overflow the spans that were noted are scanned again until nothing is noted (B09, N26). */
#ifndef VGC_MARK_H
#define VGC_MARK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct thread;

/* 0, or -1 without memory for the first stack. */
int mark_initialize(void);
void mark_shutdown(void);

/* Marks everything reachable from the roots. If it may be given up, enough (or NULL) is asked now and then on the
 * collecting thread whether it is; false: it was, and nothing is marked. */
bool mark_reachable(bool (*enough)(void));
/* From then to mark_end, of a live object that begins there: */

/* True also of NULL, and of what lies outside of the heap. */
bool mark_reached(const void *object);
/* Marks it, and all that it reaches. */
void mark_object(const void *object);
/* Marks all that it reaches, and itself only if that is so reached; `but_itself`: its own words that point into it do
 * not count. It has not been reached. */
void mark_contents(const void *object, bool but_itself);
/* Bytes of the slots marked. */
size_t mark_end(void);

/* Starts the helpers that the next cycle may need, and the one that gives memory back in time. No lock of ours held. */
void mark_hire(void);

/* Of the bytes marked in the last cycle those that hold no pointers. */
size_t mark_unscanned_bytes(void);
/* Objects marked, and rescans after overflow, in the last cycle. */
uint64_t mark_objects(void);
uint32_t mark_overflows(void);
/* Markers of the last cycle that were there to take part; a helper may have come too late. */
unsigned mark_markers(void);
/* Bytes of the mark stacks. Collect lock. */
size_t mark_stack_bytes(void);

#endif
