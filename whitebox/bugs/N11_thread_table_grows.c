/* N11: more threads than the first table has room for.
 *
 * Each gets a record, is stopped and is scanned, however small the table was made. */
#include "bug.h"
#include "hidden.h"

enum { SIZE = 192, THREADS = 12 };

static void table_of_one(void **state) {
  (void)state;
  struct vgc_config small;
  vgc_config_default(&small);
  small.thread_table = 1;
  assert_int_equal(vgc_init(&small), 0);
  static struct hidden_holder holders[THREADS];
  struct hidden_control control;
  hidden_control_make(&control);
  for (unsigned i = 0; i < THREADS; i++) hidden_hold(&holders[i], SIZE, NULL);
  struct vgc_stats stats = {.struct_size = sizeof stats};
  assert_int_equal(vgc_collect(), 0);
  assert_int_equal(vgc_get_stats(&stats), 0);
  assert_int_equal(stats.threads, THREADS + 1);
  assert_int_equal(stats.suspensions, THREADS);
  assert_true(hidden_control_died(&control));
  for (unsigned i = 0; i < THREADS; i++) assert_true(hidden_alive(holders[i].hidden, SIZE));
  for (unsigned i = 0; i < THREADS; i++) hidden_let_go(&holders[i]);
  assert_int_equal(thread_records(), 1);
}

BUG(N11) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(table_of_one, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("N11", tests, NULL, NULL);
}
