/* O07: weak links are cleared when the world runs again: who reads one in between has an object that is dead.
 *
 * The collecting thread is held right after it has let the world go. The link is NULL already. */
#include "bug.h"
#include "probe.h"

static void **outside;

static void make_link(void *arg) {
  (void)arg;
  must(vgc_weak_add(outside, vgc_malloc(16), VGC_WEAK_SHORT) == 0);
}

static void collect(void *arg) {
  (void)arg;
  must(vgc_collect() == 0);
}

static void read_link(void *arg) { *(bool *)arg = *(void *volatile *)outside != NULL; }

static void nobody_reads_a_dead_object(void **state) {
  (void)state;
  start_quiet();
  outside = vgc_malloc_noscan(sizeof *outside);

  static struct worker worker;
  worker_start(&worker);
  probe_in_thread(make_link, NULL);
  bool seen = true;
  worker_do_meanwhile(&worker, collect, NULL, "collect_after_resume", read_link, &seen);
  assert_false(seen);
  worker_stop(&worker);
}

BUG(O07) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(nobody_reads_a_dead_object, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("O07", tests, NULL, NULL);
}
