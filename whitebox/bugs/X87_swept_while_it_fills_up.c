/* X87: a collection returns slots to a span whose owner has found none in it and is about to file it as full.
 *
 * The span is still current, so its owner is not told; then it is full, and nothing in it is announced until the next
 * collection: neither what was swept, nor what others return to the same words. */
#include "bug.h"
#include "probe.h"

enum { SIZE = 512, SPAN_SLOTS = 64, BATCH = 2 * SPAN_SLOTS };

static void *objects[SPAN_SLOTS], *rest[BATCH];
static uintptr_t hidden[SPAN_SLOTS];

static void fill(void *arg) {
  batch_allocate(arg);
  for (unsigned i = 0; i < SPAN_SLOTS; i++) hidden[i] = hide(objects[i]);
  memset(objects, 0, sizeof objects);
}

static void collect(void *arg) {
  (void)arg;
  must(vgc_collect() == 0);
}

static void swept_while_it_fills_up(void **state) {
  (void)state;
  errors_record();
  start_quiet();
  static struct worker owner;
  worker_start(&owner);
  struct batch first = {vgc_malloc, SIZE, SPAN_SLOTS, objects};
  worker_do(&owner, fill, &first);
  struct batch next = {vgc_malloc, SIZE, 1, rest};
  worker_do_meanwhile(&owner, batch_allocate, &next, "cache_refill_failed", collect, NULL);
  struct batch more = {vgc_malloc, SIZE, BATCH - 1, rest + 1};
  worker_do(&owner, batch_allocate, &more);
  assert_true(all_distinct(rest, BATCH));
  unsigned found = 0;
  for (unsigned i = 0; i < SPAN_SLOTS; i++) found += among(reveal(hidden[i]), rest, BATCH);
  /* But for what the owner's stack happens to point to. */
  assert_true(found > SPAN_SLOTS / 2);
  assert_int_equal(found, stats_now().objects_swept);
  assert_int_equal(errors_count(), 0);
  worker_stop(&owner);
}

BUG(X87) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(swept_while_it_fills_up, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("X87", tests, NULL, NULL);
}
