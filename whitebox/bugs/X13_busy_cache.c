/* X13: the collector takes spans from a cache whose owner is at work on its lists.
 *
 * The owner has found that a full span has room again and is suspended before it files it. A busy cache must keep what
 * it has. */
#include "bug.h"

enum { SIZE = 512, SPAN_SLOTS = 64, FREED = 20, BATCH = 8 };

static void *objects[2 * SPAN_SLOTS], *mine[1 + BATCH], *theirs[1];

static void list_is_left_alone(void **state) {
  (void)state;
  errors_record();
  static struct worker owner;
  worker_start(&owner);
  struct batch two_spans = {vgc_malloc, SIZE, 2 * SPAN_SLOTS, objects};
  worker_do(&owner, batch_allocate, &two_spans);
  for (unsigned i = 0; i < FREED; i++) vgc_free(objects[i]);
  struct park *window = park_arm_thread("cache_usable_before_list", owner.thread);
  struct park *commit = park_arm_thread("allocate_before_commit", owner.thread);
  struct batch next = {vgc_malloc, SIZE, 1, theirs};
  worker_begin(&owner, batch_allocate, &next);
  park_await(window);
  assert_int_equal(vgc_collect(), 0);
  struct batch one = {vgc_malloc, SIZE, 1, mine};
  batch_allocate(&one);
  park_release(window);
  park_await(commit);
  struct batch rest = {vgc_malloc, SIZE, BATCH, mine + 1};
  batch_allocate(&rest);
  park_release(commit);
  worker_finish(&owner);
  assert_true(all_distinct(mine, 1 + BATCH));
  assert_false(among(theirs[0], mine, 1 + BATCH));
  assert_true(among(theirs[0], objects, FREED));
  assert_int_equal(errors_count(), 0);
  worker_stop(&owner);
}

BUG(X13) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(list_is_left_alone, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("X13", tests, NULL, NULL);
}
