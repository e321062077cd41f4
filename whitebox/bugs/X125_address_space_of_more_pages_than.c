/* X125: address space of more pages than a length can tell.
 *
 * Lengths of runs are of 32 bits. An alignment of 64 TiB skips more pages: their run had a length of zero, at which the
 * walk over the heap, with the world stopped, stood for ever. */
#include <errno.h>

#include "bug.h"

static void such_alignments_are_refused(void **state) {
  (void)state;
  for (unsigned log = 44; log < 63; log++) {
    errno = 0;
    assert_null(vgc_aligned_alloc((size_t)1 << log, 8));
    assert_int_equal(errno, ENOMEM);
  }
  assert_int_equal(vgc_collect(), 0);
}

BUG(X125) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(such_alignments_are_refused, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("X125", tests, NULL, NULL);
}
