/* Asynchronous signals: queues, and delivery as a choice. signal_calls.c has what the code under test calls.
 *
 * A signal that is queued and not masked may be taken at each plain access, atomic operation and scheduling point of
 * its thread from the next one on. The first question there is "now?" (choice 0) or later. Later asks for the number of
 * further such places, 0 to 63, in three digits of base 4, each when the one before has run out: every place is reached
 * in exactly one way, a run that ends early asks for no digit in vain, and random strategies, which answer CHOICE_MODEL
 * evenly, find all places about alike. After the last place it is taken for certain. A thread that waits takes it when
 * the strategy picks the thread for that.
 *
 * Sending gives no happens-before edge, so plain data that the handler reads must be ordered by atomics. But what the
 * sender had seen of atomics the handler sees as well, as if by a seq_cst fence: no kernel delivers a signal to a
 * processor that still reads what its sender had overwritten, and code that asks for a thread's attention by a signal
 * says why in an atomic. So also who sends one that is queued already: it is taken after that under the kernel's lock
 * of the queue. The handler is a thread of its own to the race check (memory.c). */
#include <errno.h>
#include <string.h>
#include <ucontext.h>

#include "process.h"

#define SIGNALS    65u /* index is the number */
#define QUEUE_MAX  200u
#define REAL_TIME  32u /* from here on (libc's own among them) they queue; below they coalesce */
#define REFUSALS   2u  /* of a full queue in one run: it drains */
#define DIGITS     3u
#define DIGIT_BITS 2u

struct delay {
  uint8_t asked; /* 0: nothing, 1: "later", then one more for each digit */
  uint8_t left;  /* places still to pass */
};

struct signal_state {
  struct signal_action action[SIGNALS], kept_action[SIGNALS];
  uint64_t kept_mask;
  bool changed; /* since setup */
  unsigned refusals;
  struct clock sent[FIBERS_MAX]; /* what the senders of signals to that thread knew */
  uint8_t count[FIBERS_MAX][SIGNALS];
  struct delay delay[FIBERS_MAX];
  uint32_t deliveries[FIBERS_MAX], interruptions[FIBERS_MAX];
  char waiting[FIBERS_MAX]; /* their addresses are what sigwait waits for */
};
static struct signal_state *state;

void signal_initialize(void) { state = state_allocate(sizeof *state); }

void signal_keep(void) {
  memcpy(state->kept_action, state->action, sizeof state->action);
  state->kept_mask = RT->fiber[0].mask;
}

void signal_begin(void) {
  RT->fiber[0].mask = state->kept_mask;
  if (!state->changed) return;
  state->changed = false;
  memcpy(state->action, state->kept_action, sizeof state->action);
  memset(state->sent, 0, sizeof state->sent);
  memset(state->count, 0, sizeof state->count);
  memset(state->delay, 0, sizeof state->delay);
  memset(state->deliveries, 0, sizeof state->deliveries);
  memset(state->interruptions, 0, sizeof state->interruptions);
  state->refusals = 0;
}

void signal_forget_setup(void) { *state = (struct signal_state){0}; }

static uint64_t bit(unsigned signal) { return UINT64_C(1) << (signal - 1); }

struct signal_action signal_get_action(unsigned signal) {
  return state->action[signal];
}

static bool ignored(unsigned signal) {
  void (*handler)(int) = state->action[signal].handler;
  if (handler == SIG_IGN) return true;
  return handler == SIG_DFL && (signal == SIGCHLD || signal == SIGURG || signal == SIGWINCH || signal == SIGCONT);
}

/* ---- The queue ---- */

static void enqueue(struct fiber *fiber, unsigned signal) {
  uint8_t *count = &state->count[fiber->id][signal];
  state->changed = true;
  clock_join(&state->sent[fiber->id], &self()->clock);
  clock_join(&state->sent[fiber->id], &self()->view);
  memory_barrier_step();
  if (!(fiber->queued & bit(signal))) *count = 0;
  if (signal < REAL_TIME && *count) return;
  (*count)++;
  RT->pending_signals++;
  fiber->queued |= bit(signal);
}

static void dequeue(struct fiber *fiber, unsigned signal) {
  RT->pending_signals--;
  if (--state->count[fiber->id][signal] == 0) fiber->queued &= ~bit(signal);
}

static void drop(struct fiber *fiber, unsigned signal) {
  while (fiber->queued & bit(signal)) dequeue(fiber, signal);
}

void signal_set_action(unsigned signal, const struct signal_action *action) {
  state->changed = true;
  state->action[signal] = *action;
  for (unsigned i = 0; i < RT->fibers && ignored(signal); i++) drop(&RT->fiber[i], signal);
}

void signal_born(struct fiber *fiber, const struct fiber *creator) {
  fiber->mask = creator->mask;
  fiber->queued = 0;
  state->sent[fiber->id] = (struct clock){0};
  state->delay[fiber->id] = (struct delay){0};
  signal_calls_born(fiber);
}

void signal_ended(struct fiber *fiber) {
  while (fiber->queued) drop(fiber, (unsigned)__builtin_ctzll(fiber->queued) + 1);
  state->delay[fiber->id] = (struct delay){0};
}

static bool full(const struct fiber *fiber, unsigned signal) {
  if (signal < REAL_TIME) return false;
  if (state->count[fiber->id][signal] >= QUEUE_MAX) return true;
  if (!RT->model->full_signal_queue || state->refusals >= REFUSALS || choose(CHOICE_FAIL, 2) == 0) return false;
  state->changed = true;
  state->refusals++;
  return true;
}

int signal_send(struct fiber *fiber, unsigned signal) {
  if (signal >= SIGNALS) return EINVAL;
  schedule_point(OP_SIGNAL, (uintptr_t)fiber, true, false);
  if (!fiber || fiber->state == FIBER_FREE || fiber->state == FIBER_ENDED) return ESRCH;
  if (signal == 0) return 0;
  bool refused = full(fiber, signal);
  if (!refused && !ignored(signal)) enqueue(fiber, signal);
  schedule_executed(OP_SIGNAL, 0, 0, (uint32_t)refused << 16 | fiber->id << 8 | signal);
  if (refused) return EAGAIN;
  schedule_wake(fiber, (uintptr_t)&state->waiting[fiber->id]);
  if (fiber == self()) signal_take_all();
  return 0;
}

/* ---- Delivery ---- */

static COLD _Noreturn void fatal(unsigned signal) {
  const char *name = sigabbrev_np((int)signal);
  if (signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU)
    fail(INTERLEAVE_UNSUPPORTED, "signal SIG%s stops the process, which is not modelled", name);
  fail(INTERLEAVE_CRASH, "signal %s%s (%u) was sent to thread %u, and its default action ends the process",
       name ? "SIG" : "of number", name ? name : "", signal, self()->id);
}

static void call(const struct signal_action *action, unsigned signal) {
  if (!(action->flags & SA_SIGINFO)) {
    action->handler((int)signal);
    return;
  }
  siginfo_t info;
  ucontext_t context;
  memset(&info, 0, sizeof info);
  memset(&context, 0, sizeof context);
  info.si_signo = (int)signal;
  info.si_code = SI_TKILL;
  info.si_pid = PROCESS_ID;
  void (*handler)(int, siginfo_t *, void *);
  memcpy(&handler, &action->handler, sizeof handler);
  handler((int)signal, &info, &context);
}

/* The handler is called on the thread's own stack; what the thread was about to do stays told. */
static void deliver(unsigned signal) {
  struct fiber *me = self();
  state->changed = true;
  state->delay[me->id] = (struct delay){0};
  dequeue(me, signal);
  if (ignored(signal)) return;
  struct signal_action action = state->action[signal];
  if (action.handler == SIG_DFL) fatal(signal);
  if (me->handler_depth == WAITS_MAX)
    fail(INTERLEAVE_UNSUPPORTED, "signal handlers are nested more than %u deep", WAITS_MAX);
  if (action.flags & (int)SA_RESETHAND) state->action[signal].handler = SIG_DFL;
  RT->signals++;
  state->deliveries[me->id]++;
  if (!(action.flags & SA_RESTART)) state->interruptions[me->id]++;
  uint64_t mask = me->mask;
  struct operation pending = me->pending;
  me->mask |= action.mask | (action.flags & SA_NODEFER ? 0 : bit(signal));
  /* The handler's frames lie where some of the thread's were. */
  uintptr_t depth = fiber_watch_depth(), here = (uintptr_t)__builtin_frame_address(0);
  shadow_forget(depth, here, me->lane);
  memory_enter_handler();
  clock_join(&me->view, &state->sent[me->id]);
  schedule_executed(OP_DELIVER, 0, 0, signal);
  call(&action, signal);
  /* And the thread's frames to come lie where the handler's were. */
  shadow_forget(fiber_watched_depth(depth), here, me->lane);
  memory_leave_handler();
  me->mask = mask;
  me->pending = pending;
}

bool signal_deliverable(const struct fiber *fiber) { return (fiber->queued & ~fiber->mask) != 0; }

static unsigned lowest_deliverable(void) { return (unsigned)__builtin_ctzll(self()->queued & ~self()->mask) + 1; }

/* Whether the place is passed without taking the signal. */
static bool put_off(struct delay *delay) {
  state->changed = true;
  if (delay->asked == 0) {
    if (choose(CHOICE_SIGNAL, 2) == 0) return false;
    *delay = (struct delay){.asked = 1, .left = 1};
  }
  while (delay->left == 0) {
    if (delay->asked == 1 + DIGITS) return false;
    unsigned weight = (DIGITS - delay->asked) * DIGIT_BITS;
    delay->left = (uint8_t)(choose(CHOICE_MODEL, 1u << DIGIT_BITS) << weight);
    delay->asked++;
  }
  delay->left--;
  return true;
}

void signal_poll(void) {
  struct fiber *me = self();
  if (LIKELY(!signal_deliverable(me))) return;
  if (!RT->model->prompt_signals && put_off(&state->delay[me->id])) return;
  deliver(lowest_deliverable());
}

void signal_take_all(void) {
  if (LIKELY(!signal_deliverable(self()))) return;
  memory_barrier_step(); /* the thread is inside a call: the compiler holds nothing back over that */
  while (signal_deliverable(self())) deliver(lowest_deliverable());
  memory_barrier_step(); /* and it reads again what it needs after that */
}

void signal_deliver_blocked(void) { signal_take_all(); }

uint32_t signal_deliveries(void) { return state->deliveries[self()->id]; }
uint32_t signal_interruptions(void) { return state->interruptions[self()->id]; }

int signal_wait(uint64_t set, uint64_t deadline) {
  struct fiber *me = self();
  schedule_point(OP_WAIT, (uintptr_t)&state->waiting[me->id], true, false);
  uint32_t before = signal_deliveries();
  while (!(me->queued & set)) {
    if (!schedule_block((uintptr_t)&state->waiting[me->id], deadline)) return -EAGAIN;
    if (signal_deliveries() != before) return -EINTR;
  }
  unsigned signal = (unsigned)__builtin_ctzll(me->queued & set) + 1;
  dequeue(me, signal);
  schedule_executed(OP_WAIT, 0, 0, signal);
  return (int)signal;
}
