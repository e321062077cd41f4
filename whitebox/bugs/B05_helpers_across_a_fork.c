/* B05: a forked child takes its parent's marking threads, which it has not, for its own.
 *
 * It would mark alone for ever, and wait at a shutdown for threads that are no more. It hires others, as many as it
 * says, and comes down. */
#include "bug.h"
#include "probe.h"

enum { DEADLINE_S = 4 };

static void *volatile keep[1000]; /* volatile: nobody reads it but the collector */

static void collect_and_shut_down(void *arg) {
  (void)arg;
  must(mark_team_helpers() == 0);
  must(vgc_collect() == 0);
  must(mark_team_helpers() == 2 && probe_tasks() == 1 + 2);
  must(vgc_collect() == 0);
  must(vgc_shutdown() == 0);
  must(probe_tasks() == 1);
}

static void a_child_has_its_own(void **state) {
  (void)state;
  if (UNDER_TSAN) not_applicable("ThreadSanitizer's runtime does not follow a fork of many threads");
  struct vgc_config given = config_quiet();
  given.mark_workers = 3;
  given.minimum_heap = 1;
  assert_int_equal(vgc_init(&given), 0);
  for (unsigned i = 0; i < 1000; i++) must(keep[i] = vgc_malloc(100));
  assert_int_equal(vgc_collect(), 0);
  assert_int_equal(mark_team_helpers(), 2);
  static struct child_result result;
  child_run(collect_and_shut_down, NULL, DEADLINE_S, &result);
  if (result.exit_code) print_error("signal %d: %s", result.signal, result.text);
  assert_false(result.timed_out);
  assert_int_equal(result.exit_code, 0);
}

BUG(B05) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(a_child_has_its_own, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("B05", tests, NULL, NULL);
}
