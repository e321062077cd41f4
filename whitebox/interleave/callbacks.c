/* What the compilers' -fsanitize=thread calls: gcc 12's and clang 19's names. A callback that is missing here is an
 * error of the linker's. 128-bit atomics are missing on purpose: the memory model has none. */
#include <string.h>

#include "atomics.h"
#include "runtime.h"

#define PC __builtin_return_address(0)

/* ---- Functions ---- */

void __tsan_func_entry(void *pc);
void __tsan_func_entry(void *pc) {
  struct fiber *me = RT->current;
  fiber_deepest((uintptr_t)__builtin_frame_address(0));
  if (UNLIKELY(me->calls == CALLS_MAX)) fail(INTERLEAVE_UNSUPPORTED, "calls are nested more than %u deep", CALLS_MAX);
  me->call[me->calls++] = pc;
}

void __tsan_func_exit(void);
void __tsan_func_exit(void) {
  if (LIKELY(RT->current->calls)) RT->current->calls--;
}

/* ---- Plain accesses ---- */

static inline void plain(uintptr_t address, size_t size, bool write, const void *pc) {
  if (UNLIKELY(RT->pending_signals)) signal_poll();
  if (UNLIKELY(RT->plain_points)) schedule_point(OP_PLAIN, address & ~(uintptr_t)7, write, false);
  shadow_access(address, size, write, false, pc);
}

static inline bool own_stack(uintptr_t address) {
  const struct fiber *me = RT->current;
  return address >= (uintptr_t)__builtin_frame_address(0) && address < me->stack_top;
}

/* A write that others may see is progress: the loop that does it does not only wait. */
static inline void plain_write(uintptr_t address, size_t size, const void *pc) {
  plain(address, size, true, pc);
  if (!own_stack(address)) RT->current->spin_count = 0;
}

#define PLAIN(size)                                                                                                    \
  void __tsan_read##size(void *address);                                                                               \
  void __tsan_read##size(void *address) { plain((uintptr_t)address, size, false, PC); }                                \
  void __tsan_write##size(void *address);                                                                              \
  void __tsan_write##size(void *address) { plain_write((uintptr_t)address, size, PC); }                                \
  void __tsan_unaligned_read##size(const void *address);                                                               \
  void __tsan_unaligned_read##size(const void *address) { plain((uintptr_t)address, size, false, PC); }                \
  void __tsan_unaligned_write##size(void *address);                                                                    \
  void __tsan_unaligned_write##size(void *address) { plain_write((uintptr_t)address, size, PC); }                      \
  void __tsan_volatile_read##size(void *address);                                                                      \
  void __tsan_volatile_read##size(void *address) { plain((uintptr_t)address, size, false, PC); }                       \
  void __tsan_volatile_write##size(void *address);                                                                     \
  void __tsan_volatile_write##size(void *address) { plain_write((uintptr_t)address, size, PC); }                       \
  void __tsan_read_write##size(void *address);                                                                         \
  void __tsan_read_write##size(void *address) {                                                                        \
    plain((uintptr_t)address, size, false, PC);                                                                        \
    plain_write((uintptr_t)address, size, PC);                                                                         \
  }

PLAIN(1)
PLAIN(2)
PLAIN(4)
PLAIN(8)
PLAIN(16)

void __tsan_read_range(void *address, unsigned long size);
void __tsan_read_range(void *address, unsigned long size) {
  if (size) plain((uintptr_t)address, size, false, PC);
}
void __tsan_write_range(void *address, unsigned long size);
void __tsan_write_range(void *address, unsigned long size) {
  if (size) plain_write((uintptr_t)address, size, PC);
}

/* ---- Copies: the library's functions, and what clang makes of struct copies ---- */

static void *copy(void *to, const void *from, size_t size, const void *pc) {
  if (size) {
    plain((uintptr_t)from, size, false, pc);
    plain_write((uintptr_t)to, size, pc);
  }
  return memmove(to, from, size);
}

static void *fill(void *to, int byte, size_t size, const void *pc) {
  if (size) plain_write((uintptr_t)to, size, pc);
  return memset(to, byte, size);
}

#define COPIES(prefix)                                                                                                 \
  void *prefix##memcpy(void *to, const void *from, size_t size);                                                       \
  void *prefix##memcpy(void *to, const void *from, size_t size) { return copy(to, from, size, PC); }                   \
  void *prefix##memmove(void *to, const void *from, size_t size);                                                      \
  void *prefix##memmove(void *to, const void *from, size_t size) { return copy(to, from, size, PC); }                  \
  void *prefix##memset(void *to, int byte, size_t size);                                                               \
  void *prefix##memset(void *to, int byte, size_t size) { return fill(to, byte, size, PC); }

COPIES(__tsan_)
COPIES(interleave_wrap_)

/* ---- Atomics ---- */

#define FENCE_ORDER(order) ((order)&0x7fff)

#define RMW(bits, type, name, rmw)                                                                                     \
  type __tsan_atomic##bits##_##name(volatile type *address, type operand, int order);                                  \
  type __tsan_atomic##bits##_##name(volatile type *address, type operand, int order) {                                 \
    return (type)atomics_rmw(rmw, (uintptr_t)address, bits / 8, operand, FENCE_ORDER(order), PC);                      \
  }

#define EXCHANGE(bits, type, name, weak)                                                                               \
  int __tsan_atomic##bits##_compare_exchange_##name(volatile type *address, type *expected, type desired, int order,   \
                                                    int failure_order);                                                \
  int __tsan_atomic##bits##_compare_exchange_##name(volatile type *address, type *expected, type desired, int order,   \
                                                    int failure_order) {                                               \
    uint64_t value = *expected;                                                                                        \
    bool done = atomics_compare_exchange((uintptr_t)address, bits / 8, &value, desired, weak, FENCE_ORDER(order),      \
                                         FENCE_ORDER(failure_order), PC);                                              \
    if (!done) *expected = (type)value;                                                                                \
    return done;                                                                                                       \
  }

#define ATOMICS(bits, type)                                                                                            \
  type __tsan_atomic##bits##_load(const volatile type *address, int order);                                            \
  type __tsan_atomic##bits##_load(const volatile type *address, int order) {                                           \
    return (type)atomics_load((uintptr_t)address, bits / 8, FENCE_ORDER(order), PC);                                   \
  }                                                                                                                    \
  void __tsan_atomic##bits##_store(volatile type *address, type value, int order);                                     \
  void __tsan_atomic##bits##_store(volatile type *address, type value, int order) {                                    \
    atomics_store((uintptr_t)address, bits / 8, value, FENCE_ORDER(order), PC);                                        \
  }                                                                                                                    \
  RMW(bits, type, exchange, RMW_EXCHANGE)                                                                              \
  RMW(bits, type, fetch_add, RMW_ADD)                                                                                  \
  RMW(bits, type, fetch_sub, RMW_SUB)                                                                                  \
  RMW(bits, type, fetch_and, RMW_AND)                                                                                  \
  RMW(bits, type, fetch_or, RMW_OR)                                                                                    \
  RMW(bits, type, fetch_xor, RMW_XOR)                                                                                  \
  RMW(bits, type, fetch_nand, RMW_NAND)                                                                                \
  EXCHANGE(bits, type, strong, false)                                                                                  \
  EXCHANGE(bits, type, weak, true)                                                                                     \
  /* clang's only form; it does not tell weak from strong. */                                                          \
  type __tsan_atomic##bits##_compare_exchange_val(volatile type *address, type expected, type desired, int order,      \
                                                  int failure_order);                                                  \
  type __tsan_atomic##bits##_compare_exchange_val(volatile type *address, type expected, type desired, int order,      \
                                                  int failure_order) {                                                 \
    uint64_t value = expected;                                                                                         \
    atomics_compare_exchange((uintptr_t)address, bits / 8, &value, desired, false, FENCE_ORDER(order),                 \
                             FENCE_ORDER(failure_order), PC);                                                          \
    return (type)value;                                                                                                \
  }

ATOMICS(8, uint8_t)
ATOMICS(16, uint16_t)
ATOMICS(32, uint32_t)
ATOMICS(64, uint64_t)

void __tsan_atomic_thread_fence(int order);
void __tsan_atomic_thread_fence(int order) { atomics_fence(FENCE_ORDER(order)); }

/* Orders a thread against its own handlers alone. */
void __tsan_atomic_signal_fence(int order);
void __tsan_atomic_signal_fence(int order) {
  (void)order;
  memory_barrier_step();
  if (UNLIKELY(RT->pending_signals)) signal_poll();
}
