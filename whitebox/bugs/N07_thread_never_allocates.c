/* N07: threads that never allocate.
 *
 * A thread that the program started only holds and frees what others allocated. It must be stopped and scanned like any
 * other: what only it holds stays, what it frees is freed once. */
#include "bug.h"
#include "hidden.h"

enum { SIZE = 256, CYCLES = 6 };

static void consumer(void **state) {
  (void)state;
  struct hidden_holder holder;
  struct hidden_control control;
  hidden_control_make(&control);
  /* Its first call that changes the heap is a free. */
  hidden_hold(&holder, SIZE, vgc_free);
  struct vgc_stats before = stats_now();
  assert_int_equal(before.threads, 2);
  for (unsigned i = 0; i < CYCLES; i++) assert_int_equal(vgc_collect(), 0);
  assert_int_equal(stats_now().suspensions - before.suspensions, CYCLES);
  assert_true(hidden_control_died(&control));
  assert_true(hidden_alive(holder.hidden, SIZE));
  hidden_let_go(&holder);
  assert_false(hidden_alive(holder.hidden, SIZE));
}

BUG(N07) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(consumer, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("N07", tests, NULL, NULL);
}
