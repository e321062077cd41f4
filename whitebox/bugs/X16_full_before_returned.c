/* X16: the owner looks at the announced spans before it declares its own full.
 *
 * A slot that was returned just before is announced once; if the look comes first, it finds a span that is still
 * current, does nothing, and the span is filed as full with a free slot that nobody will ever announce again. */
#include "bug.h"
#include "probe.h"

enum { SIZE = 512, SPAN_SLOTS = 64, BATCH = 4 * SPAN_SLOTS };

static void *objects[SPAN_SLOTS], *rest[1 + BATCH];

static void returned_before_the_span_is_full(void **state) {
  (void)state;
  errors_record();
  start_quiet();
  static struct worker owner;
  worker_start(&owner);
  struct batch first = {vgc_malloc, SIZE, SPAN_SLOTS, objects};
  worker_do(&owner, batch_allocate, &first);
  struct batch next = {vgc_malloc, SIZE, 1, rest};
  worker_do_meanwhile(&owner, batch_allocate, &next, "cache_refill_failed", vgc_free, objects[5]);
  assert_ptr_equal(rest[0], objects[5]);
  struct batch more = {vgc_malloc, SIZE, BATCH, rest + 1};
  worker_do(&owner, batch_allocate, &more);
  assert_true(all_distinct(rest, 1 + BATCH));
  assert_int_equal(errors_count(), 0);
  worker_stop(&owner);
}

BUG(X16) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(returned_before_the_span_is_full, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("X16", tests, NULL, NULL);
}
