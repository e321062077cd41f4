/* M04: a descriptor is used again while its last life still stands in a list.
 *
 * A span is announced to a thread that is giving up its spans, and ends; its descriptor becomes another thread's span.
 * Announced anew at once, it would be linked a second time, and the first list would lose its tail. */
#include "bug.h"
#include "probe.h"

enum { SIZE = 512, SPAN_SLOTS = 64, BATCH = 4 * SPAN_SLOTS };

static void *ended[SPAN_SLOTS], *tail[SPAN_SLOTS], *mine[SPAN_SLOTS], *rest[BATCH], *last[BATCH];

static void fill_two_spans(void *arg) {
  (void)arg;
  struct batch first = {vgc_malloc, SIZE, SPAN_SLOTS, ended}, second = {vgc_malloc, SIZE, SPAN_SLOTS, tail};
  batch_allocate(&first);
  batch_allocate(&second);
}

static void list_keeps_its_tail(void **state) {
  (void)state;
  errors_record();
  start_quiet();
  must(vgc_malloc(8)); /* this thread has a cache before the owner's becomes free */
  static struct worker owner, other;
  worker_start(&owner);
  worker_start(&other);
  worker_do(&owner, fill_two_spans, NULL);
  struct span *span = span_of((uintptr_t)ended[0]);
  for (unsigned i = 1; i < SPAN_SLOTS; i++) vgc_free(ended[i]);
  struct park *tail_given = park_arm_thread("central_give_before_disown", owner.thread);
  struct park *all_given = park_arm_thread("cache_exit_given", owner.thread);
  worker_leave(&owner);
  park_await(tail_given);
  vgc_free(tail[5]);
  vgc_free(ended[0]);
  park_release(tail_given);
  park_await(all_given);
  assert_int_equal(span_state(span), SPAN_NONE);
  struct batch batch = {vgc_malloc, SIZE, SPAN_SLOTS, mine};
  batch_allocate(&batch);
  assert_ptr_equal(span_of((uintptr_t)mine[0]), span);
  worker_do(&other, free_hidden, &(uintptr_t){hide(mine[0])});
  struct batch more = {vgc_malloc, SIZE, BATCH, rest}, and_more = {vgc_malloc, SIZE, BATCH, last};
  batch_allocate(&more);
  park_release(all_given);
  worker_stop(&owner);
  batch_allocate(&and_more);
  assert_true(among(tail[5], last, BATCH));
  assert_true(all_distinct(last, BATCH));
  assert_int_equal(errors_count(), 0);
  worker_stop(&other);
}

BUG(M04) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(list_keeps_its_tail, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("M04", tests, NULL, NULL);
}
