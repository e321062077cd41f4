#include "clear.h"

#include "platform.h"
#include "thread.h"

#define PIECE_BYTES    1024u
#define COMPILER_BYTES 32u    /* that alloca may take beside what it is asked for */
#define LEAVE_BYTES    32768u /* of the stack, for a signal that comes while its end is near */

/* In a frame of its own, so that nobody takes it for a stray write below the stack pointer; calling nothing from there,
 * which would use stack that was not used before. The two pieces lie side by side but for some bytes of the compiler's.
 */
static NOINLINE NO_SANITIZE void zero_down_to(uintptr_t low) {
  size_t least = 16;
  OPAQUE(least); /* else it would be a variable like others, not the end of the frame */
  uintptr_t high = (uintptr_t)__builtin_alloca(least) & ~(uintptr_t)15;
  if (high < low + COMPILER_BYTES) return;
  volatile uintptr_t *at = __builtin_alloca(high - low - COMPILER_BYTES);
  while ((uintptr_t)at < high) *at++ = 0;
}

/* Bytes of the thread's own stack below this frame; 0: the thread is on another, be it a piece of that one, or at the
 * end of it. */
static size_t bytes_below(const struct thread *self) {
  uintptr_t here = (uintptr_t)__builtin_frame_address(0);
  if (!self || here >= self->stack_high || here < self->stack_low + LEAVE_BYTES + PIECE_BYTES) return 0;
  uintptr_t bottom = thread_bottom(self);
  if (bottom && bottom != self->stack_high) return 0;
  return here - self->stack_low - LEAVE_BYTES;
}

void clear_stack_piece(void) {
  if (bytes_below(thread_self())) zero_down_to((uintptr_t)__builtin_frame_address(0) - PIECE_BYTES);
}

void clear_stack(void) {
  size_t below = bytes_below(thread_self());
  if (!below) return;
  uintptr_t here = (uintptr_t)__builtin_frame_address(0);
  uintptr_t used = platform_resident_low(here - below, here);
  zero_down_to(here - used > PIECE_BYTES ? used : here - PIECE_BYTES);
}
