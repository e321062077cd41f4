/* The stop-the-world machine.
 *
 *   stopper (registry lock)                      thread
 *   -----------------------                      ------
 *   phase = 2e+1            (seq_cst, D1)
 *   state of each thread?   (seq_cst, D1)        BLOCKING = state (release)         vgc_blocking_enter
 *     BLOCKING: counts as stopped
 *     RUNNING:  tgkill ------------------------> handler: spill registers, publish position
 *   sleep until all answered  <----------------- stop_epoch = 2e+1 (release), acks + 1, wake
 *   acquire of stop_epoch: position, stack       sleep while phase == 2e+1
 *   ... mark ...
 *   phase = 2e+2 (release), wake --------------> phase is another (acquire): return
 *                                                RUNNING = state, phase? (seq_cst, D2)  vgc_blocking_leave
 *                                                held? (acquire): away again
 *
 * One word holds epoch and force: odd while a stop is in force. A handler that wakes late sees another value whatever
 * has happened since, leaves, and takes the next stop's signal, which was masked until then; its old acknowledgement
 * names the old phase, so no later stop counts it (N15, B04). D1 and D2 are a Dekker pair: either the stopper sees
 * RUNNING, or the thread that leaves sees the stop.
 *
 * Everything the handler does is async-signal-safe: it reads one initial-exec thread-local pointer and its record,
 * makes the system calls futex, sigaltstack and rt_sigprocmask, and calls nothing of libc, but for the registry lock
 * should a held thread come back into a stop. It keeps errno. It does not run on the alternate stack, so the kernel's
 * frame with all registers, and the red zone above that frame, lie above its own (N16, N17). */
#include "world.h"

#include <errno.h>

#include "atomic.h"
#include "error.h"
#include "lock.h"
#include "platform.h"
#include "point.h"
#include "thread.h"

/* A thread may be off its processor for a while on a loaded machine; this long is worth telling. */
#define SILENCE_NS UINT64_C(1200000000)
/* After this long without an answer the stop is withdrawn and tried again with twice the patience: a thread that waits
 * with signals blocked, for a lock that a stopped thread holds, gets it that way. */
#define PATIENCE_NS     (200 * UINT64_C(1000000))
#define PATIENCE_MAX_NS (4 * UINT64_C(1000000000))
#define NAP_NS          (10 * UINT64_C(1000000))

static struct {
  /* Registry lock to write, anyone reads: */
  _Atomic uint32_t phase;
  /* Handlers add, the stopper sleeps on it: */
  _Atomic uint32_t acks;
  bool installed; /* world_install and world_uninstall, before any stop and after all */
} world COLLECTOR_DATA;

_Static_assert(ATOMIC_INT_LOCK_FREE == 2, "the handler's atomics may take no lock (B10)");

uint32_t world_epoch(void) { return load_relaxed(&world.phase); }

bool world_is_stopped(void) { return load_relaxed(&world.phase) & 1; }

/* ---- The thread that is stopped ---- */

struct suspension {
  struct thread *self;
  uint32_t phase;
};

static void wake_stopper(void) {
  POINT(world_wakes_stopper);
  /* Release: who reads this count sees the answer; the acquire in nap() is the other half. */
  atomic_fetch_add_explicit(&world.acks, 1, memory_order_release);
  platform_futex_wake_all(&world.acks);
}

/* From BLOCKING or HELD to RUNNING, when it is not held, nor the world stopped. */
static void come_back(struct thread *self, enum thread_state away) {
  for (;;) {
    /* Relaxed: it is looked at again. */
    while (UNLIKELY(load_relaxed(&self->held))) {
      POINT(blocking_leave_held);
      platform_futex_wait(&self->held, 1, 0);
    }
    POINT(blocking_leave_let_go);
    /* Seq_cst store, then load: D2. A stop that began before (try_stop) is seen here, in force or over; one that begins
     * later sees RUNNING (ask). Acquire of the load: world_resume's release. */
    store_seq_cst(&self->state, THREAD_RUNNING);
    bool stopped = load_seq_cst(&world.phase) & 1;
    /* One that is over may have been collect_hold's, which took the thread for away: `held` was set in it, so that is
     * seen with its end. Acquire: world_let_go's release. */
    if (!stopped && LIKELY(!load_acquire(&self->held))) break;
    /* Release: as on entry; answered() may take this state for the answer. */
    store_release(&self->state, away);
    if (away == THREAD_HELD) wake_stopper(); /* whose signal is masked here, and seen in a region */
    if (!stopped) continue;
    POINT(blocking_leave_waits);
    thread_registry_lock(); /* held from stop to resume */
    thread_registry_unlock();
  }
  platform_edge_acquire(&world.phase);
}

static void park(void *arg, uintptr_t *registers) {
  const struct suspension *suspension = arg;
  struct thread *self = suspension->self;
  uint32_t phase = suspension->phase;
  platform_position_take(&self->stopped, (uintptr_t)registers);
  POINT(world_handler_before_ack);
  platform_edge_release(&world.phase);
  /* Release: the position and all that the thread wrote; the stopper's acquire in answered() is the other half. */
  store_release(&self->stop_epoch, phase);
  wake_stopper();
  POINT(world_handler_acknowledged);
  /* Acquire: pairs with world_resume's release, so that what the collector did is seen. */
  while (load_acquire(&world.phase) == phase) {
    POINT(world_handler_sleeps);
    platform_futex_wait(&world.phase, phase, 0);
  }
  platform_edge_acquire(&world.phase);
  /* Acquire: world_let_go's release, should the thread have been let go by now. One that is in a region waits at its
   * end, and one that is about to enter it has written some of `blocked`: so a held one is scanned from `stopped`. */
  if (UNLIKELY(load_acquire(&self->held)) && load_relaxed(&self->state) == THREAD_RUNNING) {
    POINT(world_handler_holds);
    platform_edge_release(&world.phase);
    /* Release: `stopped` and all that the thread wrote; acquire in ask() and answered(). */
    store_release(&self->state, THREAD_HELD);
    wake_stopper();
    platform_admit_setxid(); /* until the handler returns, as long as that may be */
    come_back(self, THREAD_HELD);
  }
  POINT(world_handler_leaving);
}

static void suspend_handler(int signal) {
  (void)signal;
  struct thread *self = thread_self();
  /* Relaxed: until it has read the next phase (acquire, park) the handler reads nothing but its own record. */
  uint32_t phase = load_relaxed(&world.phase);
  if (!self || !(phase & 1)) return; /* a thread that is not ours, or a late signal of a stop that is over */
  if (load_relaxed(&self->stop_epoch) == phase) return; /* the stopper, which nobody would wake */
  int saved = errno;
  POINT(world_handler_entered);
  struct suspension suspension = {self, phase};
  platform_with_registers(park, &suspension);
  errno = saved;
}

bool world_blocking_enter(struct thread *self, const uintptr_t *registers) {
  if (load_relaxed(&self->state) != THREAD_RUNNING) return false;
  platform_position_take(&self->blocked, PLATFORM_CALLER_SP(registers));
  for (unsigned i = 0; i < PLATFORM_SAVED_REGISTERS; i++) self->blocked_registers[i] = registers[i];
  POINT(blocking_enter_filled);
  platform_edge_release(&world.phase);
  /* Release: position, registers and all that the thread wrote; acquire in ask() and answered(). No more: whoever still
   * sees RUNNING sends a signal, which is answered here as anywhere. */
  store_release(&self->state, THREAD_BLOCKING);
  POINT(blocking_enter_published);
  return true;
}

bool world_blocking_leave(struct thread *self) {
  if (load_relaxed(&self->state) != THREAD_BLOCKING) return false;
  come_back(self, THREAD_BLOCKING);
  return true;
}

bool world_blocking_suspend(struct thread *self, struct world_region *region) {
  if (load_relaxed(&self->state) != THREAD_BLOCKING) return false;
  region->position = self->blocked;
  for (unsigned i = 0; i < PLATFORM_SAVED_REGISTERS; i++) region->registers[i] = self->blocked_registers[i];
  return world_blocking_leave(self);
}

bool world_blocking_again(struct thread *self, const struct world_region *region) {
  if (load_relaxed(&self->state) != THREAD_RUNNING) return false;
  self->blocked = region->position;
  for (unsigned i = 0; i < PLATFORM_SAVED_REGISTERS; i++) self->blocked_registers[i] = region->registers[i];
  platform_edge_release(&world.phase);
  /* Release: as in world_blocking_enter; acquire in ask() and answered(). */
  store_release(&self->state, THREAD_BLOCKING);
  return true;
}

void world_let_go(struct thread *thread) {
  store_release(&thread->held, 0); /* release: what its holder did meanwhile; acquire in park, come_back */
  platform_futex_wake_all(&thread->held);
}

/* ---- The thread that stops ---- */

int world_install(unsigned signal) {
  if (!thread_set_signal(signal)) {
    errno = EBUSY;
    return -1;
  }
  int rc = platform_handler_install(signal, suspend_handler);
  if (rc == EINVAL)
    platform_print("vgc: VGC_SUSPEND_SIGNAL: signal %u cannot be caught; choose another, or unset it\n", signal);
  if (rc == EBUSY)
    platform_print("vgc: VGC_SUSPEND_SIGNAL: signal %u has a handler of the program's; choose another\n", signal);
  if (rc != 0) {
    errno = rc;
    return -1;
  }
  world.installed = true;
  platform_signal_unblock(signal);
  return 0;
}

void world_uninstall(void) {
  if (world.installed) platform_handler_remove(thread_signal(), suspend_handler);
  world.installed = false;
}

static void verify_handler(void) {
  if (platform_handler_installed(thread_signal(), suspend_handler)) return;
  error_report(VGC_ERROR_SIGNAL, NULL,
               "the program replaced vgc's handler of the suspend signal, so threads cannot be stopped; leave that "
               "signal to vgc, or give vgc another one: vgc_config.suspend_signal or VGC_SUSPEND_SIGNAL");
  platform_abort();
}

/* True if the thread has been told, false if there is no such thread any more. */
static bool tell(struct thread *thread) {
  for (;;) {
    int rc = platform_thread_signal(thread->tid, thread_signal());
    if (rc == 0) return true;
    if (rc == ESRCH) return false;
    if (rc != EAGAIN) {
      platform_print(
          "vgc: cannot send signal %u to thread %d: errno %d; a sandbox must allow tgkill within the process\n",
          thread_signal(), thread->tid, rc);
      platform_abort();
    }
    /* The queue of real-time signals is full: the thread lives, and the queue drains (N13). */
    platform_futex_wait(&world.acks, load_relaxed(&world.acks), NAP_NS / 10);
  }
}

/* First look at a thread: whether it is to be waited for. */
static bool ask(struct thread *thread) {
  thread->position = NULL;
  thread->wanted = false;
  /* Seq_cst: D1, after try_stop's store to phase. Acquire: what world_blocking_enter published. */
  switch (load_seq_cst(&thread->state)) {
  case THREAD_BLOCKING:
    thread->position = &thread->blocked;
    return false;
  case THREAD_HELD:
    thread->position = &thread->stopped;
    return false;
  case THREAD_RUNNING:
    if (thread_dead(thread) || !tell(thread)) {
      thread_lost(thread);
      return false;
    }
    thread->wanted = true;
    return true;
  default:
    return false;
  }
}

static bool answered(struct thread *thread, uint32_t phase) {
  /* Acquire: pairs with park's release of stop_epoch, and with the releases in the stores of BLOCKING and HELD. */
  if (load_acquire(&thread->stop_epoch) == phase || load_acquire(&thread->state) == THREAD_HELD)
    thread->position = &thread->stopped;
  else if (load_acquire(&thread->state) == THREAD_BLOCKING)
    thread->position = &thread->blocked;
  else if (thread_dead(thread))
    thread_lost(thread);
  else
    return false;
  thread->wanted = false;
  return true;
}

static unsigned count_wanted(uint32_t phase) {
  unsigned wanted = 0;
  for (struct thread *thread = thread_first(); thread; thread = thread->next)
    if (thread->wanted && !answered(thread, phase)) wanted++;
  return wanted;
}

/* Sleeps until one more thread acknowledges, or a while. */
static void nap(uint32_t phase) {
  /* Acquire, with wake_stopper's release: an answer that this counts is seen below. One that it does not count ends the
   * sleep: the kernel compares with the newest count, and who counts wakes. */
  uint32_t acks = load_acquire(&world.acks);
  if (count_wanted(phase)) platform_futex_wait(&world.acks, acks, NAP_NS);
}

static void name_silent(void) {
  for (struct thread *thread = thread_first(); thread; thread = thread->next)
    if (thread->wanted && !thread->named) {
      thread->named = true;
      platform_thread_describe(thread->tid, thread_signal());
    }
}

/* ThreadSanitizer forgets a signal that arrived before it knew the thread, and old versions more than that. One more
 * does no harm: it is masked while the handler runs, and finds the stop over. */
static void tell_again(void) {
  for (struct thread *thread = thread_first(); thread; thread = thread->next)
    if (thread->wanted && !tell(thread)) {
      thread_lost(thread);
      thread->wanted = false;
    }
}

/* Whether all have answered; gives up after `patience`. since: the first attempt. */
static bool await(uint32_t phase, uint64_t since, uint64_t patience) {
  uint64_t start = platform_now_ns();
  uint64_t retold = start;
  while (count_wanted(phase) != 0) {
    POINT(world_waits);
    uint64_t now = platform_now_ns();
    if (now - start > patience) {
      if (now - since > SILENCE_NS) name_silent();
      return false;
    }
    if (platform_defers_signals() && now - retold > 2 * NAP_NS) {
      tell_again();
      retold = now;
    }
    nap(phase);
  }
  return true;
}

static bool try_stop(uint64_t since, uint64_t patience) {
  struct thread *self = thread_self();
  uint32_t phase = load_relaxed(&world.phase) + 1;
  /* Before the phase: our own handler takes this for an answer, should the signal come from elsewhere meanwhile. */
  store_relaxed(&self->stop_epoch, phase);
  /* Seq_cst: D1, before ask() looks at each state. */
  store_seq_cst(&world.phase, phase);
  unsigned wanted = 0;
  for (struct thread *thread = thread_first(); thread; thread = thread->next)
    if (thread != self && ask(thread)) wanted++;
  return wanted == 0 || await(phase, since, patience);
}

unsigned world_stop(void) {
  struct thread *self = thread_self();
  lock_assert_held(thread_registry_lock_object());
  verify_handler();
  POINT(world_before_signal);
  uint64_t since = platform_now_ns(), patience = PATIENCE_NS;
  while (!try_stop(since, patience)) {
    world_resume();
    platform_futex_wait(&world.acks, load_relaxed(&world.acks), NAP_NS);
    if (patience < PATIENCE_MAX_NS) patience *= 2;
  }
  platform_edge_acquire(&world.phase);
  unsigned stopped = 0;
  for (struct thread *thread = thread_first(); thread; thread = thread->next) {
    thread->named = false;
    if (thread != self && thread->position) stopped++;
  }
  return stopped;
}

void world_resume(void) {
  uint32_t phase = load_relaxed(&world.phase);
  platform_edge_release(&world.phase);
  /* Release: what the collector did; acquire in park and in come_back. */
  store_release(&world.phase, phase + 1);
  platform_futex_wake_all(&world.phase);
  POINT(world_after_resume);
}

struct own {
  struct thread *self;
  void (*body)(void *);
  void *arg;
};

static void scan_own(void *arg, uintptr_t *registers) {
  const struct own *own = arg;
  struct thread *self = own->self;
  platform_position_take(&self->stopped, (uintptr_t)registers);
  self->position = &self->stopped;
  own->body(own->arg);
  self->position = NULL;
}

void world_with_own_registers(struct thread *self, void (*body)(void *), void *arg) {
  struct own own = {self, body, arg};
  platform_with_registers(scan_own, &own);
}
