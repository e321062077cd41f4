/* Read-write locks and spin locks. As in glibc, a reader goes past waiting writers, unless the lock's kind forbids it.
 */
#include <errno.h>
#include <string.h>

#include "sync.h"

#define DESTROYED UINT32_C(0xdead)

/* Lies over pthread_rwlock_t. The kind is where glibc's static initialisers put it; all else is zero there. */
struct rwlock {
  uint32_t state;
  uint32_t writer;
  uint8_t reads[FIBERS_MAX]; /* how often each thread holds it for reading */
  uint32_t waiting_writers;
  uint32_t unused[5];
  uint32_t kind;
};
_Static_assert(sizeof(struct rwlock) <= sizeof(pthread_rwlock_t), "fits");
_Static_assert(offsetof(struct rwlock, kind) == offsetof(pthread_rwlock_t, __data.__flags), "where glibc has it");

static struct rwlock *use(pthread_rwlock_t *object, const void *pc) {
  struct rwlock *lock = (struct rwlock *)object;
  sync_use(object, pc);
  if (lock->state == DESTROYED)
    fail(INTERLEAVE_LOCK, "the read-write lock %p is used after its destruction", (void *)object);
  return lock;
}

static void initialize(pthread_rwlock_t *object, uint32_t state, uint32_t kind, const char *what, const void *pc) {
  pthread_rwlock_t bytes;
  memset(&bytes, 0, sizeof bytes);
  struct rwlock lock = {.state = state, .kind = kind};
  memcpy(&bytes, &lock, sizeof lock);
  sync_overwrite(object, sizeof bytes, &bytes, what, pc);
}

int interleave_wrap_pthread_rwlock_init(pthread_rwlock_t *object, const pthread_rwlockattr_t *attributes) {
  int kind = PTHREAD_RWLOCK_DEFAULT_NP;
  if (attributes) pthread_rwlockattr_getkind_np(attributes, &kind);
  initialize(object, 0, (uint32_t)kind, "initialisation of the read-write lock", CALLER);
  return 0;
}

int interleave_wrap_pthread_rwlock_destroy(pthread_rwlock_t *object) {
  schedule_point(OP_UNLOCK, (uintptr_t)object, true, false);
  use(object, CALLER);
  initialize(object, DESTROYED, 0, "destruction of the read-write lock", CALLER);
  schedule_executed(OP_UNLOCK, (uintptr_t)object, 0, 2);
  return 0;
}

/* ---- Taking ---- */

/* Readers and writers are woken apart: whoever is woken must be able to go on. */
static uintptr_t line_of(const struct rwlock *lock, bool write) { return (uintptr_t)lock + (write ? 0 : 8); }

static bool has_reader(const struct rwlock *lock) {
  for (unsigned i = 0; i < FIBERS_MAX; i++)
    if (lock->reads[i]) return true;
  return false;
}

static bool may_read(const struct rwlock *lock) {
  return lock->writer == NO_OWNER &&
         !(lock->kind == PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP && lock->waiting_writers);
}

static bool may_write(const struct rwlock *lock) { return lock->writer == NO_OWNER && !has_reader(lock); }

static void set_reads(struct rwlock *lock, uint8_t count) { world_write(&lock->reads[self()->id], &count, 1); }

static int take(struct rwlock *lock, bool write) {
  struct sync_clocks *clocks = sync_clocks(lock);
  memory_acquire(&clocks->released);
  if (write) {
    memory_acquire(&clocks->readers);
    sync_put(&lock->writer, own_id());
  } else {
    uint8_t reads = lock->reads[self()->id];
    if (reads == UINT8_MAX) return EAGAIN;
    set_reads(lock, (uint8_t)(reads + 1));
  }
  held_add(write ? HELD_WRITE : HELD_READ, lock);
  schedule_reblock(line_of(lock, true));
  if (write) schedule_reblock(line_of(lock, false));
  self()->spin_count = 0;
  return 0;
}

static bool may_take(const struct rwlock *lock, bool write) { return write ? may_write(lock) : may_read(lock); }

static int wait_for(struct rwlock *lock, bool write, uint64_t deadline) {
  if (write) sync_put(&lock->waiting_writers, lock->waiting_writers + 1);
  bool in_time = true;
  while (in_time && !may_take(lock, write))
    in_time = sync_block_at(line_of(lock, write), OP_LOCK, lock, write, deadline);
  if (write) sync_put(&lock->waiting_writers, lock->waiting_writers - 1);
  /* Readers that waited behind this writer. */
  if (!in_time && write && may_read(lock)) schedule_wake_all(line_of(lock, false));
  return in_time ? 0 : ETIMEDOUT;
}

static int lock_for(pthread_rwlock_t *object, bool write, bool wait, uint64_t deadline, const void *pc) {
  struct rwlock *lock = (struct rwlock *)object;
  sync_point_unless(wait && !may_take(lock, write) && lock->writer != own_id() && deadline > RT->now, OP_LOCK, object,
                    write);
  use(object, pc);
  int rc = 0;
  if (!may_take(lock, write)) {
    if (!wait) {
      sync_tried_in_vain(lock, pc);
      rc = may_take(lock, write) ? 0 : EBUSY;
    } else
      rc = lock->writer == own_id() ? EDEADLK : wait_for(lock, write, deadline);
  }
  if (rc == 0) rc = take(use(object, pc), write);
  schedule_executed(OP_LOCK, (uintptr_t)object, 0, (uint32_t)rc << 1 | write);
  return rc;
}

int interleave_wrap_pthread_rwlock_rdlock(pthread_rwlock_t *object) {
  return lock_for(object, false, true, NO_DEADLINE, CALLER);
}

int interleave_wrap_pthread_rwlock_wrlock(pthread_rwlock_t *object) {
  return lock_for(object, true, true, NO_DEADLINE, CALLER);
}

int interleave_wrap_pthread_rwlock_tryrdlock(pthread_rwlock_t *object) {
  return lock_for(object, false, false, 0, CALLER);
}

int interleave_wrap_pthread_rwlock_trywrlock(pthread_rwlock_t *object) {
  return lock_for(object, true, false, 0, CALLER);
}

static int lock_until(pthread_rwlock_t *object, bool write, clockid_t clock, const struct timespec *time,
                      const void *pc) {
  uint64_t deadline;
  if (!time_is_known_clock(clock) || !time_deadline(clock, time, &deadline)) return EINVAL;
  return lock_for(object, write, true, deadline, pc);
}

int interleave_wrap_pthread_rwlock_timedrdlock(pthread_rwlock_t *object, const struct timespec *time) {
  return lock_until(object, false, CLOCK_REALTIME, time, CALLER);
}

int interleave_wrap_pthread_rwlock_timedwrlock(pthread_rwlock_t *object, const struct timespec *time) {
  return lock_until(object, true, CLOCK_REALTIME, time, CALLER);
}

int interleave_wrap_pthread_rwlock_clockrdlock(pthread_rwlock_t *object, clockid_t clock, const struct timespec *time) {
  return lock_until(object, false, clock, time, CALLER);
}

int interleave_wrap_pthread_rwlock_clockwrlock(pthread_rwlock_t *object, clockid_t clock, const struct timespec *time) {
  return lock_until(object, true, clock, time, CALLER);
}

/* ---- Letting go ---- */

int interleave_wrap_pthread_rwlock_unlock(pthread_rwlock_t *object) {
  uintptr_t address = (uintptr_t)object;
  struct rwlock *lock = (struct rwlock *)object;
  bool write = lock->writer == own_id();
  schedule_point(OP_UNLOCK, address, write, false);
  use(object, CALLER);
  struct sync_clocks *clocks = sync_clocks(object);
  uint8_t reads = lock->reads[self()->id];
  if (write) {
    memory_release(&clocks->released);
    sync_put(&lock->writer, NO_OWNER);
  } else if (reads) {
    memory_release(&clocks->readers);
    set_reads(lock, (uint8_t)(reads - 1));
  } else
    fail(INTERLEAVE_LOCK, "thread %u unlocks the read-write lock %p, which it does not hold", self()->id,
         (void *)object);
  held_remove(write ? HELD_WRITE : HELD_READ, object);
  if (may_write(lock)) schedule_wake_all(line_of(lock, true));
  if (may_read(lock)) schedule_wake_all(line_of(lock, false));
  sync_changed(object);
  schedule_executed(OP_UNLOCK, address, 0, write);
  return 0;
}

void rwlock_writer_lost(void *lock) { sync_put(&((struct rwlock *)lock)->writer, OWNER_LOST); }

/* ---- Spin locks ---- */

static uint32_t *spin_in(pthread_spinlock_t *object) { return (uint32_t *)(uintptr_t)object; }

int interleave_wrap_pthread_spin_init(pthread_spinlock_t *object, int shared) {
  (void)shared;
  static const uint32_t nobody = NO_OWNER;
  sync_overwrite(spin_in(object), sizeof nobody, &nobody, "initialisation of the spin lock", CALLER);
  return 0;
}

int interleave_wrap_pthread_spin_destroy(pthread_spinlock_t *object) {
  static const uint32_t destroyed = DESTROYED;
  schedule_point(OP_UNLOCK, (uintptr_t)object, true, false);
  sync_overwrite(spin_in(object), sizeof destroyed, &destroyed, "destruction of the spin lock", CALLER);
  schedule_executed(OP_UNLOCK, (uintptr_t)object, 0, 2);
  return 0;
}

static int spin(pthread_spinlock_t *object, bool wait, const void *pc) {
  uint32_t *owner = spin_in(object);
  sync_point_unless(wait && *owner != NO_OWNER && *owner != own_id(), OP_LOCK, owner, true);
  sync_use(owner, pc);
  if (*owner == DESTROYED) fail(INTERLEAVE_LOCK, "the spin lock %p is used after its destruction", (void *)owner);
  if (wait && *owner == own_id())
    fail(INTERLEAVE_DEADLOCK, "thread %u spins on the spin lock %p, which it holds itself", self()->id, (void *)owner);
  if (!wait && *owner != NO_OWNER) sync_tried_in_vain(owner, pc);
  while (wait && *owner != NO_OWNER) sync_block(OP_LOCK, owner, true, NO_DEADLINE);
  int rc = *owner == NO_OWNER ? 0 : EBUSY;
  if (rc == 0) {
    memory_acquire(&sync_clocks(owner)->released);
    sync_put(owner, own_id());
    held_add(HELD_SPIN, owner);
    schedule_reblock((uintptr_t)owner);
    self()->spin_count = 0;
  }
  schedule_executed(OP_LOCK, (uintptr_t)owner, 0, (uint32_t)rc);
  return rc;
}

int interleave_wrap_pthread_spin_lock(pthread_spinlock_t *object) { return spin(object, true, CALLER); }

int interleave_wrap_pthread_spin_trylock(pthread_spinlock_t *object) { return spin(object, false, CALLER); }

int interleave_wrap_pthread_spin_unlock(pthread_spinlock_t *object) {
  uint32_t *owner = spin_in(object);
  schedule_point(OP_UNLOCK, (uintptr_t)owner, true, false);
  sync_use(owner, CALLER);
  if (*owner != own_id())
    fail(INTERLEAVE_LOCK, "thread %u unlocks the spin lock %p, which it does not hold", self()->id, (void *)owner);
  memory_release(&sync_clocks(owner)->released);
  sync_put(owner, NO_OWNER);
  held_remove(HELD_SPIN, owner);
  schedule_wake_all((uintptr_t)owner);
  sync_changed(owner);
  schedule_executed(OP_UNLOCK, (uintptr_t)owner, 0, 0);
  return 0;
}

void spin_owner_lost(void *lock) { sync_put(lock, OWNER_LOST); }
