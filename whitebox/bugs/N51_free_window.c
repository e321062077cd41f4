/* N51: free-window theft.
 *
 * A thread is suspended inside vgc_free, between finding the slot and clearing it, and has thrown the pointer away. If
 * the collection takes the object for dead, the slot is issued anew, and the free ends the new owner's object. */
#include "bug.h"

enum { SIZE = 512, SPAN_SLOTS = 64, BATCH = 2 * SPAN_SLOTS };

static void *objects[SPAN_SLOTS + 2 * BATCH];
static uintptr_t victim;

static void make_victim(void *arg) {
  struct batch batch = {vgc_malloc, SIZE, SPAN_SLOTS, objects};
  batch_allocate(&batch);
  victim = hide(objects[7]);
  objects[7] = arg;
  stack_scrub();
}

static void check(void) {
  assert_true(all_distinct(objects, SPAN_SLOTS + 2 * BATCH));
  for (unsigned i = 0; i < SPAN_SLOTS + 2 * BATCH; i++)
    if (i != 7) assert_ptr_equal(vgc_base_of(objects[i]), objects[i]);
  assert_int_equal(errors_count(), 0);
  assert_int_equal(stats_now().objects_swept, 0);
}

static void suspended_in_a_remote_free(void **state) {
  (void)state;
  errors_record();
  static struct worker owner, other;
  worker_start(&owner);
  worker_start(&other);
  worker_do(&owner, make_victim, NULL);
  struct park *window = park_arm_thread("free_remote_before_return", other.thread);
  worker_begin(&other, free_hidden, &victim);
  park_await(window);
  assert_int_equal(vgc_collect(), 0);
  assert_int_equal(vgc_collect(), 0);
  struct batch first = {vgc_malloc, SIZE, BATCH, objects + SPAN_SLOTS};
  worker_do(&owner, batch_allocate, &first);
  assert_false(among(reveal(victim), first.objects, BATCH));
  park_release(window);
  worker_finish(&other);
  struct batch second = {vgc_malloc, SIZE, BATCH, objects + SPAN_SLOTS + BATCH};
  worker_do(&owner, batch_allocate, &second);
  assert_true(among(reveal(victim), second.objects, BATCH));
  check();
  worker_stop(&other);
  worker_stop(&owner);
  assert_int_equal(vgc_shutdown(), 0);
}

static void suspended_in_a_free_of_its_own(const char *point) {
  static struct worker workers[2];
  static unsigned used;
  struct worker *owner = &workers[used++];
  worker_start(owner);
  worker_do(owner, make_victim, NULL);
  struct park *window = park_arm_thread(point, owner->thread);
  worker_begin(owner, free_hidden, &victim);
  park_await(window);
  assert_int_equal(vgc_collect(), 0);
  assert_int_equal(vgc_collect(), 0);
  park_release(window);
  worker_finish(owner);
  struct batch rest = {vgc_malloc, SIZE, 2 * BATCH, objects + SPAN_SLOTS};
  worker_do(owner, batch_allocate, &rest);
  assert_true(among(reveal(victim), rest.objects, 2 * BATCH));
  check();
  worker_stop(owner);
  assert_int_equal(vgc_shutdown(), 0);
}

static void suspended_before_the_slot_is_free(void **state) {
  (void)state;
  errors_record();
  suspended_in_a_free_of_its_own("free_before_commit");
}

static void suspended_after_the_slot_is_free(void **state) {
  (void)state;
  errors_record();
  suspended_in_a_free_of_its_own("free_after_commit");
}

BUG(N51) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(suspended_in_a_remote_free, fault_reset, park_reset),
      cmocka_unit_test_setup_teardown(suspended_before_the_slot_is_free, fault_reset, park_reset),
      cmocka_unit_test_setup_teardown(suspended_after_the_slot_is_free, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("N51", tests, NULL, NULL);
}
