/* V10: two threads free the same object at the same time, and both count.
 *
 * Each has found the object issued; the first returns its slot; then the second does. The second must be told, and the
 * counts must move by one: a count that moves by two shows a span as empty while objects live in it. */
#include "bug.h"
#include "objects.h"
#include "probe.h"

static void *object;
static struct worker other;

static void allocate(void *arg) {
  (void)arg;
  must(object = vgc_malloc(64));
}

static void free_object(void *arg) {
  (void)arg;
  vgc_free(object);
}

static void second_of_two_frees_is_reported(void **state) {
  (void)state;
  start_quiet();
  errors_record();
  probe_in_thread(allocate, NULL);
  worker_start(&other);
  struct park *window = park_arm_thread("free_remote_before_return", other.thread);
  worker_begin(&other, free_object, NULL);
  park_await(window);
  vgc_free(object);
  assert_int_equal(errors_count(), 0);
  park_release(window);
  worker_finish(&other);
  assert_int_equal(errors_count(), 1);
  assert_int_equal(errors_last(), VGC_ERROR_DOUBLE_FREE);
  struct vgc_stats stats = stats_now();
  assert_int_equal(stats.objects_freed, 1);
  assert_int_equal(stats.live_objects, probe_recount().objects);
  worker_stop(&other);
}

BUG(V10) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(second_of_two_frees_is_reported, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("V10", tests, NULL, NULL);
}
