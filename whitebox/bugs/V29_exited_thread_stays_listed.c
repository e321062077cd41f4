/* V29: a registry entry outlives its thread.
 *
 * Threads exit and are joined, while others live. A stop counts those that live and waits for no other, and the records
 * of the dead are used again. */
#include "bug.h"
#include "objects.h"
#include "probe.h"

enum { ROUNDS = 8 };
static struct worker survivor;

static void allocate(void *arg) {
  (void)arg;
  must(vgc_malloc(64));
}

static void exited_threads_are_forgotten(void **state) {
  (void)state;
  start_quiet();
  worker_start(&survivor);
  worker_do(&survivor, allocate, NULL);
  size_t records = thread_records();
  uint64_t suspensions = 0;
  for (unsigned round = 0; round < ROUNDS; round++) {
    probe_in_thread(allocate, NULL);
    assert_int_equal(thread_records(), records);
    assert_int_equal(vgc_collect(), 0);
    struct vgc_stats stats = stats_now();
    assert_int_equal(stats.threads, 2);
    assert_int_equal(stats.suspensions - suspensions, 1);
    suspensions = stats.suspensions;
  }
  worker_stop(&survivor);
}

BUG(V29) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(exited_threads_are_forgotten, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("V29", tests, NULL, NULL);
}
