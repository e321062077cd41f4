/* V02: work of a cycle is done after the world runs again.
 *
 * Threads are let go; one allocates at once from the span that it owns; then the collector turns what is not marked
 * into free slots. The new object was never marked, and must not be taken for dead. */
#include "bug.h"
#include "objects.h"
#include "probe.h"

enum { OBJECTS = 1024 };
static struct worker mutator;
static void *early, *fresh, *later[OBJECTS];

static void allocate(void *result) { must(*(void **)result = vgc_malloc(64)); }
static void allocate_beside(void *result) { worker_do(&mutator, allocate, result); }

static void object_made_after_resume_survives(void **state) {
  (void)state;
  start_quiet();
  worker_start(&mutator);
  worker_do(&mutator, allocate, &early);
  struct park *window = park_arm_call("world_after_resume", allocate_beside, &fresh);
  assert_int_equal(vgc_collect(), 0);
  park_await(window);
  assert_ptr_equal(vgc_base_of(fresh), fresh);
  struct batch batch = {vgc_malloc, 64, OBJECTS, later};
  worker_do(&mutator, batch_allocate, &batch);
  assert_false(among(fresh, later, OBJECTS));
  assert_int_equal(stats_now().objects_swept, 0);
  worker_stop(&mutator);
}

BUG(V02) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(object_made_after_resume_survives, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("V02", tests, NULL, NULL);
}
