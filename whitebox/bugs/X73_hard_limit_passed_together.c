/* X73: two threads find each that its pages stay within the hard limit, and then both take them. */
#include <errno.h>

#include "bug.h"

enum { LIMIT = 1 << 20, SIZE = 700 << 10 };

static void *first, *second;

static void allocate(void *arg) { *(void **)arg = vgc_malloc_uncollectable(SIZE); }

static void one_is_refused(void **state) {
  (void)state;
  struct vgc_config wanted = config_quiet();
  wanted.hard_limit = LIMIT;
  assert_int_equal(vgc_init(&wanted), 0);
  static struct worker other;
  worker_start(&other);
  worker_do_meanwhile(&other, allocate, &first, "heap_before_attempt", allocate, &second);
  assert_non_null(second);
  assert_null(first);
  assert_true(stats_now().peak_heap_bytes <= LIMIT);
  vgc_free(second);
  worker_do(&other, allocate, &first);
  assert_non_null(first);
  worker_stop(&other);
}

BUG(X73) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(one_is_refused, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("X73", tests, NULL, NULL);
}
