/* N29: page runs of 32 pages and more are never used again.
 *
 * A program that allocates and frees large objects all day stays within the address space of its first few. */
#include "bug.h"

static void freed_runs_come_back(void **state) {
  (void)state;
  struct vgc_config wanted = config_quiet();
  wanted.arena_bytes = 4 << 20;
  assert_int_equal(vgc_init(&wanted), 0);
  for (unsigned round = 0; round < 300; round++) {
    size_t size = 100000 + round % 7 * 100000;
    void *object = vgc_malloc_noscan(size);
    assert_non_null(object);
    vgc_free(object);
  }
  struct vgc_stats stats = stats_now();
  assert_int_equal(stats.arenas, 1);
  assert_in_range(stats.peak_heap_bytes, 0, 1 << 20);
}

BUG(N29) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(freed_runs_come_back, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("N29", tests, NULL, NULL);
}
