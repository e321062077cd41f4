/* X50: vgc_shutdown from a hook of a cycle.
 *
 * The cycle goes on when the hook returns: what it marks, sweeps and counts must still be there. */
#include <errno.h>

#include "bug.h"
#include "probe.h"

static void shut_down(void *arg) {
  must(vgc_shutdown() == -1 && errno == EBUSY);
  ++*(unsigned *)arg;
}

static void shut_down_at_end(void *arg, const struct vgc_stats *stats) {
  (void)stats;
  shut_down(arg);
}

static void refused_in_a_hook(void **state) {
  (void)state;
  unsigned calls = 0;
  start_quiet();
  const struct vgc_hooks hooks = {
      .struct_size = sizeof hooks, .arg = &calls, .cycle_start = shut_down, .cycle_end = shut_down_at_end};
  vgc_set_hooks(&hooks, NULL);
  const void *object = vgc_malloc_uncollectable(64);
  assert_int_equal(vgc_collect(), 0);
  assert_int_equal(calls, 2);
  assert_ptr_equal(vgc_base_of(object), object);
  vgc_set_hooks(NULL, NULL);
  assert_int_equal(vgc_shutdown(), 0);
}

BUG(X50) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(refused_in_a_hook)};
  return cmocka_run_group_tests_name("X50", tests, NULL, NULL);
}
