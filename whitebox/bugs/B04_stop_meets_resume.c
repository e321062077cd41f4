/* B04: a stop that meets a thread on its way out of the stop before.
 *
 * The thread has acknowledged, has been resumed and has not woken yet when the next stop begins. It must not sleep on:
 * its next acknowledgement would never come. Nor must a thread that has ended be waited for. */
#include <sched.h>

#include "bug.h"
#include "stops.h"

enum { NOTHING, SLEPT, LEFT };
/* What the thread did first after its release. */
static _Atomic int first;

static void learn_self(void *arg) { *(struct thread **)arg = thread_self(); }

static void note(int what) {
  int nothing = NOTHING;
  atomic_compare_exchange_strong(&first, &nothing, what);
}

static void note_sleep(void *unused) {
  (void)unused;
  note(SLEPT);
}

static void note_leave(void *unused) {
  (void)unused;
  note(LEFT);
}

/* In the second stop: the thread wakes, and either leaves the first one or sleeps on. */
static void release(void *park) {
  park_release(park);
  while (atomic_load(&first) == NOTHING) sched_yield();
}

static void back_to_back(void **state) {
  (void)state;
  struct worker worker;
  struct thread *slow;
  worker_start(&worker);
  worker_do(&worker, learn_self, &slow);
  park_arm_each("world_handler_sleeps", note_sleep, NULL);
  park_arm_each("world_handler_leaving", note_leave, NULL);
  struct park *acknowledged = park_arm("world_handler_acknowledged");
  assert_int_equal(vgc_collect(), 0);
  park_await(acknowledged);
  assert_int_equal(first, NOTHING);
  stops_watch(slow, 2, release, acknowledged);
  assert_int_equal(vgc_collect(), 0);
  worker_stop(&worker);
  assert_false(stops_went_on_without());
  assert_int_equal(first, LEFT);
}

static void *nothing(void *arg) { return arg; }

static void after_exit(void **state) {
  (void)state;
  pthread_t thread;
  struct vgc_stats stats = {.struct_size = sizeof stats};
  struct park *gone = park_arm("thread_exit_after_deregister");
  assert_int_equal(pthread_create(&thread, NULL, nothing, NULL), 0);
  park_await(gone);
  assert_int_equal(vgc_get_stats(&stats), 0);
  uint64_t before = stats.suspensions;
  assert_int_equal(vgc_collect(), 0);
  assert_int_equal(vgc_get_stats(&stats), 0);
  assert_int_equal(stats.suspensions, before);
  park_release(gone);
  assert_int_equal(pthread_join(thread, NULL), 0);
}

BUG(B04) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(back_to_back, fault_reset, park_reset),
                                     cmocka_unit_test_setup_teardown(after_exit, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("B04", tests, NULL, NULL);
}
