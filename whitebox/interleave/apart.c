/* A stack for what differs between runs with the same decisions: who makes them, whether they are recorded or counted.
 * A collector under test scans the fibers' stacks, and what was below the frames of a thread once may be inside a frame
 * later: the explorer leaves there the same in a run and in its replays. */
#include "runtime.h"

#define STACK_BYTES 262144
#define TEXT_(x)    #x
#define TEXT(x)     TEXT_(x)

static char *stack_top __asm__("interleave_apart_stack") __attribute__((used));

void apart_initialize(void) { stack_top = (char *)state_allocate(STACK_BYTES) + STACK_BYTES; }

__asm__(".text\n"
        ".p2align 4\n"
        ".type apart, @function\n"
        ".globl apart\n"
        "apart:\n"
        "  .cfi_startproc\n"
        "  push %rbp\n"
        "  .cfi_def_cfa_offset 16\n  .cfi_offset %rbp, -16\n"
        "  mov %rsp, %rbp\n"
        "  .cfi_def_cfa_register %rbp\n"
        "  mov interleave_apart_stack(%rip), %rax\n"
        "  mov %rax, %r9\n"
        "  sub %rsp, %r9\n"
        "  cmp $" TEXT(
            STACK_BYTES) ", %r9\n"
                         "  jb 1f\n" /* it is that stack already */
                         "  mov %rax, %rsp\n"
                         "1:\n"
                         "  mov %rdi, %rax\n  mov %rsi, %rdi\n  mov %rdx, %rsi\n  mov %rcx, %rdx\n  mov %r8, %rcx\n"
                         "  call *%rax\n"
                         "  mov %rbp, %rsp\n"
                         "  pop %rbp\n"
                         "  .cfi_def_cfa %rsp, 8\n"
                         "  ret\n"
                         "  .cfi_endproc\n"
                         ".size apart, . - apart\n");
