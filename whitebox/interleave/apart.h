/* The explorer's own stack (apart.c). What runs there may fail, but neither switches fibers nor runs code under test.
 */
#ifndef INTERLEAVE_APART_H
#define INTERLEAVE_APART_H

#include "runtime.h"

#define APART_BYTES (UINT64_C(256) << 10)

extern char *apart_stack; /* its end */

/* Called by run.c. */
void apart_initialize(void);

/* work(a, b, c, d), in every run. */
typedef uint64_t apart_work(uint64_t, uint64_t, uint64_t, uint64_t);
uint64_t apart(apart_work *work, uint64_t a, uint64_t b, uint64_t c, uint64_t d);

/* Calls work in some runs only: leaves the fiber's stack and the registers as they are, so that nothing of the caller's
 * is saved for it. The caller has a frame pointer, by which its callers can be found. Also from that stack. */
static inline void apart_unseen(void (*work)(void)) {
  uintptr_t frame = (uintptr_t)__builtin_frame_address(0), top = (uintptr_t)apart_stack;
  if (UNLIKELY(top - frame < APART_BYTES)) top = (frame - 4096) & ~(uintptr_t)63;
  __asm__ volatile("mov %%rsp, -8(%0)\n\t"
                   "lea -8(%0), %%rsp\n\t"
                   "push %%rax\n\tpush %%rcx\n\tpush %%rdx\n\tpush %%rsi\n\tpush %%rdi\n\t"
                   "push %%r8\n\tpush %%r9\n\tpush %%r10\n\tpush %%r11\n\t"
                   "call *%1\n\t"
                   "pop %%r11\n\tpop %%r10\n\tpop %%r9\n\tpop %%r8\n\t"
                   "pop %%rdi\n\tpop %%rsi\n\tpop %%rdx\n\tpop %%rcx\n\tpop %%rax\n\t"
                   "mov (%%rsp), %%rsp"
                   :
                   : "r"(top), "r"(work)
                   : "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9",
                     "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
}

#endif
