/* X18: a slot is returned to a thread that is giving up its spans.
 *
 * The free still finds the old owner and announces the span to it. The old owner passes on what it was told, or the
 * span's free slots are lost to the others. */
#include "bug.h"
#include "probe.h"

enum { SIZE = 512, SPAN_SLOTS = 64, BATCH = 4 * SPAN_SLOTS };

static void *objects[SPAN_SLOTS], *rest[BATCH];

static void *fill_a_span(void *arg) {
  struct batch batch = {vgc_malloc, SIZE, SPAN_SLOTS, objects};
  batch_allocate(&batch);
  return arg;
}

static void free_meets_exit(void **state) {
  (void)state;
  errors_record();
  start_quiet();
  struct park *window = park_arm("central_give_before_disown");
  pthread_t thread;
  must(pthread_create(&thread, NULL, fill_a_span, NULL) == 0);
  park_await(window);
  vgc_free(objects[5]);
  park_release(window);
  must(pthread_join(thread, NULL) == 0);
  struct batch more = {vgc_malloc, SIZE, BATCH, rest};
  batch_allocate(&more);
  assert_true(among(objects[5], rest, BATCH));
  assert_true(all_distinct(rest, BATCH));
  assert_int_equal(errors_count(), 0);
}

BUG(X18) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(free_meets_exit, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("X18", tests, NULL, NULL);
}
