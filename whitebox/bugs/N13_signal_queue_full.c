/* N13: a signal that cannot be queued now.
 *
 * EAGAIN says that the queue is full, not that the thread is gone: it is told again, and stopped. */
#include "bug.h"
#include "hidden.h"

enum { SIZE = 640, REFUSALS = 5 };

static void told_again(void **state) {
  (void)state;
  struct hidden_holder holder;
  hidden_hold(&holder, SIZE, NULL);
  fault_fail(FAULT_SIGNAL, 0, REFUSALS);
  assert_int_equal(vgc_collect(), 0);
  struct vgc_stats stats = stats_now();
  assert_int_equal(fault_failed(FAULT_SIGNAL), REFUSALS);
  assert_int_equal(stats.suspensions, 1);
  assert_int_equal(stats.threads, 2);
  assert_true(hidden_alive(holder.hidden, SIZE));
  hidden_let_go(&holder);
}

BUG(N13) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(told_again, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("N13", tests, NULL, NULL);
}
