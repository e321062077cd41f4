#include "forked.h"

#include <semaphore.h>

#include "child.h"
#include "door.h"
#include "park.h"
#include "task.h"
#include "test.h"
#include "worker.h"

enum { DEADLINE_S = 4 };

static void allocate(void *unused) {
  (void)unused;
  must(vgc_malloc(300000) != NULL);
}

struct release {
  int forking; /* thread id */
  sem_t begun;
  struct park *within;
};

static void begin(void *release) { must(sem_post(&((struct release *)release)->begun) == 0); }

/* Lets go as soon as fork waits; or, should it not wait, when it is over and the forking thread waits for the child. */
static void release(void *arg) {
  struct release *order = arg;
  while (sem_wait(&order->begun) != 0) {
  }
  task_await_sleep(order->forking);
  park_release(order->within);
}

void forked_while_at(const char *point, void (*step)(void *), void (*body)(void *)) {
  struct worker worker, releaser;
  struct child_result result;
  struct release order = {.forking = platform_thread_id()};
  must(sem_init(&order.begun, 0, 0) == 0);
  worker_start(&releaser);
  worker_start(&worker);
  /* Both have arrived, and have a cache: the next steps take no lock but the one in question. */
  worker_do(&releaser, allocate, NULL);
  worker_do(&worker, allocate, NULL);
  order.within = park_arm(point);
  worker_begin(&worker, step, NULL);
  park_await(order.within);
  worker_begin(&releaser, release, &order);
  park_arm_call("fork_prepare", begin, &order);
  child_run(body, NULL, DEADLINE_S, &result);
  worker_stop(&releaser);
  worker_stop(&worker);
  if (result.timed_out || result.exit_code != 0)
    fail_msg("the child of a fork with a thread at %s %s: exit %d, signal %d\n%s", point,
             result.timed_out ? "hung" : "failed", result.exit_code, result.signal, result.text);
  park_reset(NULL);
}
