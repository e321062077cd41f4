/* X10: a refill passes through a state in which a slot looks issued.
 *
 * The owner is suspended between any two stores of a refill. Free slots are in free, in avail or in both, so a
 * collection takes none of them for dead objects. */
#include "bug.h"

enum { SIZE = 512, SPAN_SLOTS = 64, FREED = 20, BATCH = 2 * SPAN_SLOTS };

static void *objects[SPAN_SLOTS + BATCH];
static uintptr_t freed[FREED + 1]; /* hidden: a free slot that is pointed to and looks issued would be kept */

static void free_some(void *arg) {
  for (unsigned i = 0; i < FREED; i++) {
    freed[i] = hide(objects[i]);
    if (i % 2 == (arg != NULL)) vgc_free(objects[i]);
  }
}

static void suspended_at(const char *point) {
  static struct worker workers[8];
  static unsigned used;
  struct worker *owner = &workers[used++];
  worker_start(owner);
  struct batch first = {vgc_malloc, SIZE, SPAN_SLOTS, objects};
  worker_do(owner, batch_allocate, &first);
  worker_do(owner, free_some, NULL);
  free_some("from another thread");
  memset(objects, 0, FREED * sizeof *objects);
  struct park *window = park_arm_thread(point, owner->thread);
  struct batch next = {vgc_malloc, SIZE, 1, objects};
  worker_begin(owner, batch_allocate, &next);
  park_await(window);
  assert_int_equal(vgc_collect(), 0);
  /* A live object of the word that is being moved. */
  freed[FREED] = hide(objects[FREED]);
  vgc_free(objects[FREED]);
  objects[FREED] = NULL;
  assert_int_equal(vgc_collect(), 0);
  park_release(window);
  worker_finish(owner);
  struct batch rest = {vgc_malloc, SIZE, BATCH, &objects[SPAN_SLOTS]};
  worker_do(owner, batch_allocate, &rest);
  assert_true(all_distinct(objects + FREED + 1, SPAN_SLOTS - FREED - 1 + BATCH));
  assert_false(among(objects[0], objects + FREED + 1, SPAN_SLOTS - FREED - 1 + BATCH));
  for (unsigned i = 0; i <= FREED; i++)
    assert_true(objects[0] == reveal(freed[i]) || among(reveal(freed[i]), rest.objects, BATCH));
  assert_int_equal(errors_count(), 0);
  assert_int_equal(stats_now().objects_swept, 0);
  worker_stop(owner);
  memset(objects, 0, sizeof objects);
  memset(freed, 0, sizeof freed);
  assert_int_equal(vgc_collect(), 0);
}

static void between_any_two_stores(void **state) {
  (void)state;
  errors_record();
  static const char *const points[] = {"span_refill_based", "span_refill_before_avail", "span_refill_between"};
  for (unsigned i = 0; i < sizeof points / sizeof *points; i++) {
    suspended_at(points[i]);
    assert_int_equal(vgc_shutdown(), 0);
  }
}

BUG(X10) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(between_any_two_stores, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("X10", tests, NULL, NULL);
}
