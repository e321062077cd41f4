/* Semaphores without names, and barriers. */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <semaphore.h>
#include <string.h>

#include "process.h"
#include "sync.h"

#define DESTROYED UINT32_C(0xdead)

/* ---- Semaphores ---- */

/* Lies over sem_t. */
struct semaphore {
  uint32_t value;
  uint32_t state;
};
_Static_assert(sizeof(struct semaphore) <= sizeof(sem_t), "fits");

static int failed(int error) {
  errno = error;
  return -1;
}

static struct semaphore *use_semaphore(sem_t *object, const void *pc) {
  struct semaphore *semaphore = (struct semaphore *)object;
  sync_use(object, pc);
  if (semaphore->state == DESTROYED)
    fail(INTERLEAVE_LOCK, "the semaphore %p is used after its destruction", (void *)object);
  return semaphore;
}

static void initialize_semaphore(sem_t *object, struct semaphore value, const char *what, const void *pc) {
  sem_t bytes;
  memset(&bytes, 0, sizeof bytes);
  memcpy(&bytes, &value, sizeof value);
  sync_overwrite(object, sizeof bytes, &bytes, what, pc);
}

int interleave_wrap_sem_init(sem_t *object, int shared, unsigned value) {
  (void)shared;
  if (value > SEM_VALUE_MAX) return failed(EINVAL);
  initialize_semaphore(object, (struct semaphore){.value = value}, "initialisation of the semaphore", CALLER);
  return 0;
}

int interleave_wrap_sem_destroy(sem_t *object) {
  schedule_point(OP_WAKE, (uintptr_t)object, true, false);
  use_semaphore(object, CALLER);
  initialize_semaphore(object, (struct semaphore){.state = DESTROYED}, "destruction of the semaphore", CALLER);
  schedule_executed(OP_WAKE, (uintptr_t)object, 0, 2);
  return 0;
}

/* 0 or an error: waits until there is one to take. */
static int await_one(const struct semaphore *semaphore, uint64_t deadline) {
  uint32_t interruptions = signal_interruptions();
  while (semaphore->value == 0) {
    if (!sync_block(OP_WAIT, semaphore, true, deadline)) return ETIMEDOUT;
    if (semaphore->value == 0 && signal_interruptions() != interruptions) return EINTR;
  }
  return 0;
}

static int take_one(sem_t *object, bool wait, uint64_t deadline, const void *pc) {
  struct semaphore *semaphore = (struct semaphore *)object;
  sync_point_unless(wait && semaphore->value == 0 && deadline > RT->now, OP_WAIT, object, true);
  use_semaphore(object, pc);
  if (!wait && semaphore->value == 0) sync_tried_in_vain(object, pc);
  int rc = wait ? await_one(semaphore, deadline) : semaphore->value ? 0 : EAGAIN;
  if (rc == 0) {
    use_semaphore(object, pc);
    memory_acquire(&sync_clocks(object)->released);
    sync_put(&semaphore->value, semaphore->value - 1);
    if (semaphore->value == 0) schedule_reblock((uintptr_t)object);
    self()->spin_count = 0;
  }
  schedule_executed(OP_WAIT, (uintptr_t)object, 0, (uint32_t)rc);
  return rc ? failed(rc) : 0;
}

int interleave_wrap_sem_wait(sem_t *object) { return take_one(object, true, NO_DEADLINE, CALLER); }

int interleave_wrap_sem_trywait(sem_t *object) { return take_one(object, false, 0, CALLER); }

static int take_one_until(sem_t *object, clockid_t clock, const struct timespec *time, const void *pc) {
  uint64_t deadline;
  if (!time_is_known_clock(clock) || !time_deadline(clock, time, &deadline)) return failed(EINVAL);
  return take_one(object, true, deadline, pc);
}

int interleave_wrap_sem_timedwait(sem_t *object, const struct timespec *time) {
  return take_one_until(object, CLOCK_REALTIME, time, CALLER);
}

int interleave_wrap_sem_clockwait(sem_t *object, clockid_t clock, const struct timespec *time) {
  return take_one_until(object, clock, time, CALLER);
}

int interleave_wrap_sem_post(sem_t *object) {
  uintptr_t address = (uintptr_t)object;
  schedule_point(OP_WAKE, address, true, false);
  struct semaphore *semaphore = use_semaphore(object, CALLER);
  if (semaphore->value == SEM_VALUE_MAX) return failed(EOVERFLOW);
  memory_release(&sync_clocks(object)->released);
  sync_put(&semaphore->value, semaphore->value + 1);
  schedule_wake_all(address);
  sync_changed(object);
  schedule_executed(OP_WAKE, address, 0, 0);
  return 0;
}

int interleave_wrap_sem_getvalue(sem_t *object, int *value) {
  schedule_point(OP_WAIT, (uintptr_t)object, false, false);
  int now = (int)use_semaphore(object, CALLER)->value;
  shadow_write_range((uintptr_t)value, sizeof *value, CALLER);
  *value = now;
  schedule_executed(OP_WAIT, (uintptr_t)object, 0, (uint32_t)now);
  return 0;
}

/* ---- Barriers ---- */

/* Lies over pthread_barrier_t. */
struct barrier {
  uint32_t state;
  uint32_t count;
  uint32_t arrived;
};
_Static_assert(sizeof(struct barrier) <= sizeof(pthread_barrier_t), "fits");

/* On the stack of one who has arrived. What it learns is of its own round alone: others may arrive for the next round
 * before it goes on. */
struct arrival {
  struct waiter waiter;
  struct clock round;
};

static struct barrier *use_barrier(pthread_barrier_t *object, const void *pc) {
  struct barrier *barrier = (struct barrier *)object;
  sync_use(object, pc);
  if (barrier->state == DESTROYED)
    fail(INTERLEAVE_LOCK, "the barrier %p is used after its destruction", (void *)object);
  if (barrier->count == 0) fail(INTERLEAVE_LOCK, "the barrier %p is used, but was never initialised", (void *)object);
  return barrier;
}

static void initialize_barrier(pthread_barrier_t *object, struct barrier value, const char *what, const void *pc) {
  pthread_barrier_t bytes;
  memset(&bytes, 0, sizeof bytes);
  memcpy(&bytes, &value, sizeof value);
  sync_overwrite(object, sizeof bytes, &bytes, what, pc);
}

int interleave_wrap_pthread_barrier_init(pthread_barrier_t *object, const pthread_barrierattr_t *attributes,
                                         unsigned count) {
  (void)attributes;
  if (count == 0 || count > INT_MAX) return EINVAL;
  initialize_barrier(object, (struct barrier){.count = count}, "initialisation of the barrier", CALLER);
  return 0;
}

int interleave_wrap_pthread_barrier_destroy(pthread_barrier_t *object) {
  schedule_point(OP_WAKE, (uintptr_t)object, true, false);
  const struct barrier *barrier = use_barrier(object, CALLER);
  if (barrier->arrived)
    fail(INTERLEAVE_LOCK, "destruction of the barrier %p while %u threads wait at it", (void *)object,
         barrier->arrived);
  initialize_barrier(object, (struct barrier){.state = DESTROYED}, "destruction of the barrier", CALLER);
  schedule_executed(OP_WAKE, (uintptr_t)object, 0, 2);
  return 0;
}

static void open_round(struct barrier *barrier, struct clock *round) {
  for (struct waiter *waiter; (waiter = waiter_first((uintptr_t)barrier));) {
    ((struct arrival *)waiter)->round = *round;
    waiter_wake_one(waiter);
  }
  sync_put(&barrier->arrived, 0);
  memory_acquire(round);
  *round = (struct clock){0};
}

int interleave_wrap_pthread_barrier_wait(pthread_barrier_t *object) {
  uintptr_t address = (uintptr_t)object;
  schedule_point(OP_WAIT, address, true, false);
  struct barrier *barrier = use_barrier(object, CALLER);
  struct clock *round = &sync_clocks(object)->released;
  memory_release(round);
  sync_put(&barrier->arrived, barrier->arrived + 1);
  bool last = barrier->arrived == barrier->count;
  schedule_executed(OP_WAIT, address, 0, last);
  self()->spin_count = 0;
  if (last) {
    open_round(barrier, round);
    return PTHREAD_BARRIER_SERIAL_THREAD;
  }
  struct arrival arrival = {.waiter = {.mask = 1}};
  waiter_add(&arrival.waiter, address);
  while (!arrival.waiter.chosen) sync_block(OP_WAIT, object, false, NO_DEADLINE);
  waiter_remove(&arrival.waiter);
  memory_acquire(&arrival.round);
  return 0;
}
