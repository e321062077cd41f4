/* X15: the return that should have announced its span did not.
 *
 * Whoever makes a word of returned slots non-empty announces the span, whatever state it is in: it may be full a moment
 * later. */
#include "bug.h"
#include "probe.h"

enum { BATCH = 1024 };

static void *objects[BATCH], *rest[1 + BATCH];

/* Each slot of a full span, alone, finds its way back. */
static void each_slot_of_a_full_span(size_t size) {
  static struct worker workers[4];
  static unsigned used;
  struct worker *owner = &workers[used++];
  worker_start(owner);
  struct batch first = {vgc_malloc, size, 1, objects};
  worker_do(owner, batch_allocate, &first);
  unsigned slots = span_of((uintptr_t)objects[0])->slots;
  /* The whole span, and the first of the next, so that it is filed as full. */
  struct batch others = {vgc_malloc, size, slots, objects + 1};
  worker_do(owner, batch_allocate, &others);
  for (unsigned i = 0; i < slots; i++) {
    vgc_free(objects[i]);
    struct batch more = {vgc_malloc, size, slots, rest};
    worker_do(owner, batch_allocate, &more);
    assert_true(among(objects[i], rest, slots));
    for (unsigned j = 0; j < slots; j++)
      if (rest[j] != objects[i]) vgc_free(rest[j]);
  }
  assert_int_equal(errors_count(), 0);
  worker_stop(owner);
}

static void every_word_of_a_full_span(void **state) {
  (void)state;
  errors_record();
  start_quiet();
  each_slot_of_a_full_span(512);
  each_slot_of_a_full_span(96);
}

static void just_before_the_span_is_full(void **state) {
  (void)state;
  errors_record();
  enum { SIZE = 1024, SLOTS = 32 };
  static struct worker owner;
  worker_start(&owner);
  struct batch first = {vgc_malloc, SIZE, SLOTS, objects};
  worker_do(&owner, batch_allocate, &first);
  struct batch next = {vgc_malloc, SIZE, 1, rest};
  worker_do_meanwhile(&owner, batch_allocate, &next, "cache_refill_failed", vgc_free, objects[5]);
  struct batch more = {vgc_malloc, SIZE, 4 * SLOTS, rest + 1};
  worker_do(&owner, batch_allocate, &more);
  assert_true(among(objects[5], rest, 1 + 4 * SLOTS));
  assert_int_equal(errors_count(), 0);
  worker_stop(&owner);
}

BUG(X15) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(every_word_of_a_full_span, fault_reset, park_reset),
      cmocka_unit_test_setup_teardown(just_before_the_span_is_full, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("X15", tests, NULL, NULL);
}
