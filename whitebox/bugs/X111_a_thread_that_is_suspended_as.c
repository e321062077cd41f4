/* X111: a thread that is suspended as it comes back from a blocking region, or from a suspension, goes on.
 *
 * It has seen that it is not held. Then all of a suspension comes, which takes it for away, and is over before the
 * thread looks whether the world is stopped. The thread says whether it waits or goes on. */
#include <semaphore.h>
#include <stdatomic.h>

#include "bug.h"

static struct worker worker;
static sem_t go, told;
static _Atomic bool waits;

static void await(sem_t *semaphore) {
  while (sem_wait(semaphore) != 0) {
  }
}

static void wait_is_told(void *arg) {
  (void)arg;
  atomic_store(&waits, true);
  sem_post(&told);
}

static void *in_region(void *arg) { return arg; }

static void come_back(void *arg) {
  (void)arg;
  vgc_call_blocking(in_region, NULL);
  sem_post(&told);
}

/* Where it may be held with no lock that the test needs. */
static void go_on(void *arg) {
  (void)arg;
  sem_post(&told);
  await(&go);
  sem_post(&told);
}

static void nothing(void *arg) { (void)arg; }

/* The worker is parked where it has seen that it is not held. */
static void suspend_at(struct park *window) {
  park_await(window);
  park_arm_call("blocking_leave_held", wait_is_told, NULL);
  assert_int_equal(vgc_thread_suspend(worker.thread), 0);
  park_release(window);
  await(&told);
  assert_true(atomic_load(&waits));
  assert_int_equal(vgc_thread_resume(worker.thread), 0);
  worker_finish(&worker);
  worker_stop(&worker);
}

static void start(void) {
  struct vgc_config given = config_quiet();
  assert_int_equal(vgc_init(&given), 0);
  assert_int_equal(sem_init(&go, 0, 0), 0);
  assert_int_equal(sem_init(&told, 0, 0), 0);
  atomic_store(&waits, false);
  worker_start(&worker);
  worker_do(&worker, nothing, NULL); /* it is registered */
}

static void at_the_end_of_a_region(void **state) {
  (void)state;
  start();
  struct park *window = park_arm_thread("blocking_leave_let_go", worker.thread);
  worker_begin(&worker, come_back, NULL);
  suspend_at(window);
  assert_int_equal(vgc_shutdown(), 0);
}

static void when_let_go(void **state) {
  (void)state;
  start();
  struct park *asleep = park_arm_thread("blocking_leave_held", worker.thread);
  struct park *window = park_arm_thread("blocking_leave_let_go", worker.thread);
  worker_begin(&worker, go_on, NULL);
  await(&told);
  assert_int_equal(vgc_thread_suspend(worker.thread), 0);
  park_await(asleep);
  assert_int_equal(vgc_thread_resume(worker.thread), 0);
  park_release(asleep);
  sem_post(&go);
  suspend_at(window);
}

BUG(X111) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(at_the_end_of_a_region, fault_reset, park_reset),
      cmocka_unit_test_setup_teardown(when_let_go, fault_reset, park_reset),
  };
  return cmocka_run_group_tests_name("X111", tests, NULL, NULL);
}
