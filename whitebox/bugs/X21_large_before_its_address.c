/* X21: a large object is issued before its thread holds the address.
 *
 * The pages lock is released with the object issued; until the function returns, only the span's descriptor knew where
 * it lies. A thread stopped there lost the object, and the same pages were issued again. */
#include "bug.h"

enum { SIZE = 100000, AFTER = 4 };

static uintptr_t victim; /* hidden */

static void take(void *unused) {
  (void)unused;
  victim = hide(vgc_malloc_noscan(SIZE));
}

static void suspended_before_the_address(void **state) {
  (void)state;
  errors_record();
  struct worker worker;
  worker_start(&worker);
  worker_do(&worker, scrub_stack, NULL);
  struct park *window = park_arm_thread("large_after_issue", worker.thread);
  worker_begin(&worker, take, NULL);
  park_await(window);
  assert_int_equal(vgc_collect(), 0);
  assert_int_equal(stats_now().objects_swept, 0);
  void *objects[AFTER + 1];
  for (unsigned i = 0; i < AFTER; i++) objects[i] = vgc_malloc_noscan(SIZE);
  park_release(window);
  worker_finish(&worker);
  objects[AFTER] = reveal(victim);
  assert_true(all_distinct(objects, AFTER + 1));
  for (unsigned i = 0; i < AFTER + 1; i++) vgc_free(objects[i]);
  worker_stop(&worker);
  assert_int_equal(errors_count(), 0);
}

BUG(X21) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(suspended_before_the_address, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("X21", tests, NULL, NULL);
}
