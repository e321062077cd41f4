/* X70: somebody else sends the suspend signal while the world is stopped.
 *
 * Every stopped thread has it masked, so it meets the thread that stops the others, which must not park itself: nobody
 * would wake it. */
#include <signal.h>

#include "bug.h"
#include "probe.h"

static struct thread *stopper; /* set before there are others */

static void send(void *unused) {
  (void)unused;
  must(raise((int)thread_signal()) == 0);
}

static void others_only(void *unused) {
  (void)unused;
  must(thread_self() != stopper);
}

static void stopper_goes_on(void **state) {
  (void)state;
  start_quiet();
  stopper = thread_self();
  static struct worker other;
  worker_start(&other);
  park_arm_each("world_handler_sleeps", others_only, NULL);
  struct park *sent = park_arm_call("collect_stopped", send, NULL);
  assert_int_equal(vgc_collect(), 0);
  assert_true(park_reached(sent));
  assert_int_equal(vgc_collect(), 0);
  worker_stop(&other);
}

BUG(X70) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(stopper_goes_on, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("X70", tests, NULL, NULL);
}
