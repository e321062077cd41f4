/* Mutexes of POSIX and C11: normal, recursive, error-checking, robust. */
#include "sync.h"

#include <errno.h>
#include <string.h>
#include <threads.h>

enum { KIND_TYPE = 3, KIND_ROBUST = 16, KIND_DESTROYED = -1 };
enum { OWNER_DIED = 1, NOT_RECOVERABLE = 2 };

/* Lies over pthread_mutex_t and mtx_t. The kind is where glibc's static initialisers put it; all else is zero there. */
struct mutex {
  uint32_t flags;
  uint32_t count; /* how often a recursive one is taken */
  uint32_t owner;
  uint32_t unused;
  int32_t kind;
};
_Static_assert(sizeof(struct mutex) <= sizeof(pthread_mutex_t), "fits");
_Static_assert(offsetof(struct mutex, kind) == offsetof(pthread_mutex_t, __data.__kind), "where glibc has it");
_Static_assert(sizeof(mtx_t) == sizeof(pthread_mutex_t), "one layout for both");

static inline struct mutex *mutex_in(const void *object) { return (struct mutex *)(uintptr_t)object; }
static inline int type_of(const struct mutex *mutex) { return mutex->kind & KIND_TYPE; }
static inline bool is_recursive(const struct mutex *mutex) { return type_of(mutex) == PTHREAD_MUTEX_RECURSIVE_NP; }
/* Misuse is an error that the caller is told of, not undefined. */
static inline bool is_checked(const struct mutex *mutex) {
  return is_recursive(mutex) || type_of(mutex) == PTHREAD_MUTEX_ERRORCHECK_NP || (mutex->kind & KIND_ROBUST);
}

static struct mutex *use(void *object, const void *pc) {
  struct mutex *mutex = object;
  sync_use(object, pc);
  if (mutex->kind == KIND_DESTROYED) fail(INTERLEAVE_LOCK, "the mutex %p is used after its destruction", object);
  if (mutex->kind & ~(KIND_TYPE | KIND_ROBUST))
    fail(INTERLEAVE_LOCK, "the mutex %p is used, but was never initialised", object);
  return mutex;
}

/* ---- Initialisation ---- */

static void initialize(void *object, int kind, const void *pc) {
  pthread_mutex_t bytes;
  memset(&bytes, 0, sizeof bytes);
  mutex_in(&bytes)->kind = kind;
  sync_overwrite(object, sizeof bytes, &bytes, "initialisation of the mutex", pc);
}

int interleave_wrap_pthread_mutex_init(pthread_mutex_t *object, const pthread_mutexattr_t *attributes) {
  int type = PTHREAD_MUTEX_NORMAL, robust = PTHREAD_MUTEX_STALLED;
  if (attributes) {
    pthread_mutexattr_gettype(attributes, &type);
    pthread_mutexattr_getrobust(attributes, &robust);
  }
  initialize(object, type | (robust == PTHREAD_MUTEX_ROBUST ? KIND_ROBUST : 0), CALLER);
  return 0;
}

static void destroy(void *object, const void *pc) {
  if (mutex_in(object)->kind == KIND_DESTROYED) fail(INTERLEAVE_LOCK, "the mutex %p is destroyed twice", object);
  pthread_mutex_t bytes;
  memset(&bytes, 0, sizeof bytes);
  mutex_in(&bytes)->kind = KIND_DESTROYED;
  sync_overwrite(object, sizeof bytes, &bytes, "destruction of the mutex", pc);
}

int interleave_wrap_pthread_mutex_destroy(pthread_mutex_t *object) {
  schedule_point(OP_UNLOCK, (uintptr_t)object, true, false);
  destroy(object, CALLER);
  schedule_executed(OP_UNLOCK, (uintptr_t)object, 0, 2);
  return 0;
}

/* ---- Taking ---- */

/* Once nobody else holds it. */
static int take(struct mutex *mutex) {
  struct sync_clocks *clocks = sync_clocks(mutex);
  memory_acquire(&clocks->released);
  if (mutex->flags & NOT_RECOVERABLE) return ENOTRECOVERABLE;
  bool died = mutex->owner == OWNER_GONE;
  sync_put(&mutex->owner, own_id());
  sync_put(&mutex->count, 1);
  held_add(HELD_MUTEX, mutex);
  schedule_reblock((uintptr_t)mutex);
  self()->spin_count = 0;
  return died || (mutex->flags & OWNER_DIED) ? EOWNERDEAD : 0;
}

static inline bool is_free(const struct mutex *mutex) {
  return mutex->owner == NO_OWNER || (mutex->owner == OWNER_GONE && (mutex->kind & KIND_ROBUST));
}

/* By the thread that holds it already. */
static int take_again(struct mutex *mutex, bool wait, uint64_t deadline) {
  if (is_recursive(mutex)) {
    if (mutex->count == UINT32_MAX) return EAGAIN;
    sync_put(&mutex->count, mutex->count + 1);
    return 0;
  }
  if (!wait) return EBUSY;
  if (type_of(mutex) == PTHREAD_MUTEX_ERRORCHECK_NP) return EDEADLK;
  if (deadline == NO_DEADLINE)
    fail(INTERLEAVE_DEADLOCK, "thread %u waits for the mutex %p, which it holds itself", self()->id, (void *)mutex);
  while (sync_block(OP_LOCK, mutex, true, deadline)) {
  }
  return ETIMEDOUT;
}

/* Another has it, or nobody. */
static int take_from_others(struct mutex *mutex, bool wait, uint64_t deadline, const void *pc) {
  while (!is_free(mutex)) {
    if (!wait) {
      sync_tried_in_vain(mutex, pc);
      if (!is_free(mutex)) return EBUSY;
    } else if (!sync_block(OP_LOCK, mutex, true, deadline))
      return ETIMEDOUT;
    use(mutex, pc);
  }
  return take(mutex);
}

static int lock_now(struct mutex *mutex, bool wait, uint64_t deadline, const void *pc) {
  use(mutex, pc);
  int rc = mutex->owner == own_id() ? take_again(mutex, wait, deadline) : take_from_others(mutex, wait, deadline, pc);
  schedule_executed(OP_LOCK, (uintptr_t)mutex, 0, (uint32_t)rc);
  return rc;
}

static int lock(void *object, bool wait, uint64_t deadline, const void *pc) {
  const struct mutex *mutex = object;
  sync_point_unless(wait && !is_free(mutex) && mutex->owner != own_id() && deadline > RT->now, OP_LOCK, object, true);
  return lock_now(object, wait, deadline, pc);
}

static int lock_until(pthread_mutex_t *object, clockid_t clock, const struct timespec *time, const void *pc) {
  uint64_t deadline;
  if (!time_deadline(clock, time, &deadline)) return EINVAL;
  return lock(object, true, deadline, pc);
}

int interleave_wrap_pthread_mutex_lock(pthread_mutex_t *object) { return lock(object, true, NO_DEADLINE, CALLER); }

int interleave_wrap_pthread_mutex_trylock(pthread_mutex_t *object) { return lock(object, false, 0, CALLER); }

int interleave_wrap_pthread_mutex_timedlock(pthread_mutex_t *object, const struct timespec *time) {
  return lock_until(object, CLOCK_REALTIME, time, CALLER);
}

int interleave_wrap_pthread_mutex_clocklock(pthread_mutex_t *object, clockid_t clock, const struct timespec *time) {
  return time_is_known_clock(clock) ? lock_until(object, clock, time, CALLER) : EINVAL;
}

/* ---- Letting go ---- */

static void release(struct mutex *mutex) {
  memory_release(&sync_clocks(mutex)->released);
  held_remove(HELD_MUTEX, mutex);
  sync_put(&mutex->count, 0);
  sync_put(&mutex->owner, NO_OWNER);
  if (mutex->flags & OWNER_DIED) sync_put(&mutex->flags, NOT_RECOVERABLE);
  schedule_wake_all((uintptr_t)mutex);
  sync_changed(mutex);
}

static COLD _Noreturn void fail_unlock(const struct mutex *mutex) {
  if (mutex->owner == NO_OWNER)
    fail(INTERLEAVE_LOCK, "thread %u unlocks the mutex %p, which nobody holds", self()->id, (const void *)mutex);
  if (mutex->owner >= OWNER_LOST)
    fail(INTERLEAVE_LOCK, "thread %u unlocks the mutex %p, which a thread held that is no more", self()->id,
         (const void *)mutex);
  fail(INTERLEAVE_LOCK, "thread %u unlocks the mutex %p, which thread %u holds", self()->id, (const void *)mutex,
       mutex->owner - 1);
}

static int unlock(void *object, const void *pc) {
  uintptr_t address = (uintptr_t)object;
  schedule_point(OP_UNLOCK, address, true, false);
  struct mutex *mutex = use(object, pc);
  int rc = 0;
  if (mutex->owner != own_id()) {
    if (!is_checked(mutex)) fail_unlock(mutex);
    rc = EPERM;
  } else if (mutex->count > 1)
    sync_put(&mutex->count, mutex->count - 1);
  else
    release(mutex);
  schedule_executed(OP_UNLOCK, address, 0, (uint32_t)rc);
  return rc;
}

int interleave_wrap_pthread_mutex_unlock(pthread_mutex_t *object) { return unlock(object, CALLER); }

/* ---- Owners that end ---- */

bool mutex_is_robust(const pthread_mutex_t *object) { return mutex_in(object)->kind & KIND_ROBUST; }

/* One that is not robust is never free again; its owner's id may soon be another thread's. */
void mutex_owner_ended(pthread_mutex_t *object) {
  struct mutex *mutex = mutex_in(object);
  schedule_point(OP_UNLOCK, (uintptr_t)mutex, true, false);
  memory_release(&sync_clocks(mutex)->released);
  sync_put(&mutex->count, 0);
  sync_put(&mutex->flags, mutex->flags | OWNER_DIED);
  sync_put(&mutex->owner, OWNER_GONE);
  schedule_wake_all((uintptr_t)mutex);
  sync_changed(mutex);
  schedule_executed(OP_UNLOCK, (uintptr_t)mutex, 0, 3);
}

void mutex_owner_lost(pthread_mutex_t *object) { sync_put(&mutex_in(object)->owner, OWNER_LOST); }

int interleave_wrap_pthread_mutex_consistent(pthread_mutex_t *object) {
  struct mutex *mutex = use(object, CALLER);
  if (!(mutex->kind & KIND_ROBUST) || !(mutex->flags & OWNER_DIED) || mutex->owner != own_id()) return EINVAL;
  sync_put(&mutex->flags, mutex->flags & ~(uint32_t)OWNER_DIED);
  return 0;
}

/* ---- For conditions ---- */

bool mutex_is_free(const pthread_mutex_t *object) { return is_free(mutex_in(object)); }

bool mutex_is_held_once(const pthread_mutex_t *object) {
  const struct mutex *mutex = mutex_in(object);
  return mutex->owner == own_id() && mutex->count == 1;
}

bool mutex_is_checked(const pthread_mutex_t *object) { return is_checked(mutex_in(object)); }

void mutex_let_go(pthread_mutex_t *object, const void *pc) { unlock(object, pc); }

int mutex_take_back(pthread_mutex_t *object, bool waited, const void *pc) {
  return waited ? lock_now(mutex_in(object), true, NO_DEADLINE, pc) : lock(object, true, NO_DEADLINE, pc);
}

/* ---- C11 ---- */

static int as_thrd(int rc) {
  switch (rc) {
  case 0:
    return thrd_success;
  case EBUSY:
    return thrd_busy;
  case ETIMEDOUT:
    return thrd_timedout;
  default:
    return thrd_error;
  }
}

int interleave_wrap_mtx_init(mtx_t *object, int type) {
  if (type & ~(mtx_recursive | mtx_timed)) return thrd_error;
  initialize(object, type & mtx_recursive ? PTHREAD_MUTEX_RECURSIVE_NP : PTHREAD_MUTEX_NORMAL, CALLER);
  return thrd_success;
}

void interleave_wrap_mtx_destroy(mtx_t *object) {
  schedule_point(OP_UNLOCK, (uintptr_t)object, true, false);
  destroy(object, CALLER);
  schedule_executed(OP_UNLOCK, (uintptr_t)object, 0, 2);
}

int interleave_wrap_mtx_lock(mtx_t *object) { return as_thrd(lock(object, true, NO_DEADLINE, CALLER)); }

int interleave_wrap_mtx_trylock(mtx_t *object) { return as_thrd(lock(object, false, 0, CALLER)); }

int interleave_wrap_mtx_timedlock(mtx_t *object, const struct timespec *time) {
  uint64_t deadline;
  if (!time_deadline(CLOCK_REALTIME, time, &deadline)) return thrd_error;
  return as_thrd(lock(object, true, deadline, CALLER));
}

int interleave_wrap_mtx_unlock(mtx_t *object) { return as_thrd(unlock(object, CALLER)); }
