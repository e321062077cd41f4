/* N40: fork while other threads hold locks and are at work.
 *
 * The child has one thread. It must find no lock held by a thread that it does not have, drop the others' records, and
 * be able to allocate, free and collect. */
#include <semaphore.h>

#include "bug.h"
#include "task.h"

enum { SIZE = 208, DEADLINE_S = 4 };

static void *kept[200];

static void use_heap(void *unused) {
  (void)unused;
  struct vgc_stats stats = {.struct_size = sizeof stats};
  must(thread_records() == 1);
  for (unsigned round = 0; round < 3; round++) {
    for (unsigned i = 0; i < 200; i++) must((kept[i] = vgc_malloc(SIZE)));
    must((kept[0] = vgc_malloc(100000)));
    must(vgc_collect() == 0);
    for (unsigned i = 0; i < 200; i += 2) {
      vgc_free(kept[i]);
      kept[i] = NULL;
    }
  }
  must(vgc_get_stats(&stats) == 0);
  must(stats.threads == 1 && stats.cycles >= 3);
}

/* Takes a lock by what allocating needs. */
static void allocate_small(void *unused) {
  (void)unused;
  must(vgc_malloc(SIZE));
}

static void allocate_large(void *unused) {
  (void)unused;
  must(vgc_malloc(300000));
}

static void *nothing(void *arg) { return arg; }

static void start_thread(void *unused) {
  (void)unused;
  pthread_t thread;
  must(pthread_create(&thread, NULL, nothing, NULL) == 0 && pthread_join(thread, NULL) == 0);
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

/* A thread stands at the point, within a lock, while another forks. */
static void forked_while_at(const char *point, void (*step)(void *)) {
  struct worker worker, releaser;
  struct child_result result;
  struct release order = {.forking = platform_thread_id()};
  must(sem_init(&order.begun, 0, 0) == 0);
  worker_start(&releaser);
  worker_start(&worker);
  /* Both have arrived, and have a cache: the next steps take no lock but the one in question. */
  worker_do(&releaser, allocate_large, NULL);
  worker_do(&worker, allocate_large, NULL);
  order.within = park_arm(point);
  worker_begin(&worker, step, NULL);
  park_await(order.within);
  worker_begin(&releaser, release, &order);
  park_arm_call("fork_prepare", begin, &order);
  child_run(use_heap, NULL, DEADLINE_S, &result);
  worker_stop(&releaser);
  worker_stop(&worker);
  if (result.timed_out || result.exit_code != 0)
    fail_msg("the child of a fork with a thread at %s %s: exit %d, signal %d\n%s", point,
             result.timed_out ? "hung" : "failed", result.exit_code, result.signal, result.text);
  park_reset(NULL);
}

static void class_lock(void **state) {
  (void)state;
  forked_while_at("central_take_before_unlock", allocate_small);
}

static void pages_lock(void **state) {
  (void)state;
  forked_while_at("span_before_publish", allocate_large);
}

static void registry_lock(void **state) {
  (void)state;
  forked_while_at("thread_before_running", start_thread);
}

/* The others' objects go with them, the forking thread's stay. */
static void dead_peers(void **state) {
  (void)state;
  struct worker workers[3];
  struct child_result result;
  for (unsigned i = 0; i < 3; i++) {
    worker_start(&workers[i]);
    worker_do(&workers[i], allocate_small, NULL);
  }
  child_run(use_heap, NULL, DEADLINE_S, &result);
  for (unsigned i = 0; i < 3; i++) worker_stop(&workers[i]);
  if (result.timed_out || result.exit_code != 0) fail_msg("%s", result.text);
}

BUG(N40) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(class_lock, fault_reset, park_reset),
                                     cmocka_unit_test_setup_teardown(pages_lock, fault_reset, park_reset),
                                     cmocka_unit_test_setup_teardown(registry_lock, fault_reset, park_reset),
                                     cmocka_unit_test_setup_teardown(dead_peers, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("N40", tests, NULL, NULL);
}
