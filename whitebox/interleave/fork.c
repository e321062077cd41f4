/* fork: whether the run goes on as the parent or as the child is a choice; the other process is not run. The child has
 * the forking thread only, in its own place (its id, its stack). */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process.h"
#include "sync.h"

#define HANDLERS_MAX 64u

struct fork_handlers {
  void (*prepare)(void);
  void (*parent)(void);
  void (*child)(void);
};

struct fork_state {
  unsigned handlers, kept_handlers; /* they are only ever added */
  unsigned children;                /* not yet waited for */
  struct fork_handlers handler[HANDLERS_MAX];
};
static struct fork_state *state;

void fork_initialize(void) { state = state_allocate(sizeof *state); }
void fork_keep(void) { state->kept_handlers = state->handlers; }
void fork_forget_setup(void) { state->handlers = state->kept_handlers = 0; }
void fork_begin(void) {
  state->handlers = state->kept_handlers;
  state->children = 0;
}

int interleave_wrap_pthread_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void));
int interleave_wrap_pthread_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void)) {
  if (state->handlers == HANDLERS_MAX) return ENOMEM;
  state->handler[state->handlers++] = (struct fork_handlers){prepare, parent, child};
  return 0;
}

/* What the other threads hold stays held, and what they were about to do stays half done. */
static void become_child(void) {
  struct fiber *me = self();
  for (unsigned i = 0; i < RT->fibers; i++) {
    struct fiber *fiber = &RT->fiber[i];
    if (fiber == me) continue;
    memory_acquire(&fiber->clock);
    signal_ended(fiber);
    fiber->state = FIBER_FREE;
    fiber->waits = 0;
    fiber->spinning = false;
    RT->enabled &= ~(UINT32_C(1) << i);
    RT->spinners &= ~(UINT32_C(1) << i);
  }
  sync_forked();
  loader_forked();
  signal_ended(me); /* pending signals are not inherited */
  state->children = 0;
}

pid_t interleave_wrap_fork(void);
pid_t interleave_wrap_fork(void) {
  for (unsigned i = state->handlers; i-- > 0;)
    if (state->handler[i].prepare) state->handler[i].prepare();
  schedule_point(OP_YIELD, 0, true, false);
  RT->forks++;
  bool child = choose(CHOICE_MODEL, 2) != 0;
  schedule_executed(OP_YIELD, 0, 0, UINT32_C(1) << 8 | child);
  if (child)
    become_child();
  else
    state->children++;
  for (unsigned i = 0; i < state->handlers; i++) {
    void (*handler)(void) = child ? state->handler[i].child : state->handler[i].parent;
    if (handler) handler();
  }
  return child ? 0 : CHILD_ID;
}

/* The child has ended well by the time that anybody asks. */
pid_t interleave_wrap_waitpid(pid_t process, int *status, int options);
pid_t interleave_wrap_waitpid(pid_t process, int *status, int options) {
  (void)options;
  schedule_point(OP_YIELD, 0, true, false);
  if ((process != CHILD_ID && process != -1) || state->children == 0) {
    errno = ECHILD;
    return -1;
  }
  state->children--;
  static const int success = 0;
  if (status) {
    shadow_write_range((uintptr_t)status, sizeof *status, __builtin_return_address(0));
    world_write(status, &success, sizeof success);
  }
  return CHILD_ID;
}

pid_t interleave_wrap_wait(int *status);
pid_t interleave_wrap_wait(int *status) { return interleave_wrap_waitpid(-1, status, 0); }
