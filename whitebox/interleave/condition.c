/* Condition variables of POSIX and C11. A signal makes no happens-before edge of its own: the mutex does. */
#include <errno.h>
#include <string.h>
#include <threads.h>

#include "sync.h"

#define DESTROYED UINT32_C(0xdead)

/* Lies over pthread_cond_t and cnd_t; all zero after static initialisation. */
struct condition {
  uint32_t state;
  uint32_t monotonic; /* which clock pthread_cond_timedwait looks at */
};
_Static_assert(sizeof(struct condition) <= sizeof(pthread_cond_t), "fits");
_Static_assert(sizeof(cnd_t) == sizeof(pthread_cond_t), "one layout for both");

static struct condition *use(void *object, const void *pc) {
  struct condition *condition = object;
  sync_use(object, pc);
  if (condition->state == DESTROYED) fail(INTERLEAVE_LOCK, "the condition %p is used after its destruction", object);
  return condition;
}

static void initialize(void *object, uint32_t state, bool monotonic, const char *what, const void *pc) {
  pthread_cond_t bytes;
  memset(&bytes, 0, sizeof bytes);
  memcpy(&bytes, &(struct condition){state, monotonic}, sizeof(struct condition));
  sync_overwrite(object, sizeof bytes, &bytes, what, pc);
}

int interleave_wrap_pthread_cond_init(pthread_cond_t *object, const pthread_condattr_t *attributes) {
  clockid_t clock = CLOCK_REALTIME;
  if (attributes) pthread_condattr_getclock(attributes, &clock);
  initialize(object, 0, clock == CLOCK_MONOTONIC, "initialisation of the condition", CALLER);
  return 0;
}

static void destroy(void *object, const void *pc) {
  schedule_point(OP_WAKE, (uintptr_t)object, true, false);
  use(object, pc);
  const struct waiter *waiter = waiter_first((uintptr_t)object);
  if (waiter)
    fail(INTERLEAVE_LOCK, "destruction of the condition %p while thread %u waits for it", object, waiter->fiber->id);
  initialize(object, DESTROYED, false, "destruction of the condition", pc);
  schedule_executed(OP_WAKE, (uintptr_t)object, 0, 0);
}

int interleave_wrap_pthread_cond_destroy(pthread_cond_t *object) {
  destroy(object, CALLER);
  return 0;
}

/* ---- Waiting ---- */

/* POSIX leaves both open; glibc would let another thread's critical section in, or keep the mutex. */
static COLD int refuse_mutex(const void *object, const pthread_mutex_t *mutex) {
  if (held_by(mutex) != own_id()) {
    if (mutex_is_checked(mutex)) return EPERM;
    fail(INTERLEAVE_LOCK, "thread %u waits for the condition %p and does not hold its mutex %p", self()->id, object,
         (const void *)mutex);
  }
  fail(INTERLEAVE_LOCK, "thread %u waits for the condition %p with the recursive mutex %p taken more than once",
       self()->id, object, (const void *)mutex);
}

static void check_same_mutex(const void *object, const pthread_mutex_t *mutex) {
  const struct waiter *other = waiter_first((uintptr_t)object);
  if (other && other->mutex != mutex)
    fail(INTERLEAVE_LOCK, "threads %u and %u wait for the condition %p with different mutexes, %p and %p",
         other->fiber->id, self()->id, object, other->mutex, (const void *)mutex);
}

/* What comes next, whatever ends the wait, is that the mutex is taken. */
static bool block(uintptr_t address, const pthread_mutex_t *mutex, uint64_t deadline, bool *waited) {
  if (deadline <= RT->now) return false;
  *waited = true;
  self()->pending = (struct operation){.kind = OP_LOCK, .write = true, .address = (uintptr_t)mutex};
  return schedule_block(address, deadline);
}

/* In line first, then the mutex is let go: whoever takes it from then on and signals finds us, and a signal without the
 * mutex may come before, between or after. */
static int wait(void *object, pthread_mutex_t *mutex, uint64_t deadline, const void *pc) {
  uintptr_t address = (uintptr_t)object;
  schedule_point(OP_WAIT, address, true, false);
  use(object, pc);
  if (!mutex_is_held_once(mutex)) return refuse_mutex(object, mutex);
  check_same_mutex(object, mutex);
  struct waiter waiter = {.mutex = mutex, .mask = 1};
  waiter_add(&waiter, address);
  schedule_executed(OP_WAIT, address, 0, 0);
  mutex_let_go(mutex, pc);

  bool in_time = true, waited = false;
  if (deadline <= RT->now || !sync_spurious(SPURIOUS_CONDITION))
    while (in_time && !waiter.chosen) in_time = block(address, mutex, deadline, &waited);
  waiter_remove(&waiter);
  int rc = mutex_take_back(mutex, waited, pc);
  if (rc != 0) return rc;
  return in_time || waiter.chosen ? 0 : ETIMEDOUT;
}

int interleave_wrap_pthread_cond_wait(pthread_cond_t *object, pthread_mutex_t *mutex) {
  return wait(object, mutex, NO_DEADLINE, CALLER);
}

static int wait_until(void *object, pthread_mutex_t *mutex, clockid_t clock, const struct timespec *time,
                      const void *pc) {
  uint64_t deadline;
  if (!time_deadline(clock, time, &deadline)) return EINVAL;
  return wait(object, mutex, deadline, pc);
}

int interleave_wrap_pthread_cond_timedwait(pthread_cond_t *object, pthread_mutex_t *mutex,
                                           const struct timespec *time) {
  const struct condition *condition = (const struct condition *)object;
  return wait_until(object, mutex, condition->monotonic ? CLOCK_MONOTONIC : CLOCK_REALTIME, time, CALLER);
}

int interleave_wrap_pthread_cond_clockwait(pthread_cond_t *object, pthread_mutex_t *mutex, clockid_t clock,
                                           const struct timespec *time) {
  return time_is_known_clock(clock) ? wait_until(object, mutex, clock, time, CALLER) : EINVAL;
}

/* ---- Waking ---- */

static void wake(void *object, unsigned count, const void *pc) {
  uintptr_t address = (uintptr_t)object;
  schedule_point(OP_WAKE, address, true, false);
  use(object, pc);
  schedule_executed(OP_WAKE, address, 0, waiter_wake(address, count, 1));
}

int interleave_wrap_pthread_cond_signal(pthread_cond_t *object) {
  wake(object, 1, CALLER);
  return 0;
}

int interleave_wrap_pthread_cond_broadcast(pthread_cond_t *object) {
  wake(object, FIBERS_MAX, CALLER);
  return 0;
}

/* ---- C11 ---- */

int interleave_wrap_cnd_init(cnd_t *object) {
  initialize(object, 0, false, "initialisation of the condition", CALLER);
  return thrd_success;
}

void interleave_wrap_cnd_destroy(cnd_t *object) { destroy(object, CALLER); }

int interleave_wrap_cnd_wait(cnd_t *object, mtx_t *mutex) {
  return wait(object, (pthread_mutex_t *)mutex, NO_DEADLINE, CALLER) == 0 ? thrd_success : thrd_error;
}

int interleave_wrap_cnd_timedwait(cnd_t *object, mtx_t *mutex, const struct timespec *time) {
  int rc = wait_until(object, (pthread_mutex_t *)mutex, CLOCK_REALTIME, time, CALLER);
  return rc == 0 ? thrd_success : rc == ETIMEDOUT ? thrd_timedout : thrd_error;
}

int interleave_wrap_cnd_signal(cnd_t *object) {
  wake(object, 1, CALLER);
  return thrd_success;
}

int interleave_wrap_cnd_broadcast(cnd_t *object) {
  wake(object, FIBERS_MAX, CALLER);
  return thrd_success;
}
