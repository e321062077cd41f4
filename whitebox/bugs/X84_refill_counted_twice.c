/* X84: the hook at the end of a forced cycle refills the span that the thread was about to refill.
 *
 * Its slots were counted as issued by the hook's allocation; the thread goes on without a refill of its own. */
#include "bug.h"
#include "probe.h"

enum { SIZE = 64, COUNT = 8 };

static void allocate(void *arg, const struct vgc_stats *stats) {
  (void)stats;
  bool *allocating = arg;
  if (*allocating) return; /* this allocation collects, too */
  *allocating = true;
  must(vgc_malloc_uncollectable(SIZE) && vgc_malloc_uncollectable(SIZE));
  *allocating = false;
}

static void counted_once(void **state) {
  (void)state;
  struct vgc_config wanted = config_quiet();
  wanted.collect_every = 1;
  assert_int_equal(vgc_init(&wanted), 0);
  bool allocating = false;
  const struct vgc_hooks hooks = {.struct_size = sizeof hooks, .arg = &allocating, .cycle_end = allocate};
  vgc_set_hooks(&hooks, NULL);
  for (unsigned i = 0; i < COUNT; i++) assert_non_null(vgc_malloc_uncollectable(SIZE));
  vgc_set_hooks(NULL, NULL);
  assert_int_equal(stats_now().live_objects, 3 * COUNT);
  assert_int_equal(probe_recount().objects, 3 * COUNT);
}

BUG(X84) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(counted_once, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("X84", tests, NULL, NULL);
}
