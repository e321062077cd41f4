/* X75: "collect at every Nth allocation" counts small objects only.
 *
 * A stress run of a program with large objects would pass without a collection (N53). */
#include "bug.h"

enum { EVERY = 3, COUNT = 12, SIZE = 100000 };

static void large_objects_count(void **state) {
  (void)state;
  struct vgc_config wanted = config_quiet();
  wanted.collect_every = EVERY;
  assert_int_equal(vgc_init(&wanted), 0);
  uint64_t before = stats_now().cycles;
  for (unsigned i = 0; i < COUNT; i++) assert_non_null(vgc_malloc(SIZE));
  assert_int_equal(stats_now().cycles - before, COUNT / EVERY);
}

BUG(X75) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(large_objects_count, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("X75", tests, NULL, NULL);
}
