/* N35: a thread's own balance of live objects goes below zero.
 *
 * One thread allocates and another frees; the sums are right, and the pace is not misled into collecting. */
#include "bug.h"

enum { SIZE = 512, COUNT = 1000 };

static void *objects[COUNT];

static void free_all(void *arg) {
  (void)arg;
  for (unsigned i = 0; i < COUNT; i++) vgc_free(objects[i]);
}

static void count(void *stats) { *(struct vgc_stats *)stats = stats_now(); }

static void one_allocates_another_frees(void **state) {
  (void)state;
  errors_record();
  struct vgc_stats start = stats_now();
  struct batch batch = {vgc_malloc, SIZE, COUNT, objects};
  batch_allocate(&batch);
  void *kept = vgc_malloc(SIZE);
  static struct worker worker;
  worker_start(&worker);
  worker_do(&worker, free_all, NULL);
  struct vgc_stats stats;
  worker_do(&worker, count, &stats);
  assert_int_equal(stats.objects_allocated - start.objects_allocated, COUNT + 1);
  assert_int_equal(stats.objects_freed - start.objects_freed, COUNT);
  assert_int_equal(stats.live_objects - start.live_objects, 1);
  assert_int_equal(stats.live_bytes - start.live_bytes, SIZE);
  assert_in_range(stats.heap_bytes, SIZE, 4 << 20);
  assert_int_equal(stats.cycles, start.cycles);
  worker_stop(&worker);
  assert_int_equal(stats_now().live_objects - start.live_objects, 1);
  vgc_free(kept);
  assert_int_equal(stats_now().live_objects, start.live_objects);
  assert_int_equal(errors_count(), 0);
}

BUG(N35) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(one_allocates_another_frees, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("N35", tests, NULL, NULL);
}
