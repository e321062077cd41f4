/* X116: a run of free pages counts as memory, all of it, if one page of it does.
 *
 * Free neighbours are joined, and what was not all zero was taken for not zero at all: after a large object's pages
 * were given back, one small object beside them made the heap look as large as before, and the next large object was
 * cleared page by page. */
#include "bug.h"

enum { LARGE = 256 << 20 };

static void what_was_given_back_stays_so(void **state) {
  (void)state;
  vgc_free(vgc_malloc_noscan(LARGE));
  vgc_trim();
  assert_true(vgc_heap_bytes() < LARGE / 16);
  vgc_free(vgc_malloc_noscan(40000));
  assert_true(vgc_heap_bytes() < LARGE / 16);
  assert_true(vgc_trim() < LARGE / 16);
}

BUG(X116) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(what_was_given_back_stays_so, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("X116", tests, NULL, NULL);
}
