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
 *   FREE     -> RUNNING   a foreign thread itself, registry lock
 *   BORN     -> RUNNING   child, registry lock (so never during a stop): stack, TLS and registers are roots
 *   RUNNING <-> BLOCKING  the thread itself: not signalled, scanned from the position it published
 *   RUNNING <-> HELD      the thread itself, in the handler: not signalled, scanned from where it was stopped
 *   RUNNING  -> EXITED    the thread itself, registry lock: cache handed over, result is a root until join or detach
 *   RUNNING  -> LOST      whoever finds that the thread ended without leaving, in a region or not; registry lock: no
 *                         root but its result; its cache waits for thread_reap
 *   LOST     -> EXITED    thread_reap, registry lock: somebody else has handed its cache over
 *   EXITED   -> RUNNING   the thread itself, if it registers again while its record waits for a joiner; registry lock
 *   EXITED   -> FREE      joiner, detacher, or who moves it there if it is detached; registry lock */
enum thread_state {
  THREAD_FREE,
  THREAD_BORN,
  THREAD_RUNNING,
  THREAD_BLOCKING,
  THREAD_HELD,
  THREAD_EXITED,
  THREAD_LOST
};

/* Size of thread->inherited. */
#define THREAD_INHERITED_BYTES 8192

struct thread {
  /* Registry lock: */
  struct thread *next, *previous; /* in the list of used records; next alone in that of free ones */
  uint64_t birth;                 /* distinguishes the users of one record */
  void *(*start)(void *);
  void *argument;   /* root until the thread holds it on its own stack */
  pthread_t handle; /* valid if handle_known */
  bool handle_known;
  bool detached; /* nobody will join: the record is free once the thread has left */
  bool watched;  /* holds `alive`, which tells its death */
  bool wanted;   /* stopper: signalled, not yet answered */
  bool named;    /* stopper: already told that it does not answer */
  bool reaped;   /* LOST, and somebody is giving its cache back */

  /* Owner under the registry lock; the collector in a stopped world: */
  void *result;        /* root from the return of the start function, or pthread_exit, until join or detach */
  void *inherited;     /* words copied from the creator's stack, or NULL (spawn.c) */
  struct cache *cache; /* NULL until it first allocates */

  /* Set by the thread itself before RUNNING, then immutable until EXITED: */
  int tid;
  uintptr_t stack_low, stack_high; /* bounds of its stack, high one exclusive (N19) */
  uintptr_t thread_pointer;        /* for its thread-local storage */

  /* Atomic: */
  _Atomic uint32_t state;      /* enum thread_state */
  _Atomic uint32_t stop_epoch; /* last stop that it acknowledged; release by the handler, acquire by the stopper */
  /* Where the thread tells the end of the stack that it is on, or NULL (vgc_stack_follow). Its own; a stopped world: */
  void *const *_Atomic bottom;

  _Atomic uint32_t held;    /* 1: not to go on. Registry lock; release by world_let_go, acquire by the thread, which
                               sleeps on it */
  _Atomic uint32_t listing; /* not 0: not to be held here (roots.c). Its own; a stopped world */

  /* Written by the handler before the acknowledgement, by entry into a blocking region before BLOCKING; read after: */
  struct platform_position stopped, blocked;
  uintptr_t blocked_registers[PLATFORM_SAVED_REGISTERS]; /* the frame that entered may go on: its registers stay here */
  /* Stopper and collector, stopped world: which of the two holds, or NULL if the thread has no stack to scan. */
  const struct platform_position *position;

  /* Held while it lives by a thread whose death nothing of ours may see. The kernel marks it when the thread dies,
   * before the thread's id can be given to another: so a dead thread is told from a living one, and a stranger is never
   * waited for. */
  pthread_mutex_t alive;
} __attribute__((aligned(PLATFORM_FALSE_SHARING)));

/* The calling thread's record, or NULL. Async-signal-safe. */
struct thread *thread_self(void);
/* As thread_self, but registers the caller if need be, waiting for a running stop. NULL and ENOMEM on failure. */
struct thread *thread_ensure(void);
/* Unregisters the caller: gives its cache back, and waits for a running stop. */
void thread_leave(struct thread *self);
/* What the thread tells of the end of its stack, or 0. The thread itself, or a stopped world. */
static inline uintptr_t thread_bottom(const struct thread *thread) {
  void *const *bottom = atomic_load_explicit(&thread->bottom, memory_order_relaxed);
  return bottom ? (uintptr_t)*bottom : 0;
}
/* The RUNNING, BLOCKING or HELD thread of that handle, or NULL. Registry lock. */
struct thread *thread_present(pthread_t handle);
/* RUNNING, BLOCKING or HELD; after thread_reap. No locks held that rank with or above the registry's. */
size_t thread_count(void);
/* Whether no other thread is registered, or created and about to be; after thread_reap. As above. */
bool thread_alone(void);
/* Records of any state but FREE. */
size_t thread_records(void);
/* Bytes of all tables of records. */
size_t thread_table_bytes(void);
/* Frees what threads left behind that ended without leaving (N44): those that vgc saw first in the last round of
 * another key's destructors, or that such destructors outlasted there, or that left by a raw system call. It does what
 * the owner of a cache does, so it does nothing where no stop waits for the caller: in a region, and unregistered. No
 * locks held that rank with or above the registry's; the collector calls it before each cycle. */
void thread_reap(void);
/* Entries of the next table of records to be mapped. */
void thread_table_size(size_t entries);

void thread_registry_lock(void);
void thread_registry_unlock(void);
/* The lock itself, for fork. */
struct lock *thread_registry_lock_object(void);
/* Used records of any state, then thread->next; registry lock or stopped world. */
struct thread *thread_first(void);
/* In a forked child, registry lock held: drops the records of all threads that the child does not have, after
 * abandon(cache) for each cache, and renumbers the caller's. */
void thread_registry_after_fork(void (*abandon)(struct cache *));

/* ---- For spawn.c and world.c ---- */

/* The suspend signal, which threads unblock when they register. */
unsigned thread_signal(void);
/* False, after naming it, if a thread that is registered already blocks the signal, which it could not have known. */
bool thread_set_signal(unsigned signal);
/* Registers the main thread before main runs. */
void thread_register_first(void);

/* A record for a thread about to be created, in state BORN; NULL if there is no memory. Takes the registry lock. */
struct thread *thread_birth(void *(*start)(void *), void *argument, bool detached);
/* The thread could not be created. Takes the registry lock. */
void thread_stillborn(struct thread *);
/* The creator knows the handle; only the user of `birth` is told. Takes the registry lock. */
void thread_set_handle(struct thread *, uint64_t birth, pthread_t handle);
/* The new thread itself: BORN to RUNNING. False if the system does not tell its stack. Takes the registry lock. */
bool thread_arrive(struct thread *);
/* The calling thread's result, from now on a root until join or detach. Takes the registry lock. */
void thread_set_result(void *result);
/* The record of a thread that may be joined or detached, or NULL, and its birth. Takes the registry lock. */
struct thread *thread_find(pthread_t handle, uint64_t *birth);
/* Joined or detached: the result is no root any more. Takes the registry lock. */
void thread_forget(struct thread *, uint64_t birth);
/* Whether the thread that watched `alive` is dead. Registry lock. */
bool thread_dead(struct thread *);
/* Moves a dead thread to LOST. Registry lock. */
void thread_lost(struct thread *);

#endif
