/* x86-64, System V ABI: rbx, rbp, r12 to r15 survive a call, no vector register does. The red zone lies 128 bytes below
 * the stack pointer; the kernel places a signal frame below it. */
#ifndef VGC_ARCH_X86_64_H
#define VGC_ARCH_X86_64_H

#define ARCH_SAVED_REGISTERS 6
/* From the lowest saved register to the caller's stack pointer: the registers and the return address. */
#define ARCH_FRAME_WORDS 7

/* void platform_with_registers(void (*body)(void *, uintptr_t *), void *arg) */
#define ARCH_DEFINE_WITH_REGISTERS                                                                                     \
  __asm__(".pushsection .text\n"                                                                                       \
          ".p2align 4\n"                                                                                               \
          ".globl platform_with_registers\n"                                                                           \
          ".hidden platform_with_registers\n"                                                                          \
          ".type platform_with_registers, @function\n"                                                                 \
          "platform_with_registers:\n"                                                                                 \
          ".cfi_startproc\n"                                                                                           \
          "pushq %rbp\n.cfi_adjust_cfa_offset 8\n.cfi_rel_offset %rbp, 0\n"                                            \
          "pushq %rbx\n.cfi_adjust_cfa_offset 8\n.cfi_rel_offset %rbx, 0\n"                                            \
          "pushq %r12\n.cfi_adjust_cfa_offset 8\n.cfi_rel_offset %r12, 0\n"                                            \
          "pushq %r13\n.cfi_adjust_cfa_offset 8\n.cfi_rel_offset %r13, 0\n"                                            \
          "pushq %r14\n.cfi_adjust_cfa_offset 8\n.cfi_rel_offset %r14, 0\n"                                            \
          "pushq %r15\n.cfi_adjust_cfa_offset 8\n.cfi_rel_offset %r15, 0\n"                                            \
          "movq %rdi, %rax\n"                                                                                          \
          "movq %rsi, %rdi\n"                                                                                          \
          "movq %rsp, %rsi\n"                                                                                          \
          "subq $8, %rsp\n.cfi_adjust_cfa_offset 8\n"                                                                  \
          "callq *%rax\n"                                                                                              \
          "addq $56, %rsp\n.cfi_adjust_cfa_offset -56\n"                                                               \
          "retq\n"                                                                                                     \
          ".cfi_endproc\n"                                                                                             \
          ".size platform_with_registers, . - platform_with_registers\n"                                               \
          ".popsection\n")

#define ARCH_DEFINE_ENTRY(name, body)                                                                                  \
  __asm__(".pushsection .text\n"                                                                                       \
          ".p2align 4\n"                                                                                               \
          ".globl " #name "\n"                                                                                         \
          ".type " #name ", @function\n" #name ":\n"                                                                   \
          ".cfi_startproc\n"                                                                                           \
          "endbr64\n"                                                                                                  \
          "leaq " #body "(%rip), %rdi\n"                                                                               \
          "xorl %esi, %esi\n"                                                                                          \
          "jmp platform_with_registers\n"                                                                              \
          ".cfi_endproc\n"                                                                                             \
          ".size " #name ", . - " #name "\n"                                                                           \
          ".popsection\n")

static inline uintptr_t arch_thread_pointer(void) {
  uintptr_t tp;
  /* The first word of the thread's control block is its own address. */
  __asm__("movq %%fs:0, %0" : "=r"(tp));
  return tp;
}

/* Thread-local storage, variant II: static blocks end at the thread pointer, the thread structure begins there. */
#define ARCH_DTV_OFFSET           8
#define ARCH_STRUCT_ABOVE_POINTER 1

/* A moment of a loop that waits. */
static inline void arch_spin(void) { __builtin_ia32_pause(); }

/* Zeroes what a function may use without saving it. */
static inline void arch_clear_scratch(void) {
  __asm__ volatile("xorl %%eax, %%eax\n xorl %%ecx, %%ecx\n xorl %%edx, %%edx\n xorl %%esi, %%esi\n"
                   "xorl %%edi, %%edi\n xorl %%r8d, %%r8d\n xorl %%r9d, %%r9d\n xorl %%r10d, %%r10d\n"
                   "xorl %%r11d, %%r11d\n pxor %%xmm0, %%xmm0\n pxor %%xmm1, %%xmm1\n pxor %%xmm2, %%xmm2\n"
                   "pxor %%xmm3, %%xmm3\n pxor %%xmm4, %%xmm4\n pxor %%xmm5, %%xmm5\n pxor %%xmm6, %%xmm6\n"
                   "pxor %%xmm7, %%xmm7\n pxor %%xmm8, %%xmm8\n pxor %%xmm9, %%xmm9\n pxor %%xmm10, %%xmm10\n"
                   "pxor %%xmm11, %%xmm11\n pxor %%xmm12, %%xmm12\n pxor %%xmm13, %%xmm13\n"
                   "pxor %%xmm14, %%xmm14\n pxor %%xmm15, %%xmm15"
                   :
                   :
                   : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "xmm0", "xmm1", "xmm2", "xmm3",
                     "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14",
                     "xmm15", "cc");
}

#endif
