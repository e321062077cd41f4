/* N13: a signal that cannot be queued now.
 *
 * EAGAIN says that the queue is full, not that the thread is gone: it is told again, and stopped. */
#include "bug.h"
#include "hidden.h"
#include "meeting.h"

enum { SIZE = 640, REFUSALS = 5 };

struct hand {
  uintptr_t hidden;
  struct meeting held, done;
};

static void *hold(void *arg) {
  struct hand *hand = arg;
  void *held[1];
  hidden_reveal(hand->hidden, held);
  KEEP_ALIVE(held);
  meeting_wait(&hand->held);
  meeting_wait(&hand->done);
  KEEP_ALIVE(held);
  return NULL;
}

static void told_again(void **state) {
  (void)state;
  struct hand hand = {.hidden = hidden_make(SIZE)};
  meeting_init(&hand.held, 2);
  meeting_init(&hand.done, 2);
  pthread_t thread;
  assert_int_equal(pthread_create(&thread, NULL, hold, &hand), 0);
  meeting_wait(&hand.held);
  fault_fail(FAULT_SIGNAL, 0, REFUSALS);
  struct vgc_stats stats = {.struct_size = sizeof stats};
  assert_int_equal(vgc_collect(), 0);
  assert_int_equal(vgc_get_stats(&stats), 0);
  assert_int_equal(fault_failed(FAULT_SIGNAL), REFUSALS);
  assert_int_equal(stats.suspensions, 1);
  assert_int_equal(stats.threads, 2);
  assert_true(hidden_alive(hand.hidden, SIZE));
  meeting_wait(&hand.done);
  assert_int_equal(pthread_join(thread, NULL), 0);
}

BUG(N13) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(told_again, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("N13", tests, NULL, NULL);
}
