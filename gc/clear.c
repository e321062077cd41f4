#include "clear.h"

#include "platform.h"
#include "thread.h"

#define PIECE_BYTES 1024u
#define LEAVE_BYTES 32768u /* of the stack, for a signal that comes while its end is near */

/* In a frame of its own, so that nobody takes it for a stray write below the stack pointer. */
static NOINLINE NO_SANITIZE void zero_below(size_t bytes, bool resident_alone) {
  volatile uintptr_t *frame = __builtin_alloca(bytes);
  OPAQUE(frame);
  if (resident_alone)
    platform_zero_resident((uintptr_t *)(uintptr_t)frame, bytes / sizeof *frame * sizeof *frame);
  else
    for (size_t i = 0; i < bytes / sizeof *frame; i++) frame[i] = 0;
  OPAQUE(frame);
}

/* Bytes of the thread's own stack below this frame; 0: the thread is on another, or at the end of it. */
static size_t bytes_below(const struct thread *self) {
  uintptr_t here = (uintptr_t)__builtin_frame_address(0);
  if (!self || here >= self->stack_high || here < self->stack_low + LEAVE_BYTES + PIECE_BYTES) return 0;
  return here - self->stack_low - LEAVE_BYTES;
}

void clear_stack_piece(void) {
  if (bytes_below(thread_self())) zero_below(PIECE_BYTES, false);
}

void clear_stack(void) {
  size_t below = bytes_below(thread_self());
  if (!below) return;
  uintptr_t here = (uintptr_t)__builtin_frame_address(0);
  uintptr_t low = platform_resident_low(here - below, here);
  if (here - low > PIECE_BYTES) zero_below(here - low, true);
  clear_stack_piece();
}
