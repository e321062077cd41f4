/* X60: frees of objects that a collection has found dead in a span of the freeing thread's own.
 *
 * The owner's free looks at its own bits only; that the slots were returned already shows when the span's words are
 * folded. Each such free is reported by then, one report for each slot, and the statistics count each object's end
 * once: counted twice, live_objects goes below zero. */
#include "bug.h"
#include "probe.h"

enum { SIZE = 512, COUNT = 40, BATCH = 256 };

static uintptr_t hidden[COUNT];
static void *objects[BATCH + 1];

static __attribute__((noinline)) void allocate_and_forget(void) {
  for (unsigned i = 0; i < COUNT; i++) hidden[i] = hide(vgc_malloc(SIZE));
}

/* The number of objects that were dead, and freed. */
static __attribute__((noinline)) unsigned free_the_dead(void) {
  unsigned count = 0;
  for (unsigned i = 0; i < COUNT; i++) {
    if (vgc_base_of(reveal(hidden[i]))) continue;
    free_hidden(&hidden[i]);
    count++;
  }
  return count;
}

static void each_reported_and_counted_once(void **state) {
  (void)state;
  start_quiet();
  errors_record();
  objects[BATCH] = vgc_malloc(SIZE); /* keeps the span */
  allocate_and_forget();
  stack_scrub();
  assert_int_equal(vgc_collect(), 0);
  unsigned count = free_the_dead();
  assert_true(count > COUNT / 2);
  struct batch batch = {vgc_malloc, SIZE, BATCH, objects};
  batch_allocate(&batch);
  assert_int_equal(errors_count(), count);
  assert_int_equal(errors_last(), VGC_ERROR_DOUBLE_FREE);
  assert_true(all_distinct(objects, BATCH + 1));
  struct vgc_stats stats = stats_now();
  assert_int_equal(stats.live_objects, probe_recount().objects);
  assert_int_equal(stats.objects_freed, 0);
}

BUG(X60) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(each_reported_and_counted_once, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("X60", tests, NULL, NULL);
}
