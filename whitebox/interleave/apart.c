/* A stack for what differs between runs with the same decisions: who makes them, whether they are recorded or counted.
 * A collector under test scans the fibers' stacks, and what was below the frames of a thread once may be inside a frame
 * later: the explorer leaves there the same in a run and in its replays. */
#include "apart.h"

char *apart_stack;

void apart_initialize(void) { apart_stack = (char *)state_allocate(APART_BYTES) + APART_BYTES; }

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
        "  mov apart_stack(%rip), %rsp\n"
        "  mov %rdi, %rax\n  mov %rsi, %rdi\n  mov %rdx, %rsi\n  mov %rcx, %rdx\n  mov %r8, %rcx\n"
        "  call *%rax\n"
        "  mov %rbp, %rsp\n"
        "  pop %rbp\n"
        "  .cfi_def_cfa %rsp, 8\n"
        "  ret\n"
        "  .cfi_endproc\n"
        ".size apart, . - apart\n");
