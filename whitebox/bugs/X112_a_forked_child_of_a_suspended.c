/* X112: a forked child of a suspended thread waits for ever, for a thread that it does not have.
 *
 * A thread in a blocking region, for that is what regions are for, forks while it is suspended. The child, which nobody
 * can let go, comes to the region's end. */
#include <semaphore.h>

#include "bug.h"

static sem_t inside, held, forked;
static struct child_result result;

static void await(sem_t *semaphore) {
  while (sem_wait(semaphore) != 0) {
  }
}

static void *nothing(void *arg) { return arg; }

static void leave_and_allocate(void *arg) {
  (void)arg;
  must(!vgc_thread_suspended(pthread_self()));
  must(world_blocking_leave(thread_self()));
  must(vgc_malloc(16) != NULL);
  vgc_call_blocking(nothing, NULL);
}

static void *fork_there(void *arg) {
  sem_post(&inside);
  await(&held);
  child_run(leave_and_allocate, NULL, 10, &result);
  sem_post(&forked);
  return arg;
}

static void in_region(void *arg) { vgc_call_blocking(fork_there, arg); }

static void a_child_is_free(void **state) {
  (void)state;
  static struct worker worker;
  struct vgc_config given = config_quiet();
  assert_int_equal(vgc_init(&given), 0);
  assert_int_equal(sem_init(&inside, 0, 0), 0);
  assert_int_equal(sem_init(&held, 0, 0), 0);
  assert_int_equal(sem_init(&forked, 0, 0), 0);
  worker_start(&worker);
  worker_begin(&worker, in_region, NULL);
  await(&inside);
  assert_int_equal(vgc_thread_suspend(worker.thread), 0);
  sem_post(&held);
  await(&forked);
  assert_int_equal(vgc_thread_resume(worker.thread), 0);
  worker_finish(&worker);
  assert_false(result.timed_out);
  assert_int_equal(result.exit_code, 0);
  worker_stop(&worker);
}

BUG(X112) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(a_child_is_free, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("X112", tests, NULL, NULL);
}
