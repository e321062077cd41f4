/* V07: the sweeper takes a span away while its owner is about to issue a slot of it.
 *
 * The owner is suspended with the span and its available slots in registers; a collection runs; others allocate. The
 * slot that the owner then returns must not be anybody else's. */
#include "bug.h"
#include "objects.h"
#include "probe.h"

enum { OBJECTS = 512 };
static struct worker owner;
static void *first, *late, *others[OBJECTS], *later[OBJECTS];

static void allocate(void *result) { must(*(void **)result = vgc_malloc(64)); }

static void suspended_owner_keeps_its_span(void **state) {
  (void)state;
  start_quiet();
  worker_start(&owner);
  worker_do(&owner, allocate, &first);
  struct park *window = park_arm_thread("allocate_before_commit", owner.thread);
  worker_begin(&owner, allocate, &late);
  park_await(window);
  assert_int_equal(vgc_collect(), 0);
  struct batch batch = {vgc_malloc, 64, OBJECTS, others};
  batch_allocate(&batch);
  park_release(window);
  worker_finish(&owner);
  batch.objects = later;
  worker_do(&owner, batch_allocate, &batch);
  assert_false(among(late, others, OBJECTS));
  assert_false(among(first, others, OBJECTS));
  for (unsigned i = 0; i < OBJECTS; i++) assert_false(among(later[i], others, OBJECTS));
  assert_ptr_equal(vgc_base_of(late), late);
  worker_stop(&owner);
}

BUG(V07) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(suspended_owner_keeps_its_span, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("V07", tests, NULL, NULL);
}
