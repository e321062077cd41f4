/* L01: an explicit collection finds what is to be finalized, but only a later allocation does it.
 *
 * Threads leave objects with finalizers behind. When vgc_collect has returned, all of them have been called. */
#include "bug.h"
#include "probe.h"

enum { OBJECTS = 32 };
static unsigned calls;

static void count(void *object, void *arg) {
  (void)object, (void)arg;
  calls++;
}

static void leave_objects(void *arg) {
  (void)arg;
  for (unsigned i = 0; i < OBJECTS; i++) must(vgc_set_finalizer(vgc_malloc(64), count, NULL, VGC_ORDERED) == 0);
}

static void one_collection_calls_all(void **state) {
  (void)state;
  start_quiet();
  probe_in_thread(leave_objects, NULL);
  assert_int_equal(vgc_collect(), 0);
  assert_int_equal(calls, OBJECTS);
}

BUG(L01) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(one_collection_calls_all, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("L01", tests, NULL, NULL);
}
