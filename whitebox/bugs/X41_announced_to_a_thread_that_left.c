/* X41: a span is announced to a thread that has left.
 *
 * A free has read the owner and is suspended before it announces the span to it. Meanwhile the owner exits, having
 * looked at its announcements for the last time. Whoever announces too late passes the span on itself. */
#include "bug.h"
#include "probe.h"

enum { SIZE = 512, SPAN_SLOTS = 64, BATCH = 4 * SPAN_SLOTS };

static void *objects[SPAN_SLOTS], *rest[BATCH];
static uintptr_t freed;

static void late_announcement_is_passed_on(void **state) {
  (void)state;
  errors_record();
  start_quiet();
  must(vgc_malloc(8)); /* this thread has a cache before the owner's becomes free */
  static struct worker owner, other;
  worker_start(&owner);
  worker_start(&other);
  struct batch batch = {vgc_malloc, SIZE, SPAN_SLOTS, objects};
  worker_do(&owner, batch_allocate, &batch);
  freed = hide(objects[5]);
  struct park *window = park_arm_thread("cache_notify_before_push", other.thread);
  worker_begin(&other, free_hidden, &freed);
  park_await(window);
  worker_stop(&owner);
  park_release(window);
  worker_finish(&other);
  /* The slot itself came back when the owner gave its span up; what counts is that later ones are heard of. */
  struct batch more = {vgc_malloc, SIZE, BATCH, rest};
  batch_allocate(&more);
  assert_true(among(reveal(freed), rest, BATCH));
  freed = hide(objects[6]);
  worker_do(&other, free_hidden, &freed);
  batch_allocate(&more);
  assert_true(among(reveal(freed), rest, BATCH));
  assert_int_equal(errors_count(), 0);
  worker_stop(&other);
}

BUG(X41) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(late_announcement_is_passed_on, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("X41", tests, NULL, NULL);
}
