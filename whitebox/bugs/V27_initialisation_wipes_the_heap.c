/* V27: an initialiser that runs late wipes what earlier allocations set up, and the collector is silently off.
 *
 * Allocation comes first and initialises the library; then the program calls vgc_init. Nothing that is there may
 * change, and garbage must go on being collected. */
#include "bug.h"
#include "objects.h"
#include "probe.h"

#include <errno.h>

enum { KEPT = 1000, GARBAGE = 40000 };
static void *kept[KEPT];

static void late_init_changes_nothing(void **state) {
  (void)state;
  for (unsigned i = 0; i < KEPT; i++) assert_non_null(kept[i] = vgc_malloc(1000));
  struct vgc_stats before = stats_now();
  assert_true(before.heap_bytes > KEPT * 1000);
  assert_int_equal(vgc_init(NULL), -1);
  assert_int_equal(errno, EALREADY);
  struct vgc_stats after = stats_now();
  assert_int_equal(after.heap_bytes, before.heap_bytes);
  assert_int_equal(after.trigger_bytes, before.trigger_bytes);
  assert_int_equal(after.live_objects, before.live_objects);
  for (unsigned i = 0; i < GARBAGE; i++) assert_non_null(vgc_malloc(1000));
  after = stats_now();
  assert_true(after.cycles >= 3);
  assert_true(after.heap_bytes < GARBAGE * 1000 / 2);
  for (unsigned i = 0; i < KEPT; i++) assert_ptr_equal(vgc_base_of(kept[i]), kept[i]);
}

BUG(V27) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(late_init_changes_nothing, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("V27", tests, NULL, NULL);
}
