/* X86: central takes the state of one life of a descriptor for that of the next, and a cache's span for its own.
 *
 * A descriptor stands in the list of returned spans of a class when its span has ended. Its next life, of another
 * class, is exhausted: that is read. Before the class is, a third life of the first class begins, not yet owned. Filed
 * in central, it has two owners a moment later. */
#include "bug.h"

/* Classes whose descriptors have one size, with slots of half a span and of a quarter. */
enum { FIRST = 20480, SECOND = 8192, SECOND_SLOTS = 4 };

static struct worker first_owner, returner, second_owner, third_owner, maker, taker;
static void *ended, *second[SECOND_SLOTS], *third, *made, *taken;

static void allocate_and_free(void *unused) {
  (void)unused;
  third = vgc_malloc_noscan(SECOND);
  vgc_free(third);
}

static struct park *announce_after_the_end(const struct span *span) {
  static struct batch make = {vgc_malloc_noscan, FIRST, 1, &made};
  struct park *returned = park_arm_thread("free_remote_returned", returner.thread);
  worker_begin(&returner, free_hidden, &(uintptr_t){hide(ended)});
  park_await(returned);
  struct park *before_making = park_arm_thread("heap_before_attempt", maker.thread);
  worker_begin(&maker, batch_allocate, &make);
  park_await(before_making);
  worker_stop(&first_owner);
  assert_int_equal(span_state(span), SPAN_NONE);
  park_release(returned);
  worker_finish(&returner);
  return before_making;
}

static void live_in_the_second_class(const struct span *span) {
  struct batch all = {vgc_malloc_noscan, SECOND, SECOND_SLOTS, second};
  worker_do(&second_owner, batch_allocate, &all);
  worker_stop(&second_owner);
  assert_ptr_equal(span_of((uintptr_t)second[0]), span);
  assert_int_equal(span_state(span), SPAN_EXHAUSTED);
}

static void end_the_second_life(const struct span *span) {
  for (unsigned i = 0; i < SECOND_SLOTS; i++) vgc_free(second[i]);
  worker_do(&third_owner, allocate_and_free, NULL);
  assert_true(among(third, second, SECOND_SLOTS));
  worker_stop(&third_owner);
  assert_int_equal(span_state(span), SPAN_NONE);
}

static void taken_while_made(void **state) {
  (void)state;
  errors_record();
  struct vgc_config wanted = config_quiet();
  assert_int_equal(vgc_init(&wanted), 0);
  struct worker *workers[] = {&first_owner, &returner, &second_owner, &third_owner, &maker, &taker};
  for (unsigned i = 0; i < 6; i++) worker_start(workers[i]);
  struct batch first = {vgc_malloc_noscan, FIRST, 1, &ended}, take = {vgc_malloc_noscan, FIRST, 1, &taken};
  worker_do(&first_owner, batch_allocate, &first);
  const struct span *span = span_of((uintptr_t)ended);
  struct park *before_making = announce_after_the_end(span);
  live_in_the_second_class(span);
  struct park *looking = park_arm_thread("central_returned_looking", taker.thread);
  worker_begin(&taker, batch_allocate, &take);
  park_await(looking);
  end_the_second_life(span);
  struct park *half_made = park_arm_thread("span_half_made", maker.thread);
  park_release(before_making);
  park_await(half_made);
  struct park *looked = park_arm_thread("central_take_before_unlock", taker.thread);
  park_release(looking);
  park_await(looked);
  park_release(half_made);
  worker_finish(&maker);
  park_release(looked);
  worker_finish(&taker);
  assert_ptr_equal(span_of((uintptr_t)made), span);
  assert_ptr_not_equal(span_of((uintptr_t)taken), span);
  assert_int_equal(errors_count(), 0);
  worker_stop(&returner);
  worker_stop(&maker);
  worker_stop(&taker);
}

BUG(X86) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(taken_while_made, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("X86", tests, NULL, NULL);
}
