/* X96: the statistics leave out what grows beside the heap: the mark stack, the table of threads, added roots. */
#include "bug.h"
#include "probe.h"

enum { ENTRIES = 1 << 20, RECORDS = 1000, ROOTS = 1000 };

static char bytes[ROOTS];

static void all_of_it_is_counted(void **state) {
  (void)state;
  struct vgc_config wanted = config_quiet();
  wanted.thread_table = RECORDS;
  assert_int_equal(vgc_init(&wanted), 0);
  uint64_t before = stats_now().metadata_bytes;
  for (unsigned i = 0; i < ROOTS; i++) assert_int_equal(vgc_root_add(&bytes[i], 1), 0);
  uint64_t roots = stats_now().metadata_bytes - before;
  assert_in_range(roots, ROOTS * 16, ROOTS * 16 * 8);
  struct worker worker;
  worker_start(&worker);
  uint64_t threads = stats_now().metadata_bytes - before - roots;
  assert_in_range(threads, RECORDS * sizeof(struct thread), 2 * RECORDS * sizeof(struct thread));
  worker_stop(&worker);
  assert_int_equal(vgc_shutdown(), 0);
  wanted.mark_stack = ENTRIES;
  assert_int_equal(vgc_init(&wanted), 0);
  assert_true(stats_now().metadata_bytes >= before + (uint64_t)ENTRIES * sizeof(void *));
}

BUG(X96) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(all_of_it_is_counted, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("X96", tests, NULL, NULL);
}
