/* P06: threads count for themselves, and what they have not handed in when they exit is lost or counted twice.
 *
 * Many short threads allocate a few objects each, far fewer than a refill brings. The totals know every one of them. */
#include "bug.h"
#include "objects.h"
#include "probe.h"

enum { THREADS = 100 };

static void live_briefly(void *arg) {
  (void)arg;
  for (unsigned i = 0; i < 3; i++) must(vgc_malloc(64));
  must(vgc_malloc_noscan(1000));
  void *freed = vgc_malloc(5000);
  must(freed);
  vgc_free(freed);
}

static void totals_know_every_thread(void **state) {
  (void)state;
  start_quiet();
  for (unsigned i = 0; i < THREADS; i++) probe_in_thread(live_briefly, NULL);
  struct vgc_stats stats = stats_now();
  assert_int_equal(stats.objects_allocated, 5 * THREADS);
  assert_int_equal(stats.objects_freed, THREADS);
  struct probe_count count = probe_recount();
  assert_int_equal(stats.live_objects, count.objects);
  assert_int_equal(stats.live_bytes, count.bytes);
}

BUG(P06) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(totals_know_every_thread, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("P06", tests, NULL, NULL);
}
