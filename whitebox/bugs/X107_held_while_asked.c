/* X107: a thread that becomes held while a stop asks it does not wake the stopper, which sleeps for all of its nap.
 *
 * The suspend signal is masked in the handler in which a thread becomes held. A stop that asks it there, and sleeps,
 * must be woken by it before it sleeps itself. */
#include <stdatomic.h>
#include <unistd.h>

#include "bug.h"
#include "probe.h"

static struct worker held, stopper;
static _Atomic int stopper_tid;
static _Atomic bool stopped;
static _Atomic unsigned wakes; /* by the held thread */

static void stop(void *arg) {
  (void)arg;
  atomic_store(&stopper_tid, gettid());
  must(vgc_collect() == 0);
  atomic_store(&stopped, true);
}

static void count_wake(void *arg) {
  (void)arg;
  if (pthread_equal(pthread_self(), held.thread)) atomic_fetch_add(&wakes, 1);
}

/* In a region, so that the stop waits for the held thread alone. */
static void *let_go_on(void *window) {
  worker_begin(&stopper, stop, NULL);
  probe_await_sleep(&stopper_tid, &stopped);
  park_arm_each("world_wakes_stopper", count_wake, NULL);
  struct park *sleeps = park_arm_thread("blocking_leave_held", held.thread);
  park_release(window);
  park_await(sleeps);
  park_release(sleeps);
  worker_finish(&stopper);
  return NULL;
}

static void allocate(void *arg) {
  (void)arg;
  must(vgc_malloc(16) != NULL);
}

static void the_stopper_is_woken(void **state) {
  (void)state;
  struct vgc_config given = config_quiet();
  assert_int_equal(vgc_init(&given), 0);
  worker_start(&held);
  worker_start(&stopper);
  worker_do(&held, allocate, NULL);
  worker_do(&stopper, allocate, NULL);
  struct park *window = park_arm_thread("world_handler_holds", held.thread);
  assert_int_equal(vgc_thread_suspend(held.thread), 0);
  park_await(window);
  vgc_call_blocking(let_go_on, window);
  assert_int_equal(atomic_load(&wakes), 1);
  assert_int_equal(vgc_thread_resume(held.thread), 0);
  worker_stop(&stopper);
  worker_stop(&held);
}

BUG(X107) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(the_stopper_is_woken, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("X107", tests, NULL, NULL);
}
