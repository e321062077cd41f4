/* Futexes, virtual time and the library's functions as the code under test sees them. */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "interleave.h"
#include "start.h"

/* ---- Futexes ---- */

static uint32_t word;
static int plain;

static long futex(int operation, uint32_t value, const struct timespec *timeout, uint32_t mask) {
  return syscall(SYS_futex, &word, operation, value, timeout, NULL, mask);
}

static long wait_while(uint32_t value) { return futex(FUTEX_WAIT_PRIVATE, value, NULL, 0); }
static uint32_t load(int order) { return __atomic_load_n(&word, order); }

/* Drepper's second mutex: 0 free, 1 held, 2 held and waited for. */
static void futex_lock(void) {
  uint32_t seen = 0;
  if (__atomic_compare_exchange_n(&word, &seen, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) return;
  while (__atomic_exchange_n(&word, 2, __ATOMIC_ACQUIRE) != 0) wait_while(2);
}

static void futex_unlock(void) {
  if (__atomic_exchange_n(&word, 0, __ATOMIC_RELEASE) == 2) futex(FUTEX_WAKE_PRIVATE, 1, NULL, 0);
}

static void *add(void *arg) {
  (void)arg;
  futex_lock();
  plain++;
  futex_unlock();
  return NULL;
}

static void futex_mutex(void) {
  pthread_t a = start(add, NULL), b = start(add, NULL);
  join(a);
  join(b);
  interleave_assert(plain == 2);
}
INTERLEAVE_MODEL(futex_mutex, .run = futex_mutex, .title = "a mutex made of a futex", .preemptions = 2);

static void *store_and_wake(void *arg) {
  (void)arg;
  __atomic_store_n(&word, 1, __ATOMIC_RELEASE);
  futex(FUTEX_WAKE_PRIVATE, INT_MAX, NULL, 0);
  return NULL;
}

static void futex_event(void) {
  pthread_t a = start(store_and_wake, NULL);
  while (load(__ATOMIC_ACQUIRE) == 0) {
    long rc = wait_while(0);
    interleave_assert(rc == 0 || errno == EAGAIN);
  }
  join(a);
}
INTERLEAVE_MODEL(futex_event, .run = futex_event, .title = "the value is looked at again: no wake-up is lost");

static void *wake_only(void *arg) {
  (void)arg;
  futex(FUTEX_WAKE_PRIVATE, INT_MAX, NULL, 0);
  return NULL;
}

static void futex_lost(void) {
  pthread_t a = start(wake_only, NULL);
  wait_while(0);
  join(a);
}
INTERLEAVE_MODEL(futex_lost, .run = futex_lost, .title = "woken before it waits, and no value says so",
                 .expect = INTERLEAVE_DEADLOCK);

static void futex_spurious(void) {
  pthread_t a = start(store_and_wake, NULL);
  if (load(__ATOMIC_ACQUIRE) == 0 && wait_while(0) == 0) interleave_assert(load(__ATOMIC_ACQUIRE) == 1);
  join(a);
}
INTERLEAVE_MODEL(futex_spurious, .run = futex_spurious, .title = "a wake-up without a cause is believed",
                 .expect = INTERLEAVE_ASSERTION);

static void *write_and_wake(void *arg) {
  sleep(1);
  plain = 1;
  wake_only(arg);
  return NULL;
}

/* Time passes while the waiter is asleep alone: a wake-up without a cause comes before. */
static void futex_no_edge(void) {
  time_t before = time(NULL);
  pthread_t a = start(write_and_wake, NULL);
  wait_while(0);
  interleave_assume(time(NULL) > before);
  plain = 2;
  join(a);
}
INTERLEAVE_MODEL(futex_no_edge, .run = futex_no_edge, .title = "a wake-up orders nothing", .expect = INTERLEAVE_RACE);

/* The kernel has looked at the newest value: what the thread reads afterwards is no older. */
static void *store_relaxed(void *arg) {
  (void)arg;
  __atomic_store_n(&word, 1, __ATOMIC_RELAXED);
  return NULL;
}

static void futex_newest(void) {
  struct timespec no_time = {0};
  pthread_t a = start(store_relaxed, NULL);
  bool changed = futex(FUTEX_WAIT, 0, &no_time, 0) == -1 && errno == EAGAIN;
  uint32_t after = load(__ATOMIC_RELAXED);
  if (changed) interleave_assert(after == 1);
  join(a);
  interleave_outcome("%d%u", changed, after);
}
INTERLEAVE_MODEL(futex_newest, .run = futex_newest, .title = "a thread reads nothing older than the kernel did for it",
                 .outcomes = "00|01|11");

static void *wait_for_bit(void *bit) {
  interleave_assert(futex(FUTEX_WAIT_BITSET_PRIVATE, 0, NULL, *(uint32_t *)bit) == 0 || errno == EAGAIN);
  return NULL;
}

static void futex_bits(void) {
  uint32_t bits[2] = {1, 2};
  pthread_t a = start(wait_for_bit, &bits[0]), b = start(wait_for_bit, &bits[1]);
  long woken = futex(FUTEX_WAKE_BITSET_PRIVATE, 1, NULL, 4);
  interleave_assert(woken == 0);
  woken = futex(FUTEX_WAKE_BITSET_PRIVATE, INT_MAX, NULL, 1);
  interleave_assert(woken <= 1);
  __atomic_store_n(&word, 1, __ATOMIC_RELAXED);
  futex(FUTEX_WAKE_PRIVATE, INT_MAX, NULL, 0);
  join(a);
  join(b);
  interleave_outcome("%ld", woken);
}
INTERLEAVE_MODEL(futex_bits, .run = futex_bits, .outcomes = "0|1", .preemptions = 1,
                 .title = "bit sets choose whom to wake");

static void futex_errors(void) {
  struct timespec wrong = {.tv_nsec = 1000000000}, past = {.tv_sec = 0}, second = {.tv_sec = 1}, before, after;
  interleave_assert(wait_while(1) == -1 && errno == EAGAIN);
  interleave_assert(futex(FUTEX_WAIT_PRIVATE, 0, &wrong, 0) == -1 && errno == EINVAL);
  interleave_assert(futex(FUTEX_WAIT_BITSET_PRIVATE, 1, NULL, 0) == -1 && errno == EINVAL);
  interleave_assert(syscall(SYS_futex, (char *)&word + 1, FUTEX_WAKE, 1, NULL, NULL, 0) == -1 && errno == EINVAL);
  /* A wake-up without a cause is no time-out, but comes at most once. */
  clock_gettime(CLOCK_MONOTONIC, &before);
  while (futex(FUTEX_WAIT_PRIVATE, 0, &second, 0) != -1) {
  }
  interleave_assert(errno == ETIMEDOUT);
  clock_gettime(CLOCK_MONOTONIC, &after);
  interleave_assert(after.tv_sec == before.tv_sec + 1);
  interleave_assert(futex(FUTEX_WAIT_BITSET_PRIVATE, 0, &past, 1) == -1 && errno == ETIMEDOUT);
}
INTERLEAVE_MODEL(futex_errors, .run = futex_errors, .title = "what a futex call refuses, and when it ends");

/* ---- Barriers for all threads ---- */

static int left_flag, right_flag, right_seen;

static void *look_left(void *arg) {
  __atomic_store_n(&right_flag, 1, __ATOMIC_RELAXED);
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  right_seen = __atomic_load_n(&left_flag, __ATOMIC_RELAXED);
  return arg;
}

static void both_look(bool barrier) {
  pthread_t a = start(look_left, NULL);
  __atomic_store_n(&left_flag, 1, __ATOMIC_RELAXED);
  if (barrier) interleave_assert(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0);
  int seen = __atomic_load_n(&right_flag, __ATOMIC_RELAXED);
  join(a);
  interleave_outcome("%d%d", seen, right_seen);
}

static void with_barrier(void) { both_look(true); }
static void without_barrier(void) { both_look(false); }
INTERLEAVE_MODEL(membarrier, .run = with_barrier, .outcomes = "01|10|11",
                 .title = "one thread's membarrier stands for the other's fence");
INTERLEAVE_MODEL(membarrier_missing, .run = without_barrier, .outcomes = "00|01|10|11",
                 .title = "without it neither sees the other");

/* ---- Forks ---- */

static pthread_mutex_t held_elsewhere = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP;
static int taken;
static void *hold_and_sleep(void *arg) {
  pthread_mutex_lock(&held_elsewhere);
  __atomic_store_n(&taken, 1, __ATOMIC_RELEASE);
  sleep(1);
  pthread_mutex_unlock(&held_elsewhere);
  return arg;
}

static void *do_nothing(void *arg) { return arg; }

/* A thread of the child may get the id of one that held a lock in the parent; it does not hold it. */
static void fork_while_held(void) {
  pthread_t a = start(hold_and_sleep, NULL);
  while (!__atomic_load_n(&taken, __ATOMIC_ACQUIRE)) sched_yield();
  pid_t child = fork();
  if (child == 0) {
    join(start(do_nothing, NULL));
    int rc = pthread_mutex_trylock(&held_elsewhere);
    interleave_assert(rc == EBUSY);
    interleave_outcome("child");
    return;
  }
  join(a);
  interleave_assert(pthread_mutex_trylock(&held_elsewhere) == 0);
  pthread_mutex_unlock(&held_elsewhere);
  interleave_outcome("parent");
}
INTERLEAVE_MODEL(fork_while_held, .run = fork_while_held, .outcomes = "parent|child",
                 .title = "what another held at the fork stays held in the child");

static void *try_elsewhere(void *arg) {
  interleave_assert(pthread_mutex_trylock(&held_elsewhere) == EBUSY);
  interleave_assert(pthread_mutex_unlock(&held_elsewhere) == EPERM);
  return arg;
}

static void fork_and_reuse(void) {
  pthread_t a = start(hold_and_sleep, NULL);
  while (!__atomic_load_n(&taken, __ATOMIC_ACQUIRE)) sched_yield();
  if (fork() == 0)
    for (unsigned i = 0; i < 16; i++) join(start(try_elsewhere, NULL));
  else
    join(a);
}
INTERLEAVE_MODEL(fork_and_reuse, .run = fork_and_reuse, .title = "and is not a new thread's that has the old one's id");

/* ---- Who am I ---- */

static void *tell_id(void *id) {
  *(long *)id = syscall(SYS_gettid);
  interleave_assert(gettid() == *(long *)id);
  return NULL;
}

static void ids(void) {
  long id = 0;
  join(start(tell_id, &id));
  interleave_assert(gettid() == getpid() && id != 0 && id != gettid());
  interleave_assert(syscall(SYS_tgkill, getpid(), gettid(), 0) == 0);
  interleave_assert(syscall(SYS_rt_sigprocmask, -1, &id, NULL, 8) == -1 && errno == EINVAL);
}
INTERLEAVE_MODEL(thread_ids, .run = ids, .title = "thread ids are told apart");

static void unknown_call(void) { syscall(SYS_getrandom, &word, sizeof word, 0); }
INTERLEAVE_MODEL(system_call_refused, .run = unknown_call, .title = "a call that no replay could repeat",
                 .expect = INTERLEAVE_UNSUPPORTED);

/* ---- Time ---- */

static int order;
static void *nap(void *arg) {
  struct timespec time = {.tv_sec = *(int *)arg};
  interleave_assert(nanosleep(&time, NULL) == 0);
  interleave_assert(__atomic_add_fetch(&order, 1, __ATOMIC_RELAXED) == *(int *)arg);
  return NULL;
}

static void sleepers(void) {
  int seconds[2] = {2, 1};
  time_t before = time(NULL);
  pthread_t a = start(nap, &seconds[0]), b = start(nap, &seconds[1]);
  join(a);
  join(b);
  interleave_assert(time(NULL) - before == 2);
  interleave_assert(sleep(1) == 0 && usleep(10) == 0);
  struct timespec wrong = {.tv_nsec = -1};
  interleave_assert(nanosleep(&wrong, NULL) == -1 && errno == EINVAL);
  interleave_assert(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &wrong, NULL) == EINVAL);
}
INTERLEAVE_MODEL(sleepers_in_order, .run = sleepers, .title = "sleepers wake in the order of their times");

static void watch_clock(void) {
  struct timespec start_time, now;
  clock_gettime(CLOCK_MONOTONIC, &start_time);
  do clock_gettime(CLOCK_MONOTONIC, &now);
  while (now.tv_sec == start_time.tv_sec && now.tv_nsec - start_time.tv_nsec < 100000);
  interleave_assert(interleave_get_counts().steps < 10);
}
INTERLEAVE_MODEL(clock_watched, .run = watch_clock, .title = "a loop over a clock ends, and is no step");

static void handle(int signal) { (void)signal; }
static void install(void) {
  struct sigaction action = {.sa_handler = handle, .sa_flags = SA_RESTART};
  sigaction(SIGUSR1, &action, NULL);
}

static void *sleep_interrupted(void *result) {
  struct timespec time = {.tv_sec = 5}, left = {0};
  bool whole = nanosleep(&time, &left) == 0;
  interleave_assert(whole || (errno == EINTR && left.tv_sec <= 5 && left.tv_sec >= 4));
  *(bool *)result = whole;
  return NULL;
}

static void sleep_and_signal(void) {
  bool whole = false;
  pthread_t a = start(sleep_interrupted, &whole);
  pthread_kill(a, SIGUSR1);
  join(a);
  interleave_outcome(whole ? "whole" : "cut");
}
INTERLEAVE_MODEL(sleep_interrupted, .setup = install, .run = sleep_and_signal, .outcomes = "whole|cut",
                 .title = "a handler ends a sleep early");

/* ---- The library ---- */

static char text[32], copied[32];
static int numbers[5];
static int compare(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }

static atomic_int between;

static void keep_errno(int number) {
  (void)number;
  int kept = errno;
  errno = EBADF;
  atomic_fetch_add_explicit(&between, 1, memory_order_relaxed);
  errno = kept;
}

static void install_keep_errno(void) { sigaction(SIGUSR1, &(struct sigaction){.sa_handler = keep_errno}, NULL); }

static void *use_errno(void *unused) {
  (void)unused;
  errno = ENOENT;
  numbers[0] = 1;
  interleave_assert(errno == ENOENT);
  return NULL;
}

static void handler_keeps_errno(void) {
  pthread_t thread = start(use_errno, NULL);
  int rc = pthread_kill(thread, SIGUSR1);
  interleave_assert(rc == 0 || rc == ESRCH);
  join(thread);
}
INTERLEAVE_MODEL(handler_keeps_errno, .preemptions = 3, .setup = install_keep_errno, .run = handler_keeps_errno,
                 .title = "a handler keeps errno, which is no race with its own thread");

static void library(void) {
  static const int jumbled[5] = {3, 1, 4, 1, 5}, sorted[5] = {1, 1, 3, 4, 5};
  interleave_assert(text[0] == 0 && numbers[0] == 0); /* undone */
  volatile size_t size = 4;                           /* unknown to the compiler, which warns of what is cut */
  interleave_assert(snprintf(text, size, "%d", 12345) == 5 && strcmp(text, "123") == 0);
  interleave_assert(copied[0] == 0);
  strcpy(copied, text);
  strcat(strcpy(text, "ab"), "cd");
  interleave_assert(strlen(text) == 4 && memchr(text, 'c', 4) == text + 2 && strncmp(text, "abx", 2) == 0);
  interleave_assert(strchr(text, 'd') == text + 3 && strrchr(text, 'x') == NULL);
  strncpy(text, "x", sizeof text);
  interleave_assert(text[1] == 0 && text[3] == 0);
  memcpy(numbers, jumbled, sizeof numbers);
  qsort(numbers, 5, sizeof *numbers, compare);
  interleave_assert(memcmp(numbers, sorted, sizeof numbers) == 0);
}
static void library_after_choice(void) {
  interleave_choose(3); /* so that there are several runs */
  library();
}
INTERLEAVE_MODEL(library_writes, .run = library_after_choice, .title = "what the library writes is undone");

static void *print_text(void *arg) {
  (void)arg;
  sprintf(text, "%d", 7);
  return NULL;
}

static void library_race(void) {
  pthread_t a = start(print_text, NULL);
  interleave_assert(strlen(text) <= 1);
  join(a);
}
INTERLEAVE_MODEL(library_race, .run = library_race, .title = "a string is read while another prints it",
                 .expect = INTERLEAVE_RACE);

static void library_freed(void) {
  char *copy = strdup("abc"), *stale = copy;
  __asm__ volatile("" : "+r"(stale));
  free(copy);
  interleave_assert(strlen(stale) < 100);
}
INTERLEAVE_MODEL(library_freed, .run = library_freed, .title = "the length of a freed string",
                 .expect = INTERLEAVE_MEMORY);

static void library_abort(void) { abort(); }
INTERLEAVE_MODEL(library_abort, .run = library_abort, .title = "abort", .expect = INTERLEAVE_ASSERTION);
static void library_exit(void) { exit(0); }
INTERLEAVE_MODEL(library_exit, .run = library_exit, .title = "exit", .expect = INTERLEAVE_UNSUPPORTED);
