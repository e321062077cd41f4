/* AArch64, AAPCS64: x19 to x30 survive a call, and so do the low halves of v8 to v15. There is no red zone. */
#ifndef VGC_ARCH_AARCH64_H
#define VGC_ARCH_AARCH64_H

#define ARCH_SAVED_REGISTERS 20
#define ARCH_FRAME_WORDS     20

/* void platform_with_registers(void (*body)(void *, uintptr_t *), void *arg) */
#define ARCH_DEFINE_WITH_REGISTERS                                                                                     \
  __asm__(".pushsection .text\n"                                                                                       \
          ".p2align 4\n"                                                                                               \
          ".globl platform_with_registers\n"                                                                           \
          ".hidden platform_with_registers\n"                                                                          \
          ".type platform_with_registers, %function\n"                                                                 \
          "platform_with_registers:\n"                                                                                 \
          ".cfi_startproc\n"                                                                                           \
          "hint #34\n"                                                                                                 \
          "stp x29, x30, [sp, #-160]!\n"                                                                               \
          ".cfi_def_cfa_offset 160\n.cfi_offset x29, -160\n.cfi_offset x30, -152\n"                                    \
          "mov x29, sp\n"                                                                                              \
          "stp x19, x20, [sp, #16]\n"                                                                                  \
          "stp x21, x22, [sp, #32]\n"                                                                                  \
          "stp x23, x24, [sp, #48]\n"                                                                                  \
          "stp x25, x26, [sp, #64]\n"                                                                                  \
          "stp x27, x28, [sp, #80]\n"                                                                                  \
          "stp d8, d9, [sp, #96]\n"                                                                                    \
          "stp d10, d11, [sp, #112]\n"                                                                                 \
          "stp d12, d13, [sp, #128]\n"                                                                                 \
          "stp d14, d15, [sp, #144]\n"                                                                                 \
          "mov x2, x0\n"                                                                                               \
          "mov x0, x1\n"                                                                                               \
          "mov x1, sp\n"                                                                                               \
          "blr x2\n"                                                                                                   \
          "ldp x29, x30, [sp], #160\n"                                                                                 \
          ".cfi_def_cfa_offset 0\n.cfi_restore x29\n.cfi_restore x30\n"                                                \
          "ret\n"                                                                                                      \
          ".cfi_endproc\n"                                                                                             \
          ".size platform_with_registers, . - platform_with_registers\n"                                               \
          ".popsection\n")

#define ARCH_DEFINE_ENTRY(name, body)                                                                                  \
  __asm__(".pushsection .text\n"                                                                                       \
          ".p2align 4\n"                                                                                               \
          ".globl " #name "\n"                                                                                         \
          ".type " #name ", %function\n" #name ":\n"                                                                   \
          ".cfi_startproc\n"                                                                                           \
          "hint #34\n"                                                                                                 \
          "adrp x0, " #body "\n"                                                                                       \
          "add x0, x0, :lo12:" #body "\n"                                                                              \
          "mov x1, #0\n"                                                                                               \
          "b platform_with_registers\n"                                                                                \
          ".cfi_endproc\n"                                                                                             \
          ".size " #name ", . - " #name "\n"                                                                           \
          ".popsection\n")

static inline uintptr_t arch_thread_pointer(void) { return (uintptr_t)__builtin_thread_pointer(); }

/* Thread-local storage, variant I: static blocks begin above the thread pointer, the thread structure ends there. */
#define ARCH_DTV_OFFSET           0
#define ARCH_STRUCT_ABOVE_POINTER 0

/* A moment of a loop that waits; a yield would take none. */
static inline void arch_spin(void) { __asm__ volatile("isb" ::: "memory"); }

/* Zeroes what a function may use without saving it. */
static inline void arch_clear_scratch(void) {
  __asm__ volatile("mov x0, xzr\n mov x1, xzr\n mov x2, xzr\n mov x3, xzr\n mov x4, xzr\n mov x5, xzr\n"
                   "mov x6, xzr\n mov x7, xzr\n mov x8, xzr\n mov x9, xzr\n mov x10, xzr\n mov x11, xzr\n"
                   "mov x12, xzr\n mov x13, xzr\n mov x14, xzr\n mov x15, xzr\n mov x16, xzr\n mov x17, xzr"
                   :
                   :
                   : "x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14",
                     "x15", "x16", "x17");
}

#endif
