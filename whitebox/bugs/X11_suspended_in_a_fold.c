/* X11: a returned slot, on its way back into free, looks issued.
 *
 * The owner folds returned slots in and is suspended halfway. They are in free and in remote meanwhile, so a collection
 * takes none of them for a dead object and returns it once more. */
#include "bug.h"

enum { SIZE = 512, SPAN_SLOTS = 64, FREED = 20, BATCH = 2 * SPAN_SLOTS };

static void *objects[SPAN_SLOTS + 1 + BATCH];
static uintptr_t freed[FREED]; /* hidden: a free slot that is pointed to and looks issued would be kept */

static void suspended_halfway(void **state) {
  (void)state;
  errors_record();
  static struct worker owner;
  worker_start(&owner);
  struct batch first = {vgc_malloc, SIZE, SPAN_SLOTS, objects};
  worker_do(&owner, batch_allocate, &first);
  for (unsigned i = 0; i < FREED; i++) {
    freed[i] = hide(objects[i]);
    vgc_free(objects[i]);
    objects[i] = NULL;
  }
  struct park *window = park_arm_thread("span_fold_between", owner.thread);
  struct batch next = {vgc_malloc, SIZE, 1, &objects[SPAN_SLOTS]};
  worker_begin(&owner, batch_allocate, &next);
  park_await(window);
  assert_int_equal(vgc_collect(), 0);
  assert_int_equal(vgc_collect(), 0);
  park_release(window);
  worker_finish(&owner);
  struct batch rest = {vgc_malloc, SIZE, BATCH, &objects[SPAN_SLOTS + 1]};
  worker_do(&owner, batch_allocate, &rest);
  assert_true(all_distinct(objects + FREED, SPAN_SLOTS - FREED + 1 + BATCH));
  for (unsigned i = 0; i < FREED; i++) assert_true(among(reveal(freed[i]), objects + SPAN_SLOTS, 1 + BATCH));
  assert_int_equal(errors_count(), 0);
  assert_int_equal(stats_now().objects_swept, 0);
  worker_stop(&owner);
}

BUG(X11) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(suspended_halfway, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("X11", tests, NULL, NULL);
}
