/* Atomics with the order in the name. The policy:
 *
 *   - a word that a lock or the stopped world already orders is plain, so that the race detector still watches it;
 *   - a word that its owner writes while others look is relaxed on both sides (load_relaxed, store_relaxed: plain
 * moves);
 *   - a word that is ordered in all uses but one is plain, and loose there and in its stores (load_loose, store_loose);
 *   - what publishes is a release, what acts on the publication is an acquire, and both name each other in a comment;
 *   - seq_cst stands only where a store must be seen before a later load (Dekker), with both halves named.
 *
 * No stand-alone fence orders plain accesses: ThreadSanitizer cannot see such an edge. */
#ifndef VGC_ATOMIC_H
#define VGC_ATOMIC_H

#include <stdatomic.h>

#define load_relaxed(p)         atomic_load_explicit(p, memory_order_relaxed)
#define load_acquire(p)         atomic_load_explicit(p, memory_order_acquire)
#define load_seq_cst(p)         atomic_load_explicit(p, memory_order_seq_cst)
#define store_relaxed(p, v)     atomic_store_explicit(p, v, memory_order_relaxed)
#define store_release(p, v)     atomic_store_explicit(p, v, memory_order_release)
#define store_seq_cst(p, v)     atomic_store_explicit(p, v, memory_order_seq_cst)
#define exchange_acquire(p, v)  atomic_exchange_explicit(p, v, memory_order_acquire)
#define exchange_acq_rel(p, v)  atomic_exchange_explicit(p, v, memory_order_acq_rel)
#define fetch_add_relaxed(p, v) atomic_fetch_add_explicit(p, v, memory_order_relaxed)
#define fetch_add_acquire(p, v) atomic_fetch_add_explicit(p, v, memory_order_acquire)
#define fetch_add_release(p, v) atomic_fetch_add_explicit(p, v, memory_order_release)
#define fetch_or_relaxed(p, v)  atomic_fetch_or_explicit(p, v, memory_order_relaxed)
#define fetch_or_acq_rel(p, v)  atomic_fetch_or_explicit(p, v, memory_order_acq_rel)
#define fetch_or_release(p, v)  atomic_fetch_or_explicit(p, v, memory_order_release)
#define fetch_and_acq_rel(p, v) atomic_fetch_and_explicit(p, v, memory_order_acq_rel)
#define fetch_and_release(p, v) atomic_fetch_and_explicit(p, v, memory_order_release)
#define cas_weak_release(p, expected, v)                                                                               \
  atomic_compare_exchange_weak_explicit(p, expected, v, memory_order_release, memory_order_relaxed)
#define cas_weak_acq_rel(p, expected, v)                                                                               \
  atomic_compare_exchange_weak_explicit(p, expected, v, memory_order_acq_rel, memory_order_relaxed)

/* Relaxed, of a word that is not declared atomic. */
#define load_loose(p)        __atomic_load_n(p, __ATOMIC_RELAXED)
#define store_loose(p, v)    __atomic_store_n(p, v, __ATOMIC_RELAXED)
#define fetch_or_loose(p, v) __atomic_fetch_or(p, v, __ATOMIC_RELAXED)

/* Order as seen by a signal handler on the same thread: the compiler may not move memory accesses across. No
 * instruction. A thread is suspended by a signal, so this orders what its owner writes against what the collector sees
 * once the suspension is acknowledged. */
#define signal_order() atomic_signal_fence(memory_order_seq_cst)

#endif
