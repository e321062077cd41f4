/* X102: an object that is taken to be finalized is collected before the call.
 *
 * Once it has left the queue only the calling thread holds it. There that thread is suspended, and two collections run.
 */
#include "bug.h"
#include "probe.h"

static bool whole;

static void look(void *object, void *arg) {
  (void)arg;
  whole = vgc_base_of(object) == object && *(uintptr_t *)object == 42;
}

static void make(void *unused) {
  (void)unused;
  uintptr_t *object = vgc_malloc(16);
  *object = 42;
  must(vgc_set_finalizer(object, look, NULL, VGC_ORDERED) == 0);
}

static void finalize(void *unused) {
  (void)unused;
  must(vgc_finalize() == 1);
}

static void collect_twice(void *unused) {
  (void)unused;
  for (unsigned i = 0; i < 2; i++) must(collect_now(COLLECT_EXPLICIT));
  stats_now(); /* sweeps */
}

static void it_is_whole_at_the_call(void **state) {
  (void)state;
  start_quiet();
  static struct worker worker;
  worker_start(&worker);
  probe_in_thread(make, NULL);
  must(collect_now(COLLECT_EXPLICIT));
  worker_do_meanwhile(&worker, finalize, NULL, "finalize_taken", collect_twice, NULL);
  assert_true(whole);
  worker_stop(&worker);
}

BUG(X102) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(it_is_whole_at_the_call, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("X102", tests, NULL, NULL);
}
