/* Locks as the code under test sees them: what they order, how they are misused, what happens when they are not let go.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <threads.h>
#include <time.h>

#include "interleave.h"
#include "start.h"

#define MILLISECOND 1000000

static pthread_mutex_t first = PTHREAD_MUTEX_INITIALIZER, second = PTHREAD_MUTEX_INITIALIZER;
static int plain;

static struct timespec in_milliseconds(long milliseconds) {
  struct timespec time;
  clock_gettime(CLOCK_REALTIME, &time);
  time.tv_nsec += milliseconds * MILLISECOND;
  time.tv_sec += time.tv_nsec / 1000000000;
  time.tv_nsec %= 1000000000;
  return time;
}

static void sleep_milliseconds(long milliseconds) {
  struct timespec time = {.tv_nsec = milliseconds * MILLISECOND};
  interleave_assert(nanosleep(&time, NULL) == 0);
}

static void lock(pthread_mutex_t *mutex) { interleave_assert(pthread_mutex_lock(mutex) == 0); }
static void unlock(pthread_mutex_t *mutex) { interleave_assert(pthread_mutex_unlock(mutex) == 0); }

/* ---- Mutexes: what they order ---- */

static void *add_under_lock(void *mutex) {
  lock(mutex);
  plain++;
  unlock(mutex);
  return NULL;
}

static void mutex_counts(void) {
  pthread_t a = start(add_under_lock, &first), b = start(add_under_lock, &first);
  join(a);
  join(b);
  interleave_assert(plain == 2);
}
INTERLEAVE_MODEL(mutex_counts, .run = mutex_counts, .title = "two threads count under one mutex");

/* Who waits is not offered to the strategy until it can go on. Steps: a thread's unlock, lock, unlock and end, main's
 * unlock and joins; one more for a lock or a join that was possible until another was faster. */
static void *add_twice(void *arg) {
  add_under_lock(&first);
  add_under_lock(&first);
  return arg;
}

static void mutex_steps(void) {
  lock(&first);
  pthread_t thread[3];
  for (unsigned i = 0; i < 3; i++) thread[i] = start(add_twice, NULL);
  sleep_milliseconds(1); /* all three wait */
  uint32_t before = interleave_get_counts().steps;
  unlock(&first);
  for (unsigned i = 0; i < 3; i++) join(thread[i]);
  interleave_outcome("%u", interleave_get_counts().steps - before);
}
INTERLEAVE_MODEL(mutex_steps, .run = mutex_steps, .outcomes = "16|17|18|19", .preemptions = 1,
                 .title = "waiting costs no steps");

static void mutex_two(void) {
  pthread_t a = start(add_under_lock, &first);
  add_under_lock(&second);
  join(a);
}
INTERLEAVE_MODEL(mutex_two, .run = mutex_two, .title = "two threads count under a mutex each",
                 .expect = INTERLEAVE_RACE);

static void *write_then_hold(void *arg) {
  (void)arg;
  plain = 1;
  lock(&first);
  unlock(&first);
  return NULL;
}

static void mutex_busy_is_no_edge(void) {
  pthread_t a = start(write_then_hold, NULL);
  int rc = pthread_mutex_trylock(&first);
  if (rc == 0) unlock(&first);
  if (rc == EBUSY) interleave_assert(plain == 1);
  join(a);
}
INTERLEAVE_MODEL(mutex_busy_is_no_edge, .run = mutex_busy_is_no_edge,
                 .title = "that a mutex is busy says nothing of what its holder wrote", .expect = INTERLEAVE_RACE);

static void *init_and_tell(void *where) {
  pthread_mutex_init(&first, NULL);
  __atomic_store_n((int *)where, 1, __ATOMIC_RELAXED);
  return NULL;
}

static void mutex_init_race(void) {
  int told = 0;
  pthread_t a = start(init_and_tell, &told);
  if (__atomic_load_n(&told, __ATOMIC_RELAXED)) add_under_lock(&first);
  join(a);
}
INTERLEAVE_MODEL(mutex_init_race, .run = mutex_init_race, .title = "a mutex is used that another initialises",
                 .expect = INTERLEAVE_RACE);

/* ---- Deadlocks ---- */

static void *second_first(void *arg) {
  (void)arg;
  lock(&second);
  lock(&first);
  unlock(&first);
  unlock(&second);
  return NULL;
}

static void lock_order(void) {
  pthread_t a = start(second_first, NULL);
  lock(&first);
  lock(&second);
  unlock(&second);
  unlock(&first);
  join(a);
}
INTERLEAVE_MODEL(lock_order, .run = lock_order, .title = "two mutexes in two orders", .expect = INTERLEAVE_DEADLOCK);

static void lock_order_back_off(void) {
  pthread_t a = start(second_first, NULL);
  for (;;) {
    lock(&first);
    if (pthread_mutex_trylock(&second) == 0) break;
    unlock(&first);
    sched_yield();
  }
  unlock(&second);
  unlock(&first);
  join(a);
}
INTERLEAVE_MODEL(lock_order_back_off, .run = lock_order_back_off,
                 .title = "two mutexes in two orders, of which one only tries");

static void relock(void) {
  lock(&first);
  lock(&first);
}
INTERLEAVE_MODEL(relock, .run = relock, .title = "a mutex is taken twice", .expect = INTERLEAVE_DEADLOCK);

/* A loop that only tries ends when the holder lets go, whatever the strategy's idea of fairness. */
static void try_until_free(void) {
  pthread_t a = start(add_under_lock, &first);
  while (pthread_mutex_trylock(&first) != 0) sched_yield();
  plain++;
  unlock(&first);
  join(a);
  interleave_assert(plain == 2);
}
INTERLEAVE_MODEL(try_until_free, .run = try_until_free, .title = "a loop over trylock", .steps = 100);

/* Without a yield as well; and what frees the loop is that the holder lets go, not that nobody else can go on. */
static int done;
static void *add_and_tell(void *arg) {
  add_under_lock(&first);
  __atomic_store_n(&done, 1, __ATOMIC_SEQ_CST);
  return arg;
}

static void try_without_yield(void) {
  pthread_t a = start(add_and_tell, NULL);
  unsigned tries = 1;
  while (pthread_mutex_trylock(&first) != 0) tries++;
  int seen = __atomic_load_n(&done, __ATOMIC_SEQ_CST);
  unlock(&first);
  join(a);
  interleave_assert(tries <= 3);
  interleave_outcome("%s %d", tries == 1 ? "free" : "waited", seen);
}
INTERLEAVE_MODEL(try_without_yield, .run = try_without_yield, .outcomes = "free 0|free 1|waited 0|waited 1",
                 .steps = 100, .title = "a loop over trylock alone");

static void try_for_ever(void) {
  lock(&first);
  while (pthread_mutex_trylock(&first) != 0) {
  }
}
INTERLEAVE_MODEL(try_for_ever, .run = try_for_ever, .title = "a loop over trylock that nobody ends", .steps = 100,
                 .expect = INTERLEAVE_LIVELOCK);

/* ---- Misuse ---- */

static void *unlock_first(void *arg) {
  (void)arg;
  unlock(&first);
  return NULL;
}

static void unlock_by_another(void) {
  lock(&first);
  join(start(unlock_first, NULL));
}
INTERLEAVE_MODEL(unlock_by_another, .run = unlock_by_another, .title = "a mutex is unlocked by who does not hold it",
                 .expect = INTERLEAVE_LOCK);

static void *lock_first(void *arg) {
  (void)arg;
  lock(&first);
  return NULL;
}

static void held_at_exit(void) { join(start(lock_first, NULL)); }
INTERLEAVE_MODEL(held_at_exit, .run = held_at_exit, .title = "a thread ends with a mutex", .expect = INTERLEAVE_LOCK);
INTERLEAVE_MODEL(held_at_exit_meant, .run = held_at_exit, .title = "a thread ends with a mutex, and means to",
                 .locks_may_be_held = true);

static void held_at_return(void) { lock_first(NULL); }
INTERLEAVE_MODEL(held_at_return, .run = held_at_return, .title = "the model ends with a mutex",
                 .expect = INTERLEAVE_LOCK);

static void take_in_setup(void) { lock(&first); }
static void let_go_in_run(void) { unlock(&first); }
INTERLEAVE_MODEL(held_from_setup, .setup = take_in_setup, .run = let_go_in_run,
                 .title = "a mutex that setup took is held at the start of each run");
static void nothing(void) {}
INTERLEAVE_MODEL(held_since_setup, .setup = take_in_setup, .run = nothing,
                 .title = "a mutex that setup took is never let go", .expect = INTERLEAVE_LOCK);

static void destroy_held(void) {
  lock(&first);
  pthread_mutex_destroy(&first);
}
INTERLEAVE_MODEL(destroy_held, .run = destroy_held, .title = "a mutex is destroyed while it is held",
                 .expect = INTERLEAVE_LOCK);

static void use_destroyed(void) {
  interleave_assert(pthread_mutex_destroy(&first) == 0);
  lock(&first);
}
INTERLEAVE_MODEL(use_destroyed, .run = use_destroyed, .title = "a mutex is used after its end",
                 .expect = INTERLEAVE_LOCK);

static void init_again(void) {
  interleave_assert(pthread_mutex_destroy(&first) == 0);
  interleave_assert(pthread_mutex_init(&first, NULL) == 0);
  add_under_lock(&first);
  interleave_assert(pthread_mutex_destroy(&first) == 0);
}
INTERLEAVE_MODEL(init_again, .run = init_again, .title = "a mutex gets a second life");

/* The holder of the last reference destroys; the other may still be about to look at the mutex. */
static int references;
static void *drop(void *arg) {
  (void)arg;
  lock(&first);
  bool last = --references == 0;
  unlock(&first);
  if (last) interleave_assert(pthread_mutex_destroy(&first) == 0);
  return NULL;
}

static void destroy_by_last(void) {
  references = 2;
  pthread_t a = start(drop, NULL);
  drop(NULL);
  join(a);
}
INTERLEAVE_MODEL(destroy_by_last, .run = destroy_by_last, .title = "the last of two destroys the mutex");

/* ---- Kinds of mutexes ---- */

static pthread_mutex_t recursive = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static pthread_mutex_t checking = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP;

static void *try_recursive(void *arg) {
  (void)arg;
  interleave_assert(pthread_mutex_trylock(&recursive) == EBUSY);
  interleave_assert(pthread_mutex_unlock(&recursive) == EPERM);
  return NULL;
}

static void recursive_mutex(void) {
  lock(&recursive);
  lock(&recursive);
  interleave_assert(pthread_mutex_trylock(&recursive) == 0);
  unlock(&recursive);
  unlock(&recursive);
  join(start(try_recursive, NULL));
  unlock(&recursive);
  interleave_assert(pthread_mutex_unlock(&recursive) == EPERM);
}
INTERLEAVE_MODEL(recursive_mutex, .run = recursive_mutex, .title = "a recursive mutex counts");

static void *misuse_checking(void *arg) {
  (void)arg;
  interleave_assert(pthread_mutex_unlock(&checking) == EPERM);
  return NULL;
}

static void checking_mutex(void) {
  lock(&checking);
  interleave_assert(pthread_mutex_lock(&checking) == EDEADLK);
  join(start(misuse_checking, NULL));
  unlock(&checking);
}
INTERLEAVE_MODEL(checking_mutex, .run = checking_mutex, .title = "an error-checking mutex tells");

/* ---- Timed ---- */

static void *hold_for_10(void *arg) {
  (void)arg;
  lock(&first);
  __atomic_store_n((int *)arg, 1, __ATOMIC_RELEASE);
  sleep_milliseconds(10);
  unlock(&first);
  return NULL;
}

static void lock_in_time(void) {
  int held = 0;
  pthread_t a = start(hold_for_10, &held);
  while (!__atomic_load_n(&held, __ATOMIC_ACQUIRE)) sched_yield();
  struct timespec soon = in_milliseconds(5), later = in_milliseconds(20), never = {.tv_nsec = 2000000000};
  interleave_assert(pthread_mutex_timedlock(&first, &never) == EINVAL);
  interleave_assert(pthread_mutex_timedlock(&first, &soon) == ETIMEDOUT);
  interleave_assert(pthread_mutex_clocklock(&first, CLOCK_MONOTONIC, &later) == 0);
  unlock(&first);
  join(a);
}
INTERLEAVE_MODEL(lock_in_time, .run = lock_in_time, .title = "a mutex is waited for until a time");

/* ---- Robust ---- */

static pthread_mutex_t robust;

static void init_robust(void) {
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  interleave_assert(pthread_mutex_init(&robust, &attributes) == 0);
  pthread_mutexattr_destroy(&attributes);
}

static void *end_with_robust(void *arg) {
  (void)arg;
  interleave_assert(pthread_mutex_lock(&robust) == 0);
  plain = 1;
  return NULL;
}

static void robust_recovered(void) {
  pthread_t a = start(end_with_robust, NULL);
  int rc = pthread_mutex_lock(&robust);
  if (rc == EOWNERDEAD) {
    interleave_assert(plain == 1);
    interleave_assert(pthread_mutex_consistent(&robust) == 0);
  }
  unlock(&robust);
  join(a);
  interleave_outcome(rc == EOWNERDEAD ? "died" : "before");
  if (rc == EOWNERDEAD) {
    lock(&robust);
    unlock(&robust);
  } else
    interleave_assert(pthread_mutex_trylock(&robust) == EOWNERDEAD && pthread_mutex_consistent(&robust) == 0 &&
                      pthread_mutex_unlock(&robust) == 0);
}
INTERLEAVE_MODEL(robust_recovered, .setup = init_robust, .run = robust_recovered, .outcomes = "died|before",
                 .title = "a robust mutex whose owner ends is made consistent");

static void robust_lost(void) {
  join(start(end_with_robust, NULL));
  interleave_assert(pthread_mutex_lock(&robust) == EOWNERDEAD);
  unlock(&robust);
  interleave_assert(pthread_mutex_lock(&robust) == ENOTRECOVERABLE);
  interleave_assert(pthread_mutex_trylock(&robust) == ENOTRECOVERABLE);
}
INTERLEAVE_MODEL(robust_lost, .setup = init_robust, .run = robust_lost,
                 .title = "a robust mutex that nobody made consistent is lost");

/* ---- Spin locks ---- */

static pthread_spinlock_t spinlock;
static void init_spin(void) { pthread_spin_init(&spinlock, PTHREAD_PROCESS_PRIVATE); }

static void *add_under_spin(void *arg) {
  (void)arg;
  interleave_assert(pthread_spin_lock(&spinlock) == 0);
  plain++;
  interleave_assert(pthread_spin_unlock(&spinlock) == 0);
  return NULL;
}

static void spin_counts(void) {
  pthread_t a = start(add_under_spin, NULL);
  int rc = pthread_spin_trylock(&spinlock);
  interleave_assert(rc == 0 || rc == EBUSY);
  if (rc == 0) {
    plain++;
    pthread_spin_unlock(&spinlock);
  } else
    add_under_spin(NULL);
  join(a);
  interleave_assert(plain == 2);
  interleave_outcome(rc == 0 ? "free" : "busy");
}
INTERLEAVE_MODEL(spin_counts, .setup = init_spin, .run = spin_counts, .outcomes = "free|busy",
                 .title = "two threads count under a spin lock");

/* ---- Once ---- */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static once_flag flag = ONCE_FLAG_INIT;
static void initialize_plain(void) { plain++; }

static void *use_once(void *arg) {
  (void)arg;
  interleave_assert(pthread_once(&once, initialize_plain) == 0);
  interleave_assert(plain == 1);
  return NULL;
}

static void once_runs_once(void) {
  pthread_t a = start(use_once, NULL), b = start(use_once, NULL);
  use_once(NULL);
  join(a);
  join(b);
}
INTERLEAVE_MODEL(once_runs_once, .run = once_runs_once, .title = "three come, one initialises, all see it");

static void *use_flag(void *arg) {
  (void)arg;
  call_once(&flag, initialize_plain);
  interleave_assert(plain == 1);
  return NULL;
}

static void call_once_runs_once(void) {
  pthread_t a = start(use_flag, NULL);
  use_flag(NULL);
  join(a);
}
INTERLEAVE_MODEL(call_once_runs_once, .run = call_once_runs_once, .title = "the same with C11's");

static void once_in_itself(void) { pthread_once(&once, once_in_itself); }
INTERLEAVE_MODEL(once_in_once, .run = once_in_itself, .title = "an initialisation that needs itself",
                 .expect = INTERLEAVE_DEADLOCK);
