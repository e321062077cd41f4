/* pthread_create and its kin: threads are fibers. The names that a sanitizer's interceptors have are here too, for code
 * that stands between the program and a sanitizer (libvgc's own pthread_create). */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "process.h"
#include "sync.h"

#define KEYS_MAX 128u

struct thread_state {
  bool changed;             /* in this run */
  unsigned keys, kept_keys; /* known to us */
  struct {
    pthread_key_t key;
    void (*destructor)(void *);
    bool live;
    void *value; /* the main thread's, after setup */
  } key[KEYS_MAX], kept[KEYS_MAX];
};
static struct thread_state *state;

void thread_initialize(void) { state = state_allocate(sizeof *state); }

static void clear_values(void) {
  for (unsigned i = state->kept_keys; i < state->keys; i++)
    if (state->key[i].live) pthread_setspecific(state->key[i].key, NULL);
}

/* libc keeps the values, in the donors; what a run set is cleared, what it made is deleted. A value outlives its key
 * there, and a collector may look at it: it is cleared first. */
void thread_begin(void) {
  if (!state->changed) return;
  state->changed = false;
  if (state->keys > state->kept_keys) fiber_with_each(clear_values);
  for (unsigned i = state->kept_keys; i < state->keys; i++)
    if (state->key[i].live) pthread_key_delete(state->key[i].key);
  state->keys = state->kept_keys;
  memcpy(state->key, state->kept, sizeof state->kept);
}

void thread_keep(void) {
  state->kept_keys = state->keys;
  memcpy(state->kept, state->key, sizeof state->kept);
}

void thread_forget_setup(void) {
  state->kept_keys = 0;
  state->changed = true;
  thread_begin();
}

/* ---- Keys ---- */

int interleave_wrap_pthread_key_create(pthread_key_t *key, void (*destructor)(void *));
int interleave_wrap_pthread_key_create(pthread_key_t *key, void (*destructor)(void *)) {
  if (state->keys == KEYS_MAX) return EAGAIN;
  int error = pthread_key_create(key, NULL);
  if (error) return error;
  shadow_write_range((uintptr_t)key, sizeof *key, __builtin_return_address(0));
  state->changed = true;
  state->key[state->keys].key = *key;
  state->key[state->keys].destructor = destructor;
  state->key[state->keys++].live = true;
  return 0;
}

int interleave_wrap_pthread_key_delete(pthread_key_t key);
int interleave_wrap_pthread_key_delete(pthread_key_t key) {
  for (unsigned i = 0; i < state->keys; i++)
    if (state->key[i].live && state->key[i].key == key) {
      state->changed = true;
      state->key[i].live = false;
      return pthread_key_delete(key);
    }
  return EINVAL;
}

/* libc keeps the values in the donors, where an earlier run may have left some. */
static void restore_values(bool main) {
  for (unsigned i = 0; i < state->keys; i++)
    if (state->key[i].live) pthread_setspecific(state->key[i].key, main ? state->key[i].value : NULL);
}

void thread_note_values(void) {
  for (unsigned i = 0; i < state->keys; i++)
    if (state->key[i].live) state->key[i].value = pthread_getspecific(state->key[i].key);
}

static bool destroy_values(void) {
  bool any = false;
  for (unsigned i = 0; i < state->keys; i++) {
    if (!state->key[i].live || !state->key[i].destructor) continue;
    void *value = pthread_getspecific(state->key[i].key);
    if (!value) continue;
    any = true;
    pthread_setspecific(state->key[i].key, NULL);
    state->key[i].destructor(value);
  }
  return any;
}

/* ---- Life and death ---- */

static _Noreturn void end(void *result) {
  struct fiber *me = self();
  for (unsigned round = 0; round < PTHREAD_DESTRUCTOR_ITERATIONS; round++)
    if (!destroy_values()) break;
  me->result = result;
  sync_thread_ends();
  schedule_point(OP_EXIT, (uintptr_t)me, true, false);
  memory_release(&me->ended);
  schedule_executed(OP_EXIT, (uintptr_t)me, 0, 0);
  signal_ended(me);
  schedule_wake_all((uintptr_t)me);
  schedule_end();
}

static void body(void) {
  struct fiber *me = self();
  restore_values(false);
  schedule_executed(OP_START, 0, 0, 0);
  if (UNLIKELY(RT->pending_signals)) signal_poll();
  end(me->start(me->argument));
}

void thread_main(void) {
  restore_values(true);
  RT->model->run();
  end(NULL);
}

/* One that was never used in this run, else one whose thread has been joined: so handles are reused as late as may be.
 */
static struct fiber *free_fiber(void) {
  for (unsigned i = RT->fibers; i < FIBERS_MAX; i++)
    if (RT->fiber[i].state == FIBER_FREE) return &RT->fiber[i];
  for (unsigned i = 1; i < RT->fibers; i++)
    if (RT->fiber[i].state == FIBER_FREE || (RT->fiber[i].state == FIBER_ENDED && RT->fiber[i].detached))
      return &RT->fiber[i];
  return NULL;
}

int interleave_wrap_pthread_create(pthread_t *, const pthread_attr_t *, void *(*start)(void *), void *arg);
int interleave_wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *),
                                   void *arg) {
  int detached = PTHREAD_CREATE_JOINABLE;
  if (attributes) pthread_attr_getdetachstate(attributes, &detached);
  if (RT->setting_up) fail(INTERLEAVE_UNSUPPORTED, "setup starts a thread; start it in the run");
  /* Ids follow the order of creation, so creations depend on each other. */
  schedule_point(OP_START, (uintptr_t)state, true, false);
  struct fiber *fiber = free_fiber();
  if (!fiber) fail(INTERLEAVE_UNSUPPORTED, "more than %u threads at once", FIBERS_MAX);
  /* The clocks of a slot's threads and of their handlers go on: an earlier one's accesses stay behind. */
  uint16_t handler_clock = fiber->after_handler.lane[FIBERS_MAX + fiber->id];
  fiber_reset(fiber, fiber->clock.lane[fiber->id]);
  fiber->after_handler.lane[FIBERS_MAX + fiber->id] = handler_clock;
  fiber->handled = true;
  fiber->start = start;
  fiber->argument = arg;
  fiber->detached = detached == PTHREAD_CREATE_DETACHED;
  signal_born(fiber, self());
  fiber->pending = (struct operation){.kind = OP_START, .address = (uintptr_t)fiber};
  clock_join(&fiber->view, &self()->view);
  memory_release(&fiber->clock);
  fiber_prepare(fiber, body);
  pthread_t handle = (pthread_t)fiber_handle(fiber);
  shadow_write_range((uintptr_t)thread, sizeof *thread, __builtin_return_address(0));
  *thread = handle;
  schedule_executed(OP_START, (uintptr_t)fiber, 0, fiber->id);
  schedule_ready(fiber);
  return 0;
}

_Noreturn void interleave_wrap_pthread_exit(void *result);
_Noreturn void interleave_wrap_pthread_exit(void *result) {
  if (self()->handler_depth) fail(INTERLEAVE_UNSUPPORTED, "pthread_exit in a signal handler");
  end(result);
}

/* ---- Joining ---- */

static int join(pthread_t handle, void **result, uint64_t deadline) {
  struct fiber *fiber = fiber_of_handle((uintptr_t)handle);
  if (!fiber || fiber->state == FIBER_FREE) return ESRCH;
  if (fiber->detached) return EINVAL;
  if (fiber == self()) return EDEADLK;
  schedule_point(OP_JOIN, (uintptr_t)fiber, false, false);
  while (fiber->state != FIBER_ENDED) {
    if (deadline == 0) return EBUSY;
    if (!schedule_block((uintptr_t)fiber, deadline)) return ETIMEDOUT;
  }
  memory_acquire(&fiber->ended);
  schedule_executed(OP_JOIN, (uintptr_t)fiber, 0, fiber->id);
  if (result) {
    shadow_write_range((uintptr_t)result, sizeof *result, __builtin_return_address(0));
    *result = fiber->result;
  }
  fiber->state = FIBER_FREE;
  return 0;
}

int interleave_wrap_pthread_join(pthread_t, void **);
int interleave_wrap_pthread_join(pthread_t thread, void **result) { return join(thread, result, UINT64_MAX); }

int interleave_wrap_pthread_tryjoin_np(pthread_t, void **);
int interleave_wrap_pthread_tryjoin_np(pthread_t thread, void **result) { return join(thread, result, 0); }

/* The virtual clocks are one (time.c). */
static uint64_t nanoseconds(const struct timespec *time) {
  return (uint64_t)time->tv_sec * 1000000000u + (uint64_t)time->tv_nsec;
}

int interleave_wrap_pthread_timedjoin_np(pthread_t, void **, const struct timespec *);
int interleave_wrap_pthread_timedjoin_np(pthread_t thread, void **result, const struct timespec *deadline) {
  uint64_t time = nanoseconds(deadline);
  return join(thread, result, time ? time : 1);
}

int interleave_wrap_pthread_clockjoin_np(pthread_t, void **, clockid_t, const struct timespec *);
int interleave_wrap_pthread_clockjoin_np(pthread_t thread, void **result, clockid_t clock,
                                         const struct timespec *deadline) {
  (void)clock;
  return deadline ? interleave_wrap_pthread_timedjoin_np(thread, result, deadline) : join(thread, result, UINT64_MAX);
}

int interleave_wrap_pthread_detach(pthread_t);
int interleave_wrap_pthread_detach(pthread_t thread) {
  struct fiber *fiber = fiber_of_handle((uintptr_t)thread);
  if (!fiber || fiber->state == FIBER_FREE) return ESRCH;
  if (fiber->detached) return EINVAL;
  fiber->detached = true;
  return 0;
}

#define INTERCEPTOR(name)                                                                                              \
  extern __typeof__(interleave_wrap_##name) __interceptor_##name __attribute__((alias("interleave_wrap_" #name)))
INTERCEPTOR(pthread_create);
INTERCEPTOR(pthread_exit);
INTERCEPTOR(pthread_join);
INTERCEPTOR(pthread_tryjoin_np);
INTERCEPTOR(pthread_timedjoin_np);
INTERCEPTOR(pthread_detach);

unsigned interleave_self(void) { return self()->id; }
