/* Read-write locks as the code under test sees them. */
#include <errno.h>
#include <pthread.h>
#include <time.h>

#include "interleave.h"
#include "start.h"

static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
static int plain, other;

static void *add(void *arg) {
  (void)arg;
  interleave_assert(pthread_rwlock_wrlock(&lock) == 0);
  plain++;
  interleave_assert(pthread_rwlock_unlock(&lock) == 0);
  return NULL;
}

static void *look(void *seen) {
  interleave_assert(pthread_rwlock_rdlock(&lock) == 0);
  *(int *)seen = plain;
  interleave_assert(pthread_rwlock_unlock(&lock) == 0);
  return NULL;
}

static void reader_and_writers(void) {
  int seen;
  pthread_t a = start(add, NULL), b = start(add, NULL);
  look(&seen);
  join(a);
  join(b);
  interleave_assert(plain == 2);
  interleave_outcome("%d", seen);
}
INTERLEAVE_MODEL(rwlock_excludes, .run = reader_and_writers, .outcomes = "0|1|2",
                 .title = "writers keep others out, and are seen");

/* Both readers are inside at once in some execution, never a reader and the writer. */
static int inside;
static void *read_inside(void *most) {
  pthread_rwlock_rdlock(&lock);
  int now = __atomic_add_fetch(&inside, 1, __ATOMIC_RELAXED);
  if (now > __atomic_load_n((int *)most, __ATOMIC_RELAXED)) __atomic_store_n((int *)most, now, __ATOMIC_RELAXED);
  __atomic_sub_fetch(&inside, 1, __ATOMIC_RELAXED);
  pthread_rwlock_unlock(&lock);
  return NULL;
}

static void readers_together(void) {
  int most = 0;
  pthread_t a = start(read_inside, &most);
  read_inside(&most);
  join(a);
  interleave_outcome("%d", most);
}
INTERLEAVE_MODEL(rwlock_shares, .run = readers_together, .outcomes = "1|2", .title = "readers share");

static void *write_as_reader(void *arg) {
  (void)arg;
  pthread_rwlock_rdlock(&lock);
  other++;
  pthread_rwlock_unlock(&lock);
  return NULL;
}

static void readers_are_not_ordered(void) {
  pthread_t a = start(write_as_reader, NULL);
  write_as_reader(NULL);
  join(a);
}
INTERLEAVE_MODEL(rwlock_no_edge_between_readers, .run = readers_are_not_ordered,
                 .title = "two who hold it for reading both write", .expect = INTERLEAVE_RACE);

/* The same where they are never inside together: not even one after the other. */
static void *write_and_tell(void *told) {
  write_as_reader(NULL);
  __atomic_store_n((int *)told, 1, __ATOMIC_RELAXED);
  return NULL;
}

static void readers_in_turn(void) {
  int told = 0;
  pthread_t a = start(write_and_tell, &told);
  if (__atomic_load_n(&told, __ATOMIC_RELAXED)) write_as_reader(NULL);
  join(a);
}
INTERLEAVE_MODEL(rwlock_no_edge_in_turn, .run = readers_in_turn, .title = "one who reads knows of no earlier reader",
                 .expect = INTERLEAVE_RACE);

/* What a reader did before it let go, a later writer knows. */
static void *read_other(void *arg) {
  (void)arg;
  pthread_rwlock_rdlock(&lock);
  interleave_assert(other == 0);
  pthread_rwlock_unlock(&lock);
  return NULL;
}

static void writer_after_reader(void) {
  int rc;
  pthread_t a = start(read_other, NULL);
  interleave_assert((rc = pthread_rwlock_trywrlock(&lock)) == 0 || rc == EBUSY);
  if (rc == 0) pthread_rwlock_unlock(&lock);
  join(a);
  pthread_rwlock_wrlock(&lock);
  other = 1;
  pthread_rwlock_unlock(&lock);
}
INTERLEAVE_MODEL(rwlock_writer_after_reader, .run = writer_after_reader,
                 .title = "a writer knows what readers before it did");

static void *upgrade(void *arg) {
  (void)arg;
  pthread_rwlock_rdlock(&lock);
  pthread_rwlock_wrlock(&lock);
  pthread_rwlock_unlock(&lock);
  pthread_rwlock_unlock(&lock);
  return NULL;
}

static void upgrades(void) { join(start(upgrade, NULL)); }
INTERLEAVE_MODEL(rwlock_upgrade, .run = upgrades, .title = "a reader asks for the write lock",
                 .expect = INTERLEAVE_DEADLOCK);

static void errors(void) {
  interleave_assert(pthread_rwlock_wrlock(&lock) == 0);
  interleave_assert(pthread_rwlock_rdlock(&lock) == EDEADLK);
  interleave_assert(pthread_rwlock_wrlock(&lock) == EDEADLK);
  interleave_assert(pthread_rwlock_tryrdlock(&lock) == EBUSY);
  interleave_assert(pthread_rwlock_unlock(&lock) == 0);
  interleave_assert(pthread_rwlock_tryrdlock(&lock) == 0);
  interleave_assert(pthread_rwlock_rdlock(&lock) == 0);
  interleave_assert(pthread_rwlock_unlock(&lock) == 0);
  interleave_assert(pthread_rwlock_trywrlock(&lock) == EBUSY);
  interleave_assert(pthread_rwlock_unlock(&lock) == 0);
  interleave_assert(pthread_rwlock_destroy(&lock) == 0);
}
INTERLEAVE_MODEL(rwlock_errors, .run = errors, .title = "what is refused, and what a reader may do again");

static void unlock_free(void) { pthread_rwlock_unlock(&lock); }
INTERLEAVE_MODEL(rwlock_unlock_free, .run = unlock_free, .title = "one that nobody holds is unlocked",
                 .expect = INTERLEAVE_LOCK);

static void read_held(void) { pthread_rwlock_rdlock(&lock); }
INTERLEAVE_MODEL(rwlock_held_at_end, .run = read_held, .title = "the model ends with a read lock",
                 .expect = INTERLEAVE_LOCK);

INTERLEAVE_MODEL(rwlock_held_meant, .run = read_held, .title = "and means to", .locks_may_be_held = true);

/* ---- Kinds ---- */

static pthread_rwlock_t strict = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;

static void *write_strict(void *lock_to_take) {
  pthread_rwlock_wrlock(lock_to_take);
  pthread_rwlock_unlock(lock_to_take);
  return NULL;
}

static void read_twice(pthread_rwlock_t *twice) {
  pthread_t a = start(write_strict, twice);
  pthread_rwlock_rdlock(twice);
  pthread_rwlock_rdlock(twice);
  pthread_rwlock_unlock(twice);
  pthread_rwlock_unlock(twice);
  join(a);
}
static void read_twice_default(void) { read_twice(&lock); }
static void read_twice_strict(void) { read_twice(&strict); }
INTERLEAVE_MODEL(rwlock_reads_twice, .run = read_twice_default, .title = "a reader reads again past a waiting writer");
INTERLEAVE_MODEL(rwlock_reads_twice_strict, .run = read_twice_strict,
                 .title = "a reader waits behind a writer that waits for it", .expect = INTERLEAVE_DEADLOCK);

/* ---- Timed ---- */

static void *write_late(void *rc) {
  struct timespec time;
  clock_gettime(CLOCK_REALTIME, &time);
  time.tv_sec += 1;
  *(int *)rc = pthread_rwlock_timedwrlock(&lock, &time);
  return NULL;
}

static void timed(void) {
  int rc = 0;
  pthread_rwlock_rdlock(&lock);
  join(start(write_late, &rc));
  pthread_rwlock_unlock(&lock);
  interleave_assert(rc == ETIMEDOUT);
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  interleave_assert(pthread_rwlock_clockrdlock(&lock, CLOCK_MONOTONIC, &time) == 0);
  pthread_rwlock_unlock(&lock);
}
INTERLEAVE_MODEL(rwlock_timed, .run = timed, .title = "a writer gives up after its time");
