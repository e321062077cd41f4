/* What dead frames have left on the stack is cleared: a later frame that does not write all of its words would let the
 * collector find it there (Boehm, Space Efficient Conservative Garbage Collection, PLDI 1993, 3.1). */
#ifndef VGC_CLEAR_H
#define VGC_CLEAR_H

/* Nothing happens on a stack that is not the calling thread's own. */

/* The next words below the caller's frame. Cheap: where allocation is slow anyway. */
void clear_stack_piece(void);
/* All below the caller's frame that was ever used, down to PLATFORM_HOLE that was not. */
void clear_stack(void);

#endif
