/* X14: a slot is returned while its span's returned slots are being looked at, and nobody hears of it.
 *
 * SPAN_NOTIFIED is cleared before the look, so that the free in between announces the span again. */
#include "bug.h"
#include "probe.h"

enum { SIZE = 512, SPAN_SLOTS = 64, BATCH = 4 * SPAN_SLOTS };

static void *objects[SPAN_SLOTS], *rest[2 + BATCH];

static void returned_after_the_look(void **state) {
  (void)state;
  errors_record();
  start_quiet();
  static struct worker owner;
  worker_start(&owner);
  struct batch first = {vgc_malloc, SIZE, SPAN_SLOTS, objects};
  worker_do(&owner, batch_allocate, &first);
  /* Announced, then folded by a refill on the way: the look finds nothing. */
  vgc_free(objects[0]);
  struct batch again = {vgc_malloc, SIZE, 1, rest};
  worker_do(&owner, batch_allocate, &again);
  assert_ptr_equal(rest[0], objects[0]);
  struct batch next = {vgc_malloc, SIZE, 1, rest + 1};
  worker_do_meanwhile(&owner, batch_allocate, &next, "cache_returned_folded", vgc_free, objects[1]);
  struct batch more = {vgc_malloc, SIZE, BATCH, rest + 2};
  worker_do(&owner, batch_allocate, &more);
  assert_true(among(objects[1], rest, 2 + BATCH));
  assert_true(all_distinct(rest, 2 + BATCH));
  assert_int_equal(errors_count(), 0);
  worker_stop(&owner);
}

BUG(X14) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(returned_after_the_look, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("X14", tests, NULL, NULL);
}
