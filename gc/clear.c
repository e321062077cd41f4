#include "clear.h"

#include "platform.h"
#include "thread.h"

#define PIECE_BYTES 1024u
#define FRAME_BYTES 512u   /* the frame that clears lies in what was used, too */
#define LEAVE_BYTES 32768u /* of the stack, for a signal that comes while its end is near */

/* In a frame of its own, so that nobody takes it for a stray write below the stack pointer; calling nothing from there,
 * which would use stack that was not used before. */
static NOINLINE NO_SANITIZE void zero_below(size_t bytes) {
  volatile uintptr_t *frame = __builtin_alloca(bytes);
  for (size_t i = 0; i < bytes / sizeof *frame; i++) frame[i] = 0;
  OPAQUE(frame);
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
  if (bytes_below(thread_self())) zero_below(PIECE_BYTES);
}

void clear_stack(void) {
  size_t below = bytes_below(thread_self());
  if (!below) return;
  uintptr_t here = (uintptr_t)__builtin_frame_address(0);
  size_t used = here - platform_resident_low(here - below, here);
  zero_below(used > PIECE_BYTES + FRAME_BYTES ? used - FRAME_BYTES : PIECE_BYTES);
}
