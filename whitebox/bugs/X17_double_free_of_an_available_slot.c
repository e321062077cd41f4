/* X17: a double free by another thread, of a slot that the owner has moved into its available word.
 *
 * The slot is free, though its bit in free is not set any more. Accepted, the second free would end the next object
 * that is given the slot. */
#include "bug.h"

enum { SIZE = 512, SPAN_SLOTS = 64, FIRST = 10, LAST = 20, BATCH = 4 * SPAN_SLOTS };

static void *objects[SPAN_SLOTS + 1 + BATCH];

static void free_again(void *ptr) { vgc_free(*(void **)ptr); }

static void reported_at_once(void **state) {
  (void)state;
  errors_record();
  struct batch first = {vgc_malloc, SIZE, SPAN_SLOTS, objects};
  batch_allocate(&first);
  void *last = objects[LAST - 1];
  for (unsigned i = FIRST; i < LAST; i++) {
    vgc_free(objects[i]);
    objects[i] = NULL;
  }
  struct batch next = {vgc_malloc, SIZE, 1, objects + SPAN_SLOTS};
  batch_allocate(&next);
  assert_ptr_not_equal(objects[SPAN_SLOTS], last);
  static struct worker other;
  worker_start(&other);
  worker_do(&other, free_again, &last);
  assert_int_equal(errors_count(), 1);
  assert_int_equal(errors_last(), VGC_ERROR_DOUBLE_FREE);
  struct batch rest = {vgc_malloc, SIZE, BATCH, objects + SPAN_SLOTS + 1};
  batch_allocate(&rest);
  assert_true(among(last, rest.objects, BATCH));
  assert_true(all_distinct(objects + LAST, SPAN_SLOTS - LAST + 1 + BATCH));
  assert_int_equal(errors_count(), 1);
  worker_stop(&other);
}

BUG(X17) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(reported_at_once, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("X17", tests, NULL, NULL);
}
