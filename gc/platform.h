/* Everything that vgc asks of the system, the compiler and the sanitizers. No other file of gc/ may test for a system,
 * an architecture or a sanitizer. Implementations: platform_linux.c (memory, clock, text), platform_linux_thread.c
 * (suspension, stacks), platform_linux_modules.c (loaded objects, thread-local storage), arch_*.h (registers).
 *
 * Unless said otherwise a function allocates nothing from libc, takes no foreign lock and may be called with the world
 * stopped. */
#ifndef VGC_PLATFORM_H
#define VGC_PLATFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if !defined(__linux__)
#error "vgc: this system has no thread suspension backend; port gc/platform_linux*.c first"
#endif
#if !defined(__x86_64__) && !defined(__aarch64__)
#error "vgc: this architecture has no register capture; write gc/arch_NAME.h first"
#endif

/* Two lines, because adjacent lines are fetched in pairs on x86-64 (N42). */
#define PLATFORM_CACHE_LINE 64
#define PLATFORM_FALSE_SHARING 128

#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define NOINLINE __attribute__((noinline))
#define COLD __attribute__((noinline, cold))
#define ALWAYS_INLINE inline __attribute__((always_inline))

/* Makes a value opaque to the optimizer: it is computed before this point and held in a register or on the stack, where
 * a suspended thread's scan finds it. */
#define OPAQUE(value) __asm__ volatile("" : "+r"(value))
/* Keeps a value in a register or on the stack up to this point. */
#define KEEP_ALIVE(value) __asm__ volatile("" : : "r"(value) : "memory")

/* Functions that read memory of suspended threads word by word. Reading a red zone or a racing word is their purpose;
 * whitebox/sanitizer_exempt_test.c shows that the list hides nothing else. */
#if defined(__clang__)
#define NO_SANITIZE __attribute__((no_sanitize("address", "thread", "undefined")))
#else
#define NO_SANITIZE __attribute__((no_sanitize_address, no_sanitize_thread, no_sanitize_undefined))
#endif

/* VGC_SANITIZE_ADDRESS is set by the asan preset for the library's own build. */
#if defined(VGC_SANITIZE_ADDRESS)
#include <sanitizer/asan_interface.h>
#define platform_poison(start, size) __asan_poison_memory_region(start, size)
#define platform_unpoison(start, size) __asan_unpoison_memory_region(start, size)
#else
#define platform_poison(start, size) ((void)(start), (void)(size))
#define platform_unpoison(start, size) ((void)(start), (void)(size))
#endif

/* Every mutable static of gc/ carries this: one section, which root scanning leaves out (N23), bounded by the linker. */
#define COLLECTOR_DATA __attribute__((section("vgc_data")))
extern char __start_vgc_data[] __attribute__((visibility("hidden")));
extern char __stop_vgc_data[] __attribute__((visibility("hidden")));

/* ---- Memory ---- */

/* Zeroed, readable and writable address space that is backed when touched; size and alignment are multiples of 4096
 * (alignment a power of two). NULL on failure. */
void *platform_reserve(size_t size, size_t alignment);
void platform_release(void *start, size_t size);
/* The pages read as zero afterwards and use no memory. */
void platform_discard(void *start, size_t size);
/* A region that holds pointers to the program's heap objects, for leak checkers. */
void platform_leak_root(void *start, size_t size);
void platform_leak_root_forget(void *start, size_t size);

/* ---- Text and time ---- */

uint64_t platform_now_ns(void); /* monotonic, precise (L06) */
/* Formats with %s %d %u %zu %lu %llu %x %p %% into a buffer on the stack and writes it to standard error in one call.
 * No libc formatting, no allocation, no lock: may be called anywhere, also from a signal handler. */
void platform_print(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void platform_abort(void);

/* ---- Waiting ---- */

/* Sleeps while *word == value (may wake early). Async-signal-safe. timeout_ns 0: none. For use inside the suspend handler
 * and by the stopping thread only: elsewhere use lock.h, which sanitizers see. */
void platform_futex_wait(_Atomic uint32_t *word, uint32_t value, uint64_t timeout_ns);
void platform_futex_wake_all(_Atomic uint32_t *word);
void platform_pause(void); /* one spin-wait hint */

#endif
