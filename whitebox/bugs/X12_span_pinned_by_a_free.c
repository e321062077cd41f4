/* X12: the collector takes a span from an owner that is inside vgc_free of one of its slots.
 *
 * The owner has passed its test of ownership, has read the word of free slots, and is suspended. Were the span taken,
 * the owner would write that word over the new owner's, or go on to file the span among its own. */
#include "bug.h"
#include "probe.h"

enum { SIZE = 512, SPAN_SLOTS = 64, FREED = 10, BATCH = 2 * SPAN_SLOTS };

static void *objects[2 * SPAN_SLOTS], *mine[1 + BATCH], *theirs[1 + BATCH];
static uintptr_t victim;

static void free_some(void *arg) {
  for (unsigned i = 0; i < *(unsigned *)arg; i++) vgc_free(objects[10 + i]);
  stack_scrub();
}

/* Of the owner's first span, which is full or has some free slots, only the victim is held, and by nobody but the call.
 * The second span stays exhausted. */
static struct worker *prepare(unsigned freed) {
  static struct worker workers[2];
  static unsigned used;
  struct worker *owner = &workers[used++];
  errors_record();
  start_quiet();
  worker_start(owner);
  struct batch two_spans = {vgc_malloc, SIZE, 2 * SPAN_SLOTS, objects};
  worker_do(owner, batch_allocate, &two_spans);
  worker_do(owner, free_some, &freed);
  victim = hide(objects[7]);
  memset(objects, 0, SPAN_SLOTS * sizeof *objects);
  return owner;
}

static void finish(struct worker *owner) {
  void *all[2 * (1 + BATCH)];
  memcpy(all, mine, sizeof mine);
  memcpy(all + 1 + BATCH, theirs, sizeof theirs);
  assert_true(all_distinct(all, 2 * (1 + BATCH)));
  assert_int_equal(errors_count(), 0);
  worker_stop(owner);
  memset(mine, 0, sizeof mine);
  memset(theirs, 0, sizeof theirs);
  assert_int_equal(vgc_shutdown(), 0);
}

static void before_the_slot_is_free(void **state) {
  (void)state;
  struct worker *owner = prepare(FREED);
  struct park *window = park_arm_thread("free_before_commit", owner->thread);
  worker_begin(owner, free_hidden, &victim);
  park_await(window);
  assert_int_equal(vgc_collect(), 0);
  struct batch one = {vgc_malloc, SIZE, 1, mine}, rest = {vgc_malloc, SIZE, BATCH, mine + 1};
  batch_allocate(&one);
  park_release(window);
  worker_finish(owner);
  batch_allocate(&rest);
  struct batch theirs_all = {vgc_malloc, SIZE, 1 + BATCH, theirs};
  worker_do(owner, batch_allocate, &theirs_all);
  finish(owner);
}

static void before_the_span_is_filed(void **state) {
  (void)state;
  struct worker *owner = prepare(0);
  struct park *window = park_arm_thread("free_into_full", owner->thread);
  worker_begin(owner, free_hidden, &victim);
  park_await(window);
  assert_int_equal(vgc_collect(), 0);
  struct batch one = {vgc_malloc, SIZE, 1, mine}, rest = {vgc_malloc, SIZE, BATCH, mine + 1};
  batch_allocate(&one);
  park_release(window);
  worker_finish(owner);
  /* The owner stands before its commit while this thread allocates. */
  struct park *commit = park_arm_thread("allocate_before_commit", owner->thread);
  struct batch theirs_all = {vgc_malloc, SIZE, 1 + BATCH, theirs};
  worker_begin(owner, batch_allocate, &theirs_all);
  park_await(commit);
  batch_allocate(&rest);
  park_release(commit);
  worker_finish(owner);
  finish(owner);
}

BUG(X12) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(before_the_slot_is_free, fault_reset, park_reset),
      cmocka_unit_test_setup_teardown(before_the_span_is_filed, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("X12", tests, NULL, NULL);
}
