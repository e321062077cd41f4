/* N07: threads that never allocate.
 *
 * A thread that the program started only holds and frees what others allocated. It must be stopped and scanned like any
 * other: what only it holds stays, what it frees is freed once. */
#include "bug.h"
#include "hidden.h"
#include "meeting.h"

enum { SIZE = 256, CYCLES = 6 };

struct hand {
  uintptr_t hidden;
  struct meeting held, done;
  bool kept;
};

static void *hold(void *arg) {
  struct hand *hand = arg;
  void *held[1];
  hidden_reveal(hand->hidden, held);
  KEEP_ALIVE(held);
  meeting_wait(&hand->held);
  meeting_wait(&hand->done);
  KEEP_ALIVE(held);
  hand->kept = hidden_alive(hand->hidden, SIZE);
  /* Its first call that changes the heap is a free. */
  vgc_free(held[0]);
  return NULL;
}

static void consumer(void **state) {
  (void)state;
  struct hand hand = {.hidden = hidden_make(SIZE)};
  struct hidden_control control;
  hidden_control_make(&control);
  meeting_init(&hand.held, 2);
  meeting_init(&hand.done, 2);
  pthread_t thread;
  assert_int_equal(pthread_create(&thread, NULL, hold, &hand), 0);
  meeting_wait(&hand.held);
  struct vgc_stats before = {.struct_size = sizeof before}, after = {.struct_size = sizeof after};
  assert_int_equal(vgc_get_stats(&before), 0);
  assert_int_equal(before.threads, 2);
  for (unsigned i = 0; i < CYCLES; i++) assert_int_equal(vgc_collect(), 0);
  assert_int_equal(vgc_get_stats(&after), 0);
  assert_int_equal(after.suspensions - before.suspensions, CYCLES);
  assert_true(hidden_control_died(&control));
  meeting_wait(&hand.done);
  assert_int_equal(pthread_join(thread, NULL), 0);
  assert_true(hand.kept);
  assert_false(hidden_alive(hand.hidden, SIZE));
}

BUG(N07) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(consumer, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("N07", tests, NULL, NULL);
}
