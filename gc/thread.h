/* Registered threads: every thread that the program starts, from its first instruction to its last, and foreign threads
 * that attach. A record exists before its thread does (it carries the start argument) and after it (it carries the
 * result until join): N08, N10. Records are never unmapped while the process lives, so that a late signal or a stale
 * handle reads a record, not a fault. */
#ifndef VGC_THREAD_H
#define VGC_THREAD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform.h"

struct cache;

/* Who moves a record where:
 *   FREE     -> BORN      creator, registry lock: argument is a root, there is no thread to stop yet
 *   BORN     -> RUNNING   child, registry lock (so never during a stop): stack, TLS and registers are roots
 *   RUNNING <-> BLOCKING  the thread itself: not signalled, scanned from the stack pointer it published
 *   RUNNING  -> EXITED    the thread itself, registry lock: cache handed over, result is a root until join or detach
 *   EXITED   -> FREE      joiner, detacher or the thread itself if detached; registry lock */
enum thread_state { THREAD_FREE, THREAD_BORN, THREAD_RUNNING, THREAD_BLOCKING, THREAD_EXITED };

struct thread {
  /* Registry lock: */
  struct thread *next; /* in the list of used records, or of free ones */
  void *(*start)(void *);
  void *argument;      /* root while BORN and while the start function may still read it */
  void *result;        /* root while EXITED */
  pthread_t handle;
  bool detached;

  /* Set by the thread itself before RUNNING, then immutable until EXITED: */
  int tid;
  uintptr_t stack_low, stack_high; /* bounds of its stack, high one exclusive (N19) */
  uintptr_t thread_pointer;        /* for its thread-local storage */

  /* Owner thread; the collector in a stopped world: */
  struct cache *cache; /* NULL until it first allocates */

  /* Atomic: */
  _Atomic uint32_t state;      /* enum thread_state */
  _Atomic uint32_t stop_epoch; /* last stop that it acknowledged; release by the handler, acquire by the stopper */

  /* Written by the handler (or by entry into a blocking region) before the acknowledgement, read after it: */
  uintptr_t stop_sp;          /* scan from here up: the handler's own frame, so the kernel's copy of all registers and
                                 the red zone lie above it (N16, N17) */
  uintptr_t alternate_low, alternate_high; /* alternate signal stack in use at the stop, or 0 */
  void *fake_stack;           /* AddressSanitizer's handle, or NULL (X05) */
} __attribute__((aligned(PLATFORM_FALSE_SHARING)));

/* The calling thread's record, or NULL. Async-signal-safe. */
struct thread *thread_self(void);
/* As thread_self, but registers the caller if need be, waiting for a running stop. NULL and ENOMEM on failure. */
struct thread *thread_ensure(void);
/* Unregisters the caller: gives its cache back, and waits for a running stop. */
void thread_leave(struct thread *self);
/* Registered and not EXITED or BORN. */
size_t thread_count(void);

void thread_registry_lock(void);
void thread_registry_unlock(void);
/* Used records of any state; registry lock or stopped world. */
struct thread *thread_first(void);

#endif
