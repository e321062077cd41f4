/* The edges of POSIX: mutexes, conditions, once, barriers, semaphores, reader-writer locks, creation, join, time. The
 * plain object d is what they order: where the edge is missing, there is a race. */
#include "threads.h"
#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <semaphore.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER, other_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static int waiting; /* under lock */

static void nothing(void) {}
static void write_d(void) { d = 1; }
static void final_d(void) { r[0] = d; }

/* ---- Mutexes ---- */

static void count_locked(void) {
  pthread_mutex_lock(&lock);
  d = d + 1;
  pthread_mutex_unlock(&lock);
}
static void count_other(void) {
  pthread_mutex_lock(&other_lock);
  d = d + 1;
  pthread_mutex_unlock(&other_lock);
}
static void count_tried(void) {
  if (pthread_mutex_trylock(&lock) != 0) return;
  d = d + 1;
  pthread_mutex_unlock(&lock);
}
static void read_unlocked(void) { r[1] = d; }
RUNS(mutex, "mutex: both count", "2", 1, final_d, count_locked, count_locked);
RUNS(mutex_three, "mutex: three count", "3", 1, final_d, count_locked, count_locked, count_locked);
RUNS(mutex_try, "mutex: trylock may fail", "1|2", 1, final_d, count_locked, count_tried);
FAILS(mutex_two, "mutex: two different ones exclude nothing", INTERLEAVE_RACE, count_locked, count_other);
FAILS(mutex_reader, "mutex: taken on one side only", INTERLEAVE_RACE, count_locked, read_unlocked);

/* A mutex is no fence: x and y are not ordered for who takes another. */
static void left_locked(void) {
  store(x, 1, rlx);
  pthread_mutex_lock(&lock);
  pthread_mutex_unlock(&lock);
  r[0] = load(y, rlx);
}
static void right_locked(void) {
  store(y, 1, rlx);
  pthread_mutex_lock(&lock);
  pthread_mutex_unlock(&lock);
  r[1] = load(x, rlx);
}
static void right_other_locked(void) {
  store(y, 1, rlx);
  pthread_mutex_lock(&other_lock);
  pthread_mutex_unlock(&other_lock);
  r[1] = load(x, rlx);
}
RUNS(mutex_orders, "mutex: SB across the same one", "0 1|1 0|1 1", 2, NULL, left_locked, right_locked);
RUNS(mutex_orders_not, "mutex: SB across two", "0 0|0 1|1 0|1 1", 2, NULL, left_locked, right_other_locked);

/* ---- Conditions ---- */

static void wait_ready(void) {
  pthread_mutex_lock(&lock);
  while (!waiting) pthread_cond_wait(&condition, &lock);
  pthread_mutex_unlock(&lock);
  r[0] = d;
}
static void wait_ready_too(void) {
  pthread_mutex_lock(&lock);
  while (!waiting) pthread_cond_wait(&condition, &lock);
  pthread_mutex_unlock(&lock);
  r[1] = d;
}
static void make_ready(void) {
  d = 1;
  pthread_mutex_lock(&lock);
  waiting = 1;
  pthread_mutex_unlock(&lock);
  pthread_cond_signal(&condition);
}
static void make_ready_all(void) {
  d = 1;
  pthread_mutex_lock(&lock);
  waiting = 1;
  pthread_cond_broadcast(&condition);
  pthread_mutex_unlock(&lock);
}
static void wait_timed(void) {
  struct timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += 10;
  int error = 0;
  pthread_mutex_lock(&lock);
  while (!waiting && error == 0) error = pthread_cond_timedwait(&condition, &lock, &until);
  r[0] = error == ETIMEDOUT;
  pthread_mutex_unlock(&lock);
}
RUNS(condition_signal, "condition: the waiter sees what came before", "1", 1, NULL, wait_ready, make_ready);
RUNS(condition_broadcast, "condition: all waiters wake", "1 1", 2, NULL, wait_ready, wait_ready_too, make_ready_all);
FAILS(condition_one_signal, "condition: one signal wakes one of two", INTERLEAVE_DEADLOCK, wait_ready, wait_ready_too,
      make_ready);
RUNS(condition_timeout, "condition: time passes when nobody can go on", "1", 1, NULL, wait_timed, nothing);
RUNS(condition_in_time, "condition: time does not pass while somebody can go on", "0", 1, NULL, wait_timed, make_ready);

/* A wait gives the mutex back: somebody who only tries for it gets it then, too. */
static int begun; /* under lock */
static void begin_and_wait(void) {
  pthread_mutex_lock(&lock);
  begun = 1;
  while (!waiting) pthread_cond_wait(&condition, &lock);
  pthread_mutex_unlock(&lock);
}
static void try_and_signal(void) {
  r[0] = pthread_mutex_trylock(&lock) == 0;
  if (r[0]) {
    r[1] = begun;
    pthread_mutex_unlock(&lock);
  }
  pthread_mutex_lock(&lock);
  waiting = 1;
  pthread_cond_signal(&condition);
  pthread_mutex_unlock(&lock);
}
RUNS(condition_releases, "condition: a wait releases the mutex", "0 0|1 0|1 1", 2, NULL, begin_and_wait,
     try_and_signal);

static void early_run(void) { litmus_run(1, NULL, (litmus_thread *const[]){wait_timed, make_ready, NULL}); }
INTERLEAVE_MODEL(condition_early, .run = early_run, .title = "condition: or it does", .outcomes = "0|1",
                 .early_timeouts = true);

/* ---- Once ---- */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static void initialise(void) { d = d + 1; }
static void once_first(void) {
  pthread_once(&once, initialise);
  r[0] = d;
}
static void once_second(void) {
  pthread_once(&once, initialise);
  r[1] = d;
}
RUNS(once_edge, "once: done once, and seen by who finds it done", "1 1", 2, NULL, once_first, once_second);

/* ---- Barriers ---- */

static pthread_barrier_t barrier;
static int parts[2];
static void meet_first(void) {
  parts[0] = 1;
  r[0] = pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD;
  r[2] = parts[1];
}
static void meet_second(void) {
  parts[1] = 1;
  r[1] = pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD;
  r[3] = parts[0];
}
static void barrier_run(void) {
  pthread_barrier_init(&barrier, NULL, 2);
  litmus_run(0, NULL, (litmus_thread *const[]){meet_first, meet_second, NULL});
  pthread_barrier_destroy(&barrier);
  interleave_outcome("%d %d %d", r[0] + r[1], r[2], r[3]);
}
INTERLEAVE_MODEL(barrier_edge, .run = barrier_run,
                 .title = "barrier: all before is seen after; one is the serial thread", .outcomes = "1 1 1");

/* ---- Semaphores ---- */

static sem_t semaphore;
static void post(void) {
  d = 1;
  sem_post(&semaphore);
}
static void await(void) {
  sem_wait(&semaphore);
  r[0] = d;
}
static void await_try(void) {
  if (sem_trywait(&semaphore) == 0) r[0] = d;
}
static void semaphore_run(void) {
  sem_init(&semaphore, 0, 0);
  litmus_run(1, NULL, (litmus_thread *const[]){post, await, NULL});
}
static void semaphore_try_run(void) {
  sem_init(&semaphore, 0, 0);
  litmus_run(1, NULL, (litmus_thread *const[]){post, await_try, NULL});
}
static void enter_pair(void) {
  sem_wait(&semaphore);
  int inside = add(x, 1, rlx) + 1;
  if (inside == 2) store(y, 1, rlx);
  interleave_assert(inside <= 2);
  add(x, -1, rlx);
  sem_post(&semaphore);
}
static void semaphore_pair_run(void) {
  sem_init(&semaphore, 0, 2);
  litmus_run(1, final_y, (litmus_thread *const[]){enter_pair, enter_pair, enter_pair, NULL});
}
INTERLEAVE_MODEL(semaphore_edge, .run = semaphore_run, .title = "semaphore: post to wait", .outcomes = "1");
INTERLEAVE_MODEL(semaphore_try, .run = semaphore_try_run, .title = "semaphore: trywait", .outcomes = "0|1");
INTERLEAVE_MODEL(semaphore_two, .run = semaphore_pair_run, .title = "semaphore of two: at most two inside",
                 .outcomes = "0|1");

/* ---- Reader-writer locks ---- */

static pthread_rwlock_t shared = PTHREAD_RWLOCK_INITIALIZER;
static void read_shared(void) {
  pthread_rwlock_rdlock(&shared);
  if (add(x, 1, rlx) == 1) store(y, 1, rlx);
  r[1] = d;
  add(x, -1, rlx);
  pthread_rwlock_unlock(&shared);
}
static void read_shared_too(void) {
  pthread_rwlock_rdlock(&shared);
  if (add(x, 1, rlx) == 1) store(y, 1, rlx);
  r[2] = d;
  add(x, -1, rlx);
  pthread_rwlock_unlock(&shared);
}
static void write_shared(void) {
  pthread_rwlock_wrlock(&shared);
  interleave_assert(load(x, rlx) == 0);
  d = d + 1;
  pthread_rwlock_unlock(&shared);
}
static void write_as_reader(void) {
  pthread_rwlock_rdlock(&shared);
  d = d + 1;
  pthread_rwlock_unlock(&shared);
}
RUNS(rwlock_readers, "reader-writer lock: readers at the same time, or not", "0|1", 1, final_y, read_shared,
     read_shared_too);
RUNS(rwlock_writers, "reader-writer lock: writers exclude each other", "2", 1, final_d, write_shared, write_shared);
RUNS(rwlock_mixed, "reader-writer lock: writers exclude readers", "0", 1, final_y, read_shared, write_shared);
FAILS(rwlock_read_only, "reader-writer lock: readers do not exclude each other", INTERLEAVE_RACE, write_as_reader,
      write_as_reader);

/* ---- Threads ---- */

static void *read_and_return(void *argument) {
  r[0] = d;
  return argument;
}
static void *write_and_exit(void *argument) {
  d = 1;
  pthread_exit(argument);
}
static void create_run(void) {
  pthread_t thread;
  d = 1;
  pthread_create(&thread, NULL, read_and_return, NULL);
  pthread_join(thread, NULL);
  interleave_outcome("%d", r[0]);
}
static void create_late_run(void) {
  pthread_t thread;
  pthread_create(&thread, NULL, read_and_return, NULL);
  d = 1;
  pthread_join(thread, NULL);
}
static void join_run(void) {
  pthread_t thread;
  void *result = NULL;
  pthread_create(&thread, NULL, write_and_exit, &r[3]);
  pthread_join(thread, &result);
  interleave_outcome("%d %d", d, result == &r[3]);
}
static void join_none_run(void) {
  pthread_t thread;
  pthread_create(&thread, NULL, write_and_exit, NULL);
  pthread_detach(thread);
  r[0] = d;
}
INTERLEAVE_MODEL(create_edge, .run = create_run, .title = "creation: the thread sees what came before",
                 .outcomes = "1");
INTERLEAVE_MODEL(create_late, .run = create_late_run, .title = "creation: but not what comes after",
                 .expect = INTERLEAVE_RACE);
INTERLEAVE_MODEL(join_edge, .run = join_run, .title = "join: the thread's writes and its result", .outcomes = "1 1");
INTERLEAVE_MODEL(join_none, .run = join_none_run, .title = "a detached thread is joined by nobody",
                 .expect = INTERLEAVE_RACE);

static pthread_key_t key;
static void at_exit(void *value) { d = value == &x; }
static void use_key(void) { pthread_setspecific(key, &x); }
static void key_run(void) {
  pthread_key_create(&key, at_exit);
  litmus_run(1, final_d, (litmus_thread *const[]){use_key, nothing, NULL});
}
INTERLEAVE_MODEL(key_destructor, .run = key_run, .title = "join: a key's destructor is before it", .outcomes = "1");

static _Thread_local int own;
static void own_first(void) {
  own++;
  sched_yield();
  r[0] = own;
}
static void own_second(void) {
  own++;
  sched_yield();
  r[1] = own;
}
RUNS(thread_locals, "each thread has its own thread-locals, fresh in each execution", "1 1", 2, NULL, own_first,
     own_second);

/* ---- Time and spinning ---- */

static void sleep_and_read(void) {
  nanosleep(&(struct timespec){.tv_sec = 1}, NULL);
  r[0] = d;
}
static void yield_and_read(void) {
  sched_yield();
  r[0] = d;
}
static void publish(void) {
  d = 1;
  store(y, 1, rel);
}
static void spin(void) {
  while (!load(y, acq)) {
  }
  r[0] = d;
}
static void spin_yielding(void) {
  while (!load(y, acq)) sched_yield();
  r[0] = d;
}
static void spin_relaxed(void) {
  while (!load(y, rlx)) {
  }
  r[0] = d;
}
FAILS(sleep_orders_nothing, "time orders nothing", INTERLEAVE_RACE, write_d, sleep_and_read);
FAILS(yield_orders_nothing, "yielding orders nothing", INTERLEAVE_RACE, write_d, yield_and_read);
RUNS(spin_acquire, "spinning ends when the store comes", "1", 1, NULL, publish, spin);
RUNS(spin_yield, "spinning with a yield", "1", 1, NULL, publish, spin_yielding);
FAILS(spin_no_acquire, "spinning without acquire", INTERLEAVE_RACE, publish, spin_relaxed);

/* The loops of locks: by exchange, where each turn is a store that changes nothing; and over two objects, of which one
 * may be read too old for ever while the other stays as it is. */
static void count_exchanging(void) {
  while (swap(x, 1, acq)) {
  }
  d = d + 1;
  store(x, 0, rel);
}
static void say_both(void) {
  store(x, 1, rlx);
  store(z, 1, rlx);
  d = 1;
  store(x, 0, rel);
}
static void spin_both(void) {
  if (load(z, rlx))
    while (load(x, acq) && load(z, rlx)) {
    }
}
static void exchange_run(void) {
  litmus_run(1, final_d, (litmus_thread *const[]){count_exchanging, count_exchanging, count_exchanging, NULL});
}
INTERLEAVE_MODEL(spin_exchange, .run = exchange_run, .title = "spinning by exchange: three take turns", .outcomes = "3",
                 .preemptions = 2);
RUNS(spin_two, "spinning over two: both stores are seen at some time", "1", 1, final_d, say_both, spin_both);

static void futex_wait(void) {
  while (!load(x, acq)) syscall(SYS_futex, &x, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
  r[0] = d;
}
static void futex_wake(void) {
  d = 1;
  store(x, 1, rel);
  syscall(SYS_futex, &x, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}
static void futex_set_only(void) { store(x, 1, rel); }
RUNS(futex, "futex: wait and wake", "1", 1, NULL, futex_wait, futex_wake);
FAILS(futex_no_wake, "futex: nobody wakes", INTERLEAVE_DEADLOCK, futex_wait, futex_set_only);
