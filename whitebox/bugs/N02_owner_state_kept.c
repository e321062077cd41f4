/* N02: the collector changes what a suspended owner has just read.
 *
 * The owner has read its current span and that span's available slots, and is suspended before it commits. If the
 * collection takes that span away, another thread is given the slot that the owner returns a moment later. */
#include "bug.h"

enum { SIZE = 512, SPAN_SLOTS = 64, EACH = 2 * SPAN_SLOTS };

static void *mine[EACH], *theirs[1 + EACH];

static void take(void *arg) { *(void **)arg = vgc_malloc(SIZE); }

static void current_span_stays(void **state) {
  (void)state;
  errors_record();
  static struct worker worker;
  worker_start(&worker);
  struct batch first = {vgc_malloc, SIZE, 1, theirs};
  worker_do(&worker, batch_allocate, &first);
  struct park *window = park_arm_thread("allocate_before_commit", worker.thread);
  worker_begin(&worker, take, &theirs[1]);
  park_await(window);
  assert_int_equal(vgc_collect(), 0);
  struct batch some = {vgc_malloc, SIZE, EACH, mine};
  batch_allocate(&some);
  park_release(window);
  worker_finish(&worker);
  struct batch rest = {vgc_malloc, SIZE, EACH - 1, &theirs[2]};
  worker_do(&worker, batch_allocate, &rest);
  void *all[2 * EACH + 1];
  memcpy(all, mine, sizeof mine);
  memcpy(all + EACH, theirs, sizeof theirs);
  assert_true(all_distinct(all, 2 * EACH + 1));
  worker_stop(&worker);
  assert_int_equal(errors_count(), 0);
}

BUG(N02) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(current_span_stays, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("N02", tests, NULL, NULL);
}
