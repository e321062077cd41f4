/* X42: a span is announced to an idle thread, from which the collector then takes it.
 *
 * As long as it counts as announced nobody is told of later returns, so its next holder would wait for the idle thread
 * to allocate again. */
#include "bug.h"
#include "probe.h"

enum { SIZE = 512, SPAN_SLOTS = 64, BATCH = 2 * SPAN_SLOTS };

static void *objects[SPAN_SLOTS + 1], *rest[2 * BATCH];
static uintptr_t freed[2];

static void next_holder_hears_of_returns(void **state) {
  (void)state;
  errors_record();
  start_quiet();
  static struct worker idle, other;
  worker_start(&idle);
  worker_start(&other);
  struct batch batch = {vgc_malloc, SIZE, SPAN_SLOTS + 1, objects};
  worker_do(&idle, batch_allocate, &batch);
  worker_do(&idle, scrub_stack, NULL); /* no word there keeps the span with its owner */
  freed[0] = hide(objects[5]);
  freed[1] = hide(objects[6]);
  objects[5] = NULL;
  worker_do(&other, free_hidden, &freed[0]);
  assert_int_equal(vgc_collect(), 0);
  struct batch first = {vgc_malloc, SIZE, BATCH, rest}, second = {vgc_malloc, SIZE, BATCH, rest + BATCH};
  batch_allocate(&first);
  assert_true(among(reveal(freed[0]), first.objects, BATCH));
  objects[6] = NULL;
  worker_do(&other, free_hidden, &freed[1]);
  batch_allocate(&second);
  assert_true(among(reveal(freed[1]), second.objects, BATCH));
  assert_true(all_distinct(rest, 2 * BATCH));
  assert_int_equal(errors_count(), 0);
  worker_stop(&other);
  worker_stop(&idle);
}

BUG(X42) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(next_holder_hears_of_returns, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("X42", tests, NULL, NULL);
}
