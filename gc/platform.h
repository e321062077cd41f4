/* Everything that vgc asks of the system, the compiler and the sanitizers. No other file of gc/ may test for a system,
 * an architecture or a sanitizer. Implementations: platform_linux.c (memory, clock, text), platform_linux_thread.c
 * (suspension, stacks), platform_linux_modules.c (loaded objects), platform_linux_storage.c (thread-local storage),
 * platform_sanitizer.c (sanitizers met at run time), arch_*.h (registers).
 *
 * Unless said otherwise a function allocates nothing from libc, takes no foreign lock and may be called with the world
 * stopped. */
#ifndef VGC_PLATFORM_H
#define VGC_PLATFORM_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if !defined(__linux__)
#error "vgc: this system has no thread suspension backend; port gc/platform_linux*.c first"
#endif
#if defined(__x86_64__)
#include "arch_x86_64.h"
#elif defined(__aarch64__)
#include "arch_aarch64.h"
#else
#error "vgc: this architecture has no register capture; write gc/arch_NAME.h first"
#endif

/* Two lines, because adjacent lines are fetched in pairs on x86-64 (N42). */
#define PLATFORM_CACHE_LINE    64
#define PLATFORM_FALSE_SHARING 128

#define LIKELY(x)     __builtin_expect(!!(x), 1)
#define UNLIKELY(x)   __builtin_expect(!!(x), 0)
#define NOINLINE      __attribute__((noinline))
#define COLD          __attribute__((noinline, cold))
#define ALWAYS_INLINE inline __attribute__((always_inline))

/* Makes a value opaque to the optimizer: it is computed before this point and held in a register or on the stack, where
 * a suspended thread's scan finds it. */
#define OPAQUE(value) __asm__ volatile("" : "+r"(value))
/* Keeps a value in a register or on the stack up to this point. */
#define KEEP_ALIVE(value) __asm__ volatile("" : : "r"(value) : "memory")

/* Functions that read memory of suspended threads word by word: to read a red zone or a racing word is their purpose.
 */
#if defined(__clang__)
#define NO_SANITIZE __attribute__((no_sanitize("address", "thread", "undefined", "coverage")))
#else
#define NO_SANITIZE __attribute__((no_sanitize_address, no_sanitize_thread, no_sanitize_undefined))
#endif

/* VGC_SANITIZE_ADDRESS is set by the asan preset for the library's own build. */
#if defined(VGC_SANITIZE_ADDRESS)
#include <sanitizer/asan_interface.h>
#define platform_poison(start, size)   __asan_poison_memory_region(start, size)
#define platform_unpoison(start, size) __asan_unpoison_memory_region(start, size)
#else
#define platform_poison(start, size)   ((void)(start), (void)(size))
#define platform_unpoison(start, size) ((void)(start), (void)(size))
#endif

/* On variables that other files of gc/ use: no indirection through the global offset table. */
#define INTERNAL __attribute__((visibility("hidden")))

/* Every mutable static of gc/ carries this: one section, which root scanning leaves out (N23), bounded by the linker.
 */
#define COLLECTOR_DATA __attribute__((section("vgc_data")))
extern char __start_vgc_data[] __attribute__((visibility("hidden")));
extern char __stop_vgc_data[] __attribute__((visibility("hidden")));

/* ---- Memory ---- */

/* Zeroed, readable and writable address space that is backed when touched; size and alignment are multiples of 4096
 * (alignment a power of two). NULL on failure. */
void *platform_reserve(size_t size, size_t alignment);
void platform_release(void *start, size_t size);
/* Asks for huge pages where the memory is touched from now on. */
void platform_prefer_huge(void *start, size_t size);
/* Zeroes the registers that a function may use without saving them. */
void platform_clear_registers(void);
/* The lowest page in [low, high) that is in memory, or high if none is. For a stack: what was never used need not even
 * be mapped, and so many bytes that were not used end it. */
#define PLATFORM_HOLE 65536u
uintptr_t platform_resident_low(uintptr_t low, uintptr_t high);
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

/* Sleeps while *word == value (may wake early). Async-signal-safe. timeout_ns 0: none. For use inside the suspend
 * handler, by the stopping thread and by markers only: elsewhere use lock.h, which sanitizers see. */
void platform_futex_wait(_Atomic uint32_t *word, uint32_t value, uint64_t timeout_ns);
void platform_futex_wake_all(_Atomic uint32_t *word);
/* Sleeps; no cancellation point, so that callers may hold what a cancelled thread would keep. */
void platform_nap(unsigned ns);
/* Looks at the word until it differs, or for some microseconds. Orders and decides nothing: its caller looks again. */
void platform_spin(const _Atomic uint32_t *word, uint32_t value);

/* ---- Registers and stacks ---- */

/* Calls body(arg, registers) after spilling every callee-saved register to the stack, by explicit stores (setjmp
 * mangles some, N18). registers points at the lowest spilled word: the whole stack from there up holds what the caller
 * holds. */
void platform_with_registers(void (*body)(void *arg, uintptr_t *registers), void *arg);
#define PLATFORM_SAVED_REGISTERS ARCH_SAVED_REGISTERS
/* The stack pointer that the caller of an entry defined below has after it returns. */
#define PLATFORM_CALLER_SP(registers) ((uintptr_t)((registers) + ARCH_FRAME_WORDS))
/* Defines the exported function void name(void), which calls body as above with arg NULL before any prologue could move
 * a register of its caller's into a frame that is gone when name returns. At file scope. */
#define PLATFORM_DEFINE_ENTRY(name, body) ARCH_DEFINE_ENTRY(name, body)

/* Where a thread stands while others scan it. */
struct platform_position {
  uintptr_t sp;                            /* every live word of the running stack is at or above it */
  uintptr_t alternate_low, alternate_high; /* the alternate signal stack, if sp lies on it, or 0 */
  void *fake_stack;                        /* AddressSanitizer's handle, or NULL (X05) */
};
/* Fills in the calling thread's position. Async-signal-safe. */
void platform_position_take(struct platform_position *, uintptr_t sp);
/* Bounds of the calling thread's own stack, the high one exclusive; for the main thread to the end of its mapping.
 * Calls libc and takes its locks: never with the world stopped. False if the system does not tell. */
bool platform_stack_bounds(uintptr_t *low, uintptr_t *high);
/* The same without libc, which is not ready for a thread whose sanitizer has not seen it begin; may be wider. */
bool platform_stack_mapped(uintptr_t *low, uintptr_t *high);
/* The mapping that holds the address and may be read, or false. */
bool platform_mapping(uintptr_t address, uintptr_t *low, uintptr_t *high);
/* The end of what is mapped there and may be read, though it be in pieces, as advice for a part leaves it; or 0. */
uintptr_t platform_mapping_end(uintptr_t address);
/* Whether every page of the range may be read. */
bool platform_readable(uintptr_t start, size_t size);

/* ---- Threads and signals ---- */

int platform_thread_id(void);
/* Processors that this process may run on; at least 1. */
unsigned platform_processors(void);
uintptr_t platform_thread_pointer(void);
/* Sends the signal to a thread of this process; 0 or an errno value. */
int platform_thread_signal(int tid, unsigned signal);
/* Installs the handler: restarts system calls, every signal masked while it runs, on the interrupted stack. 0, or an
 * errno value: EBUSY if the program has a handler of its own there, EINVAL if there is no such signal. */
int platform_handler_install(unsigned signal, void (*handler)(int));
bool platform_handler_installed(unsigned signal, void (*handler)(int));
/* From now on the signal is ignored, for one may be pending still; nothing if the handler is no more ours. */
void platform_handler_remove(unsigned signal, void (*handler)(int));
void platform_signal_unblock(unsigned signal);
/* Lets the signal through, in a handler that blocks all, by which libc has each thread change its user or group: setuid
 * and its like wait for all threads. Async-signal-safe. */
void platform_admit_setxid(void);
/* Whether a thread of this process blocks the signal. */
bool platform_signal_blocked(int tid, unsigned signal);
/* Tells on standard error what keeps a thread from answering the signal: name, state, system call, blocked or not. */
void platform_thread_describe(int tid, unsigned signal);

/* ---- Loaded objects and thread-local storage ---- */

typedef void platform_range(void *context, uintptr_t low, uintptr_t high);
struct platform_modules;
/* Whether to list a writable segment of the object of that name; with the loader's lock. */
typedef int platform_filter(void *arg, const char *name, const void *start, size_t size);
/* Lists the loaded objects; NULL without memory. The filter may be NULL. Takes the loader's lock: never with the world
 * stopped, nor with a lock that a thread inside the loader may want. */
struct platform_modules *platform_modules_list(platform_filter *, void *arg);
void platform_modules_release(struct platform_modules *);
/* Whether the list still holds. World stopped. */
bool platform_modules_hold(const struct platform_modules *);
/* Writable segments. */
void platform_modules_segments(const struct platform_modules *, platform_range *, void *context);
/* Learns what this libc tells of loaded objects in a stopped world. Once, by any thread, before the first list. */
void platform_modules_learn(void);
/* Learns how this libc keeps pthread_setspecific values. Once, by any thread, before the first storage scan. */
void platform_storage_learn(void);
/* Makes the key whose destructor is the last in each round of a thread's exit: libc calls them in the order of the
 * keys, and this is the last whose values need no memory. 0 or an errno value. */
int platform_last_key(pthread_key_t *, void (*destructor)(void *));
/* Whether the calling thread has values under later keys, or none can tell. */
bool platform_keys_follow(pthread_key_t);
/* Thread-local storage and pthread_setspecific values of the thread with that thread pointer, as far as they lie
 * outside [low, high), its stack; of the objects listed. World stopped. */
void platform_storage(const struct platform_modules *, uintptr_t thread_pointer, uintptr_t low, uintptr_t high,
                      platform_range *, void *context);

/* ---- Sanitizers, met at run time also by a release build ---- */

bool platform_sanitizer_runtime(void); /* AddressSanitizer or ThreadSanitizer */
bool platform_defers_signals(void);    /* ThreadSanitizer */
/* Where deferred signals are answered; nothing without ThreadSanitizer. */
void platform_poll(void);
extern void __tsan_release(void *address) __attribute__((weak));
/* A happens-before edge for ThreadSanitizer in a build of the library that it does not see into; otherwise nothing. */
#if defined(VGC_SANITIZE_THREAD)
/* The library's own build is instrumented: its atomics are the edges, and nothing may stand in for one that is missing.
 */
#define platform_edge_release(address) ((void)(address))
#define platform_edge_acquire(address) ((void)(address))
#define platform_sees_edges()          false
#else
void platform_edge_release(void *address);
void platform_edge_acquire(void *address);
/* Whether these two do anything. */
static ALWAYS_INLINE bool platform_sees_edges(void) { return __tsan_release != NULL; }
#endif
void *platform_fake_stack(void);
/* Whether word points into a live frame of that fake stack; its bounds. */
bool platform_fake_frame(void *fake_stack, uintptr_t word, uintptr_t *low, uintptr_t *high);

#endif
