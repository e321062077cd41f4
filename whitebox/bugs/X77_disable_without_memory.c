/* X77: vgc_disable finds no memory for the caller's cache, and does not disable. */
#include <errno.h>

#include "bug.h"
#include "probe.h"

static void disable(void *unused) {
  (void)unused;
  vgc_disable();
}

static void disabled_all_the_same(void **state) {
  (void)state;
  errors_record();
  start_quiet();
  static struct worker other;
  worker_start(&other);
  assert_int_equal(vgc_collect(), 0);
  fault_fail(FAULT_RESERVE, 0, ~0ul);
  worker_do(&other, disable, NULL);
  assert_true(fault_failed(FAULT_RESERVE) > 0);
  fault_reset(NULL);
  errno = 0;
  assert_int_equal(vgc_collect(), -1);
  assert_int_equal(errno, EBUSY);
  vgc_enable();
  assert_int_equal(errors_count(), 0);
  assert_int_equal(vgc_collect(), 0);
  worker_stop(&other);
}

BUG(X77) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(disabled_all_the_same, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("X77", tests, NULL, NULL);
}
