/* X100: a collection finds dead objects, but only a later allocation does something about them.
 *
 * Threads leave objects behind in spans that nobody owns. After one explicit collection, without any allocation, all of
 * them count as swept and none is an object any more. */
#include "bug.h"
#include "objects.h"
#include "probe.h"

enum { OBJECTS = 32 };
static uintptr_t left[OBJECTS];

static void leave_objects(void *arg) {
  (void)arg;
  for (unsigned i = 0; i < OBJECTS; i++) {
    void *object = vgc_malloc(64);
    must(object);
    left[i] = hide(object);
  }
}

static void one_collection_takes_all_dead(void **state) {
  (void)state;
  start_quiet();
  probe_in_thread(leave_objects, NULL);
  struct vgc_stats before = stats_now();
  assert_int_equal(before.live_objects, OBJECTS);
  assert_int_equal(vgc_collect(), 0);
  struct vgc_stats after = stats_now();
  assert_int_equal(after.objects_swept, OBJECTS);
  assert_int_equal(after.live_objects, 0);
  for (unsigned i = 0; i < OBJECTS; i++) assert_null(vgc_base_of(reveal(left[i])));
}

BUG(X100) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(one_collection_takes_all_dead, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("X100", tests, NULL, NULL);
}
