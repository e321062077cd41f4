/* The signal calls of libc, over signal.c. Sets are one word: Linux has 64 signals, and libc's wider type is padding.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "process.h"

#define CALLER __builtin_return_address(0)
/* Libc lets nobody mask those that it uses itself, and the kernel not these two. */
#define UNMASKABLE (UINT64_C(3) << 31 | UINT64_C(1) << (SIGKILL - 1) | UINT64_C(1) << (SIGSTOP - 1))

/* Alternate stacks are kept as told and never used: a handler runs where its thread stood. */
struct signal_calls_state {
  stack_t alternate[FIBERS_MAX], kept;
  bool changed; /* since setup */
};
static struct signal_calls_state *state;

void signal_calls_forget_setup(void) {
  for (unsigned i = 0; i < FIBERS_MAX; i++) state->alternate[i] = (stack_t){.ss_flags = SS_DISABLE};
  state->kept = state->alternate[0];
}

void signal_calls_initialize(void) {
  state = state_allocate(sizeof *state);
  signal_calls_forget_setup();
}

void signal_calls_keep(void) { state->kept = state->alternate[0]; }

void signal_calls_begin(void) {
  if (!state->changed) return;
  state->changed = false;
  for (unsigned i = 0; i < FIBERS_MAX; i++) state->alternate[i] = (stack_t){.ss_flags = SS_DISABLE};
  state->alternate[0] = state->kept;
}

void signal_calls_born(const struct fiber *fiber) {
  state->changed = true;
  state->alternate[fiber->id] = (stack_t){.ss_flags = SS_DISABLE};
}

/* ---- The program's memory ---- */

static uint64_t get_set(const sigset_t *set, const void *pc) {
  uint64_t bits;
  shadow_access((uintptr_t)set, sizeof bits, false, false, pc);
  memcpy(&bits, set, sizeof bits);
  return bits;
}

static void put(void *to, const void *from, size_t size, const void *pc) {
  if (!to) return;
  shadow_write_range((uintptr_t)to, size, pc);
  world_write(to, from, size);
}

static int error(int number) {
  if (number == 0) return 0;
  errno = number;
  return -1;
}

static bool is_signal(int signal) { return signal > 0 && signal <= 64; }

/* ---- Actions ---- */

int interleave_wrap_sigaction(int signal, const struct sigaction *action, struct sigaction *old);
int interleave_wrap_sigaction(int signal, const struct sigaction *action, struct sigaction *old) {
  if (!is_signal(signal) || signal == 32 || signal == 33) return error(EINVAL);
  if (action && (signal == SIGKILL || signal == SIGSTOP)) return error(EINVAL);
  schedule_point(OP_SIGNAL, 0, action != NULL, false);
  struct signal_action before = signal_get_action((unsigned)signal);
  if (action) {
    shadow_access((uintptr_t)action, sizeof *action, false, false, CALLER);
    uint64_t mask = get_set(&action->sa_mask, CALLER) & ~UNMASKABLE;
    struct signal_action after = {.handler = action->sa_handler, .mask = mask, .flags = action->sa_flags};
    signal_set_action((unsigned)signal, &after);
  }
  if (old) {
    struct sigaction told;
    memset(&told, 0, sizeof told);
    told.sa_handler = before.handler;
    told.sa_flags = before.flags;
    memcpy(&told.sa_mask, &before.mask, sizeof before.mask);
    put(old, &told, sizeof told, CALLER);
  }
  schedule_executed(OP_SIGNAL, 0, 0, UINT32_C(1) << 17 | (uint32_t)signal);
  return 0;
}

void (*interleave_wrap_signal(int signal, void (*handler)(int)))(int);
void (*interleave_wrap_signal(int signal, void (*handler)(int)))(int) {
  struct sigaction action, old;
  memset(&action, 0, sizeof action);
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  return interleave_wrap_sigaction(signal, &action, &old) == 0 ? old.sa_handler : SIG_ERR;
}

int interleave_wrap_sigaltstack(const stack_t *stack, stack_t *old);
int interleave_wrap_sigaltstack(const stack_t *stack, stack_t *old) {
  stack_t *mine = &state->alternate[self()->id];
  stack_t before = *mine;
  if (stack) {
    shadow_access((uintptr_t)stack, sizeof *stack, false, false, CALLER);
    if (stack->ss_flags & ~SS_DISABLE) return error(EINVAL);
    if (!(stack->ss_flags & SS_DISABLE) && stack->ss_size < (size_t)MINSIGSTKSZ) return error(ENOMEM);
    state->changed = true;
    *mine = stack->ss_flags & SS_DISABLE ? (stack_t){.ss_flags = SS_DISABLE} : *stack;
  }
  put(old, &before, sizeof before, CALLER);
  return 0;
}

/* ---- Masks ---- */

static int set_mask(int how, const sigset_t *set, sigset_t *old, const void *pc) {
  if (set && how != SIG_BLOCK && how != SIG_UNBLOCK && how != SIG_SETMASK) return EINVAL;
  struct fiber *me = self();
  schedule_point(OP_SIGNAL, (uintptr_t)me, set != NULL, false);
  uint64_t before = me->mask;
  if (set) {
    uint64_t bits = get_set(set, pc) & ~UNMASKABLE;
    me->mask = how == SIG_SETMASK ? bits : how == SIG_BLOCK ? before | bits : before & ~bits;
  }
  put(old, &before, sizeof before, pc);
  schedule_executed(OP_SIGNAL, 0, 0, UINT32_C(1) << 18 | (before != me->mask));
  signal_take_all();
  return 0;
}

int interleave_wrap_pthread_sigmask(int how, const sigset_t *set, sigset_t *old);
int interleave_wrap_pthread_sigmask(int how, const sigset_t *set, sigset_t *old) {
  return set_mask(how, set, old, CALLER);
}

int interleave_wrap_sigprocmask(int how, const sigset_t *set, sigset_t *old);
int interleave_wrap_sigprocmask(int how, const sigset_t *set, sigset_t *old) {
  return error(set_mask(how, set, old, CALLER));
}

int interleave_wrap_sigpending(sigset_t *set);
int interleave_wrap_sigpending(sigset_t *set) {
  schedule_point(OP_SIGNAL, (uintptr_t)self(), false, false);
  uint64_t pending = self()->queued & self()->mask;
  put(set, &pending, sizeof pending, CALLER);
  return 0;
}

/* ---- Waiting ---- */

static int suspend(uint64_t mask) {
  struct fiber *me = self();
  schedule_point(OP_WAIT, (uintptr_t)&state->alternate[me->id], true, false);
  uint64_t before = me->mask;
  uint32_t handlers = signal_deliveries();
  me->mask = mask;
  signal_take_all();
  while (signal_deliveries() == handlers) schedule_block((uintptr_t)&state->alternate[me->id], UINT64_MAX);
  me->mask = before;
  return error(EINTR);
}

int interleave_wrap_sigsuspend(const sigset_t *set);
int interleave_wrap_sigsuspend(const sigset_t *set) { return suspend(get_set(set, CALLER) & ~UNMASKABLE); }

int interleave_wrap_pause(void);
int interleave_wrap_pause(void) { return suspend(self()->mask); }

int interleave_wrap_sigwait(const sigset_t *set, int *signal);
int interleave_wrap_sigwait(const sigset_t *set, int *signal) {
  uint64_t bits = get_set(set, CALLER);
  int taken;
  do taken = signal_wait(bits, UINT64_MAX);
  while (taken == -EINTR);
  put(signal, &taken, sizeof taken, CALLER);
  return 0;
}

static int wait_for_information(const sigset_t *set, siginfo_t *info, uint64_t deadline, const void *pc) {
  int taken = signal_wait(get_set(set, pc), deadline);
  if (taken < 0) return error(-taken);
  siginfo_t told;
  memset(&told, 0, sizeof told);
  told.si_signo = taken;
  told.si_code = SI_TKILL;
  told.si_pid = PROCESS_ID;
  put(info, &told, sizeof told, pc);
  return taken;
}

int interleave_wrap_sigwaitinfo(const sigset_t *set, siginfo_t *info);
int interleave_wrap_sigwaitinfo(const sigset_t *set, siginfo_t *info) {
  return wait_for_information(set, info, UINT64_MAX, CALLER);
}

int interleave_wrap_sigtimedwait(const sigset_t *set, siginfo_t *info, const struct timespec *timeout);
int interleave_wrap_sigtimedwait(const sigset_t *set, siginfo_t *info, const struct timespec *timeout) {
  if (!timeout) return wait_for_information(set, info, UINT64_MAX, CALLER);
  shadow_access((uintptr_t)timeout, sizeof *timeout, false, false, CALLER);
  uint64_t time = (uint64_t)timeout->tv_sec * 1000000000u + (uint64_t)timeout->tv_nsec;
  return wait_for_information(set, info, RT->now + time, CALLER);
}

/* ---- Sending ---- */

int interleave_wrap_pthread_kill(pthread_t thread, int signal);
int interleave_wrap_pthread_kill(pthread_t thread, int signal) {
  return signal_send(fiber_of_handle((uintptr_t)thread), (unsigned)signal);
}

int interleave_wrap_raise(int signal);
int interleave_wrap_raise(int signal) {
  return is_signal(signal) ? error(signal_send(self(), (unsigned)signal)) : error(EINVAL);
}

int interleave_wrap_tgkill(pid_t process, pid_t thread, int signal);
int interleave_wrap_tgkill(pid_t process, pid_t thread, int signal) {
  if (process <= 0 || thread <= 0) return error(EINVAL);
  return error(process == PROCESS_ID ? signal_send(thread_of_id(thread), (unsigned)signal) : ESRCH);
}

/* To a process: whoever does not mask it takes it, the caller first, then the main thread and on. */
int interleave_wrap_kill(pid_t process, int signal);
int interleave_wrap_kill(pid_t process, int signal) {
  if (process != PROCESS_ID && process != 0) return error(ESRCH);
  struct fiber *to = self();
  uint64_t bit = is_signal(signal) ? UINT64_C(1) << (signal - 1) : 0;
  for (unsigned i = 0; i < RT->fibers && to->mask & bit; i++) {
    struct fiber *fiber = &RT->fiber[i];
    bool lives = fiber->state == FIBER_READY || fiber->state == FIBER_BLOCKED;
    if (lives && !(fiber->mask & bit)) to = fiber;
  }
  return error(signal_send(to, (unsigned)signal));
}
