/* B10: atomics that are emulated with a lock, in a signal handler.
 *
 * Between the first signal and the last answer nobody takes a lock: not the stopper, and no handler. */
#include "bug.h"

enum { WORKERS = 3 };

static unsigned long locks[2];

static void count_locks(void *at) { *(unsigned long *)at = fault_count(FAULT_LOCK); }

static void idle(void *arg) { *(void **)arg = vgc_malloc(64); }

static void stop_takes_no_lock(void **state) {
  (void)state;
  static struct worker workers[WORKERS];
  void *objects[WORKERS];
  for (unsigned i = 0; i < WORKERS; i++) {
    worker_start(&workers[i]);
    worker_do(&workers[i], idle, &objects[i]);
  }
  park_arm_call("world_before_signal", count_locks, &locks[0]);
  park_arm_call("collect_stopped", count_locks, &locks[1]);
  assert_int_equal(vgc_collect(), 0);
  assert_true(stats_now().suspensions >= WORKERS);
  assert_int_not_equal(locks[0], 0);
  assert_int_equal(locks[1], locks[0]);
  for (unsigned i = 0; i < WORKERS; i++) worker_stop(&workers[i]);
}

static void atomics_are_lock_free(void **state) {
  (void)state;
  struct span *span = span_of((uintptr_t)vgc_malloc(64));
  assert_true(atomic_is_lock_free(&span->avail));
  assert_true(atomic_is_lock_free(&span->active));
  assert_true(atomic_is_lock_free(&span->owner));
  assert_true(atomic_is_lock_free(&thread_self()->state));
  assert_true(atomic_is_lock_free(&thread_self()->stop_epoch));
}

BUG(B10) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(stop_takes_no_lock, fault_reset, park_reset),
                                     cmocka_unit_test_setup_teardown(atomics_are_lock_free, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("B10", tests, NULL, NULL);
}
