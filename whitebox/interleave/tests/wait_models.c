/* Conditions, semaphores and barriers as the code under test sees them. */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

#include "interleave.h"
#include "start.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER, other_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static int ready, plain;

static void lock(void) { interleave_assert(pthread_mutex_lock(&mutex) == 0); }
static void unlock(void) { interleave_assert(pthread_mutex_unlock(&mutex) == 0); }
static void wait_once(void) { interleave_assert(pthread_cond_wait(&condition, &mutex) == 0); }

/* ---- Conditions ---- */

static void *tell(void *arg) {
  (void)arg;
  plain = 1;
  lock();
  ready = 1;
  unlock();
  interleave_assert(pthread_cond_signal(&condition) == 0);
  return NULL;
}

static void wait_in_loop(void) {
  pthread_t a = start(tell, NULL);
  lock();
  while (!ready) wait_once();
  unlock();
  interleave_assert(plain == 1);
  join(a);
}
INTERLEAVE_MODEL(condition_loop, .run = wait_in_loop, .title = "a condition waited for in a loop");

static void wait_with_if(void) {
  pthread_t a = start(tell, NULL);
  lock();
  if (!ready) wait_once();
  interleave_assert(ready);
  unlock();
  join(a);
}
INTERLEAVE_MODEL(condition_spurious, .run = wait_with_if, .title = "a wake-up without a cause is believed",
                 .expect = INTERLEAVE_ASSERTION);

static int atomic_ready;
static void *tell_without_lock(void *arg) {
  (void)arg;
  __atomic_store_n(&atomic_ready, 1, __ATOMIC_SEQ_CST);
  pthread_cond_signal(&condition);
  return NULL;
}

static void lost_wake_up(void) {
  pthread_t a = start(tell_without_lock, NULL);
  lock();
  while (!__atomic_load_n(&atomic_ready, __ATOMIC_SEQ_CST)) wait_once();
  unlock();
  join(a);
}
INTERLEAVE_MODEL(condition_lost, .run = lost_wake_up, .title = "signalled between the look and the wait",
                 .expect = INTERLEAVE_DEADLOCK);

static void *write_and_signal(void *arg) {
  (void)arg;
  plain = 1;
  pthread_cond_signal(&condition);
  return NULL;
}

static void signal_is_no_edge(void) {
  lock();
  pthread_t a = start(write_and_signal, NULL);
  wait_once();
  plain = 2;
  unlock();
  join(a);
}
INTERLEAVE_MODEL(condition_no_edge, .run = signal_is_no_edge, .title = "a signal orders nothing without the mutex",
                 .expect = INTERLEAVE_RACE);

/* Two wait, one is signalled: either. Time passes when both wait, so that no wake-up without a cause comes after it. */
static bool returned[2];
static void *wait_in_line(void *arg) {
  lock();
  int place = ready++;
  wait_once();
  returned[place] = true;
  unlock();
  return arg;
}

static void signal_wakes_any(void) {
  pthread_t a = start(wait_in_line, NULL), b = start(wait_in_line, NULL);
  sleep(1);
  lock();
  interleave_assume(!returned[0] && !returned[1]);
  pthread_cond_signal(&condition);
  unlock();
  sleep(1);
  lock();
  interleave_assert(returned[0] != returned[1]);
  interleave_outcome(returned[0] ? "older" : "younger");
  pthread_cond_broadcast(&condition);
  unlock();
  join(a);
  join(b);
}
INTERLEAVE_MODEL(condition_signal_any, .run = signal_wakes_any, .outcomes = "older|younger", .preemptions = 1,
                 .title = "a signal wakes one waiter, whichever");

static void *wait_for_all(void *arg) {
  (void)arg;
  lock();
  while (!ready) wait_once();
  unlock();
  return NULL;
}

static void tell_all(int (*how)(pthread_cond_t *)) {
  pthread_t a = start(wait_for_all, NULL), b = start(wait_for_all, NULL);
  lock();
  ready = 1;
  how(&condition);
  unlock();
  join(a);
  join(b);
}
static void broadcast(void) { tell_all(pthread_cond_broadcast); }
static void signal_for_two(void) { tell_all(pthread_cond_signal); }
INTERLEAVE_MODEL(condition_broadcast, .run = broadcast, .title = "a broadcast wakes all");
INTERLEAVE_MODEL(condition_signal_for_two, .run = signal_for_two, .title = "a signal where a broadcast is due",
                 .expect = INTERLEAVE_DEADLOCK);

/* ---- Timed waits ---- */

static void init_monotonic(void) {
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  interleave_assert(pthread_cond_init(&condition, &attributes) == 0);
}

static void time_out(void) {
  struct timespec deadline, after, wrong = {.tv_nsec = -1};
  clock_gettime(CLOCK_MONOTONIC, &deadline);
  deadline.tv_sec += 3;
  lock();
  interleave_assert(pthread_cond_timedwait(&condition, &mutex, &wrong) == EINVAL);
  int rc = 0;
  while (rc == 0) rc = pthread_cond_timedwait(&condition, &mutex, &deadline);
  interleave_assert(rc == ETIMEDOUT);
  interleave_assert(pthread_cond_clockwait(&condition, &mutex, CLOCK_MONOTONIC, &deadline) == ETIMEDOUT);
  unlock();
  clock_gettime(CLOCK_MONOTONIC, &after);
  interleave_assert(after.tv_sec == deadline.tv_sec);
}
INTERLEAVE_MODEL(condition_time_out, .setup = init_monotonic, .run = time_out,
                 .title = "a wait that nobody ends takes its time");

static void in_time(void) {
  struct timespec deadline;
  clock_gettime(CLOCK_MONOTONIC, &deadline);
  deadline.tv_sec += 3;
  pthread_t a = start(tell, NULL);
  lock();
  int rc = 0;
  while (!ready && rc == 0) rc = pthread_cond_timedwait(&condition, &mutex, &deadline);
  interleave_assert(ready || rc == ETIMEDOUT);
  unlock();
  join(a);
  interleave_outcome(rc == 0 ? "told" : "late");
}
INTERLEAVE_MODEL(condition_in_time, .setup = init_monotonic, .run = in_time, .outcomes = "told",
                 .title = "time does not pass while others can go on");
INTERLEAVE_MODEL(condition_early, .setup = init_monotonic, .run = in_time, .outcomes = "told|late",
                 .early_timeouts = true, .title = "unless the model says that it may");

/* ---- Misuse of conditions ---- */

static void wait_without_lock(void) { wait_once(); }
INTERLEAVE_MODEL(condition_without_lock, .run = wait_without_lock, .title = "waited for without the mutex",
                 .expect = INTERLEAVE_LOCK);

static pthread_mutex_t checking = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP;
static pthread_mutex_t recursive = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;

static void wait_without_checking_lock(void) { interleave_assert(pthread_cond_wait(&condition, &checking) == EPERM); }
INTERLEAVE_MODEL(condition_checked, .run = wait_without_checking_lock,
                 .title = "the same with a mutex that checks is an error code");

static void wait_with_two_holds(void) {
  pthread_mutex_lock(&recursive);
  pthread_mutex_lock(&recursive);
  pthread_cond_wait(&condition, &recursive);
}
INTERLEAVE_MODEL(condition_recursive, .run = wait_with_two_holds,
                 .title = "waited for with a mutex that would stay taken", .expect = INTERLEAVE_LOCK);

static void *wait_with_other(void *arg) {
  (void)arg;
  pthread_mutex_lock(&other_mutex);
  while (!__atomic_load_n(&atomic_ready, __ATOMIC_SEQ_CST)) pthread_cond_wait(&condition, &other_mutex);
  pthread_mutex_unlock(&other_mutex);
  return NULL;
}

static void two_mutexes(void) {
  pthread_t a = start(wait_with_other, NULL);
  lock();
  struct timespec deadline = {.tv_sec = 1000};
  pthread_cond_timedwait(&condition, &mutex, &deadline);
  unlock();
  __atomic_store_n(&atomic_ready, 1, __ATOMIC_SEQ_CST);
  pthread_mutex_lock(&other_mutex);
  pthread_cond_broadcast(&condition);
  pthread_mutex_unlock(&other_mutex);
  join(a);
}
INTERLEAVE_MODEL(condition_two_mutexes, .run = two_mutexes, .title = "waited for with two mutexes",
                 .expect = INTERLEAVE_LOCK);

static void destroy_waited(void) {
  pthread_t a = start(wait_for_all, NULL);
  sleep(1);
  lock(); /* so that nothing else is wrong */
  pthread_cond_destroy(&condition);
  join(a);
}
INTERLEAVE_MODEL(condition_destroyed, .run = destroy_waited, .title = "destroyed while a thread waits",
                 .expect = INTERLEAVE_LOCK);

/* Once all are woken, the condition may go, though they have not returned. */
static void broadcast_and_destroy(void) {
  pthread_t a = start(wait_for_all, NULL);
  lock();
  ready = 1;
  pthread_cond_broadcast(&condition);
  pthread_cond_destroy(&condition);
  unlock();
  join(a);
}
INTERLEAVE_MODEL(condition_broadcast_destroy, .run = broadcast_and_destroy, .title = "destroyed after a broadcast");

/* ---- C11 ---- */

static mtx_t mtx;
static cnd_t cnd;
static void init_c11(void) {
  interleave_assert(mtx_init(&mtx, mtx_plain | mtx_recursive) == thrd_success);
  interleave_assert(cnd_init(&cnd) == thrd_success);
}

static int tell_c11(void *arg) {
  (void)arg;
  mtx_lock(&mtx);
  interleave_assert(mtx_trylock(&mtx) == thrd_success);
  mtx_unlock(&mtx);
  ready = 1;
  mtx_unlock(&mtx);
  cnd_signal(&cnd);
  return 7;
}

static void c11(void) {
  thrd_t thread;
  int result;
  interleave_assert(thrd_create(&thread, tell_c11, NULL) == thrd_success);
  mtx_lock(&mtx);
  while (!ready) cnd_wait(&cnd, &mtx);
  mtx_unlock(&mtx);
  interleave_assert(thrd_join(thread, &result) == thrd_success && result == 7);
  struct timespec past = {.tv_sec = 0};
  mtx_lock(&mtx);
  interleave_assert(cnd_timedwait(&cnd, &mtx, &past) == thrd_timedout);
  mtx_unlock(&mtx);
  cnd_destroy(&cnd);
  mtx_destroy(&mtx);
}
INTERLEAVE_MODEL(condition_c11, .setup = init_c11, .run = c11, .title = "C11's mutex, condition and thread");

/* ---- Semaphores ---- */

static sem_t semaphore;
static void init_semaphore(void) { sem_init(&semaphore, 0, 0); }

static void *produce(void *arg) {
  (void)arg;
  plain = 1;
  interleave_assert(sem_post(&semaphore) == 0);
  return NULL;
}

static void consume(void) {
  pthread_t a = start(produce, NULL);
  interleave_assert(sem_wait(&semaphore) == 0);
  interleave_assert(plain == 1);
  int left;
  interleave_assert(sem_getvalue(&semaphore, &left) == 0 && left == 0);
  interleave_assert(sem_destroy(&semaphore) == 0);
  join(a);
}
INTERLEAVE_MODEL(semaphore_hands_over, .setup = init_semaphore, .run = consume,
                 .title = "a post hands over what was written");

static void consume_maybe(void) {
  pthread_t a = start(produce, NULL);
  bool got = sem_trywait(&semaphore) == 0;
  interleave_assert(got || errno == EAGAIN);
  if (got) interleave_assert(plain == 1);
  join(a);
  interleave_outcome(got ? "one" : "none");
}
INTERLEAVE_MODEL(semaphore_tries, .setup = init_semaphore, .run = consume_maybe, .outcomes = "one|none",
                 .title = "a try finds one, or none");

static void wait_for_two(void) {
  pthread_t a = start(produce, NULL);
  sem_wait(&semaphore);
  sem_wait(&semaphore);
  join(a);
}
INTERLEAVE_MODEL(semaphore_short, .setup = init_semaphore, .run = wait_for_two, .title = "one post, two waits",
                 .expect = INTERLEAVE_DEADLOCK);

static void wait_in_vain(void) {
  struct timespec time;
  clock_gettime(CLOCK_REALTIME, &time);
  time.tv_sec++;
  interleave_assert(sem_timedwait(&semaphore, &time) == -1 && errno == ETIMEDOUT);
  interleave_assert(sem_clockwait(&semaphore, CLOCK_MONOTONIC, &time) == -1 && errno == ETIMEDOUT);
}
INTERLEAVE_MODEL(semaphore_timed, .setup = init_semaphore, .run = wait_in_vain, .title = "a wait ends with its time");

/* ---- Barriers ---- */

static pthread_barrier_t barrier;
static int slot[2][2], serials;
static void init_barrier(void) { pthread_barrier_init(&barrier, NULL, 2); }

static void meet(void) {
  int rc = pthread_barrier_wait(&barrier);
  interleave_assert(rc == 0 || rc == PTHREAD_BARRIER_SERIAL_THREAD);
  if (rc) __atomic_add_fetch(&serials, 1, __ATOMIC_RELAXED);
}

static void *two_rounds(void *arg) {
  int me = *(int *)arg;
  for (int round = 0; round < 2; round++) {
    slot[round][me] = round + 1;
    meet();
    interleave_assert(slot[round][1 - me] == round + 1);
  }
  return NULL;
}

static void barrier_rounds(void) {
  int names[2] = {0, 1};
  pthread_t a = start(two_rounds, &names[1]);
  two_rounds(&names[0]);
  join(a);
  interleave_assert(serials == 2);
  interleave_assert(pthread_barrier_destroy(&barrier) == 0);
}
INTERLEAVE_MODEL(barrier_rounds, .setup = init_barrier, .run = barrier_rounds,
                 .title = "two rounds, each ordered, one serial thread in each");

/* What is written after one barrier, and read before the next, is ordered by neither. */
static void *write_after(void *arg) {
  (void)arg;
  meet();
  plain = 1;
  meet();
  return NULL;
}

static void barrier_between(void) {
  pthread_t a = start(write_after, NULL);
  meet();
  interleave_assert(plain <= 1);
  meet();
  join(a);
}
INTERLEAVE_MODEL(barrier_no_edge_within, .setup = init_barrier, .run = barrier_between,
                 .title = "a round's edge is of that round alone", .expect = INTERLEAVE_RACE);

static void barrier_alone(void) { meet(); }
INTERLEAVE_MODEL(barrier_short, .setup = init_barrier, .run = barrier_alone, .title = "fewer come than are waited for",
                 .expect = INTERLEAVE_DEADLOCK);

static void *meet_only(void *arg) {
  (void)arg;
  meet();
  return NULL;
}

static void barrier_destroyed(void) {
  pthread_t a = start(meet_only, NULL);
  sleep(1);
  pthread_barrier_destroy(&barrier);
  join(a);
}
INTERLEAVE_MODEL(barrier_destroyed, .setup = init_barrier, .run = barrier_destroyed,
                 .title = "destroyed while a thread waits", .expect = INTERLEAVE_LOCK);
