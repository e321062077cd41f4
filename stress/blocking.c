/* Threads in system calls and in blocking regions. A ring of threads passes tokens through pipes; each waits for its
 * token in another way, with objects that only its stack holds, while others collect. */
#include <errno.h>
#include <poll.h>
#include <semaphore.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <time.h>
#include <unistd.h>

#include "harness.h"
#include "oracle.h"

enum { HELD = 12, MOST_WORKERS = 260, ERRNO_MARK = 12345 };
enum way { READ, READ_IN_REGION, POLL_IN_REGION, POLL, EPOLL, SELECT, NANOSLEEP, SEMAPHORE, CONDITION, WAYS };

/* Pipe i: written by thread i, read by its successor, who also waits on the others of the same number. */
static int pipes[MOST_WORKERS][2];

struct waiter {
  struct worker *worker;
  int in;
  ssize_t got; /* result of the last read */
  int error;
};

static struct reference new_held(struct worker *worker) {
  struct random *random = &worker->random;
  struct reference top = oracle_new(worker, KIND_SCANNED, 64 + random_below(random, 256), 2, 8);
  for (unsigned link = 0; link < 2; link++)
    oracle_relink(worker, &top, link,
                  oracle_new(worker, random_one_in(random, 2) ? KIND_NOSCAN : KIND_SCANNED,
                             random_one_in(random, 32) ? random_size(random) : 48, 0, 8));
  return top;
}

/* A plain read from a pipe must never fail with EINTR: being suspended is not the program's signal. */
static void read_token(void *argument) {
  struct waiter *waiter = argument;
  char token;
  waiter->got = read(waiter->in, &token, 1);
  waiter->error = errno;
}

static void wait_poll(void *argument) {
  const struct waiter *waiter = argument;
  struct pollfd ready = {.fd = waiter->in, .events = POLLIN};
  while (poll(&ready, 1, 20) < 0 && errno == EINTR) {
  }
}

static void wait_epoll(const struct waiter *waiter) {
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event event = {.events = EPOLLIN};
  harness_check(epoll >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, waiter->in, &event) == 0, "epoll: %s", strerror(errno));
  while (epoll_wait(epoll, &event, 1, 20) < 0 && errno == EINTR) {
  }
  close(epoll);
}

static void wait_select(const struct waiter *waiter) {
  fd_set set;
  FD_ZERO(&set);
  FD_SET(waiter->in, &set);
  struct timeval limit = {.tv_usec = 20000};
  (void)select(waiter->in + 1, &set, NULL, NULL, &limit); /* read_token waits for the rest */
}

static struct timespec soon(void) {
  struct timespec time;
  clock_gettime(CLOCK_REALTIME, &time);
  time.tv_nsec += 1000000;
  if (time.tv_nsec >= 1000000000) {
    time.tv_nsec -= 1000000000;
    time.tv_sec++;
  }
  return time;
}

static void wait_semaphore(void) {
  sem_t never;
  sem_init(&never, 0, 0);
  struct timespec limit = soon();
  while (sem_timedwait(&never, &limit) < 0 && errno == EINTR) {
  }
  sem_destroy(&never);
}

static void wait_condition(void) {
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_cond_t never = PTHREAD_COND_INITIALIZER;
  struct timespec limit = soon();
  pthread_mutex_lock(&mutex);
  while (pthread_cond_timedwait(&never, &mutex, &limit) == 0) {
  }
  pthread_mutex_unlock(&mutex);
}

/* False: the predecessor is gone. */
static bool wait_for_token(struct waiter *waiter, enum way way) {
  switch (way) {
  case POLL_IN_REGION:
    subject.blocking(wait_poll, waiter);
    break;
  case POLL:
    wait_poll(waiter);
    break;
  case EPOLL:
    wait_epoll(waiter);
    break;
  case SELECT:
    wait_select(waiter);
    break;
  case NANOSLEEP:
    nanosleep(&(struct timespec){.tv_nsec = 500000}, NULL);
    break;
  case SEMAPHORE:
    wait_semaphore();
    break;
  case CONDITION:
    wait_condition();
    break;
  default:
    break;
  }
  if (way == READ_IN_REGION)
    subject.blocking(read_token, waiter);
  else
    read_token(waiter);
  harness_check(waiter->got >= 0, "thread %u: read from a pipe: %s", waiter->worker->index, strerror(waiter->error));
  return waiter->got > 0;
}

/* A suspension between any two instructions must leave errno alone. */
static void compute(const struct worker *worker) {
  errno = ERRNO_MARK;
  uint64_t value = worker->ops;
  for (int i = 0; i < 2000; i++) {
    value = random_mix(value + 1);
    harness_check(errno == ERRNO_MARK, "thread %u: errno changed from %d to %d while computing", worker->index,
                  ERRNO_MARK, errno);
  }
}

static void churn(struct worker *worker, struct reference *held) {
  for (int i = 0; i < 16; i++) {
    struct reference *one = &held[random_below(&worker->random, HELD)];
    uint64_t objects = 0, bytes = 0;
    oracle_check_tree(worker, one, &objects, &bytes);
    oracle_drop(worker, one);
    *one = new_held(worker);
  }
  if (random_one_in(&worker->random, 64)) harness_collect();
}

static void work(struct worker *worker) {
  struct reference held[HELD] = {0};
  unsigned self = worker->index - 1, before = (self + options.threads - 1) % options.threads;
  struct waiter waiter = {.worker = worker, .in = pipes[before][0]};
  bool fed = true;
  while (fed && harness_goes_on(worker)) {
    churn(worker, held);
    compute(worker);
    harness_check(write(pipes[self][1], "t", 1) == 1, "thread %u: write to a pipe: %s", worker->index, strerror(errno));
    fed = wait_for_token(&waiter, (enum way)random_below(&worker->random, WAYS));
  }
  close(pipes[self][1]); /* the successor reads end of file */
  uint64_t objects = 0, bytes = 0;
  for (int i = 0; i < HELD; i++) oracle_check_tree(worker, &held[i], &objects, &bytes);
  harness_census(worker, objects, bytes);
  for (int i = 0; i < HELD; i++) oracle_drop(worker, &held[i]);
}

static void begin(struct worker *worker) {
  (void)worker;
  for (unsigned i = 0; i < options.threads; i++) harness_check(pipe(pipes[i]) == 0, "no pipe: %s", strerror(errno));
}

static void end(struct worker *worker) {
  (void)worker;
  for (unsigned i = 0; i < options.threads; i++) close(pipes[i][0]);
}

struct program program = {
    .name = "blocking",
    .summary = "threads in system calls and blocking regions while others collect",
    .threads = 5,
    .least_threads = 2,
    .retained = 32,
    .asks_often = true,
    .begin = begin,
    .work = work,
    .end = end,
};
