/* X81: the peak of the heap counts address space that only the alignment of a large object skipped. */
#include "bug.h"
#include "probe.h"

enum { ALIGNMENT = 16 << 20 };

static void peak_is_what_was_in_spans(void **state) {
  (void)state;
  start_quiet();
  /* Behind the first, which is aligned, lies no aligned page for nearly as much as the alignment. */
  for (unsigned i = 0; i < 2; i++) {
    assert_non_null(vgc_aligned_alloc(ALIGNMENT, 1));
    struct vgc_stats stats = stats_now();
    assert_int_equal(stats.peak_heap_bytes, stats.heap_bytes);
  }
}

BUG(X81) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(peak_is_what_was_in_spans, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("X81", tests, NULL, NULL);
}
