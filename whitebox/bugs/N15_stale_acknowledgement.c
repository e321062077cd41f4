/* N15: an acknowledgement of an earlier stop.
 *
 * A thread that leaves the handler of one stop late still shows that it had stopped. The next stop must not count that:
 * the thread is about to run. */
#include "bug.h"
#include "stops.h"

static void learn_self(void *arg) { *(struct thread **)arg = thread_self(); }
static void release(void *park) { park_release(park); }

static void back_to_back(void **state) {
  (void)state;
  struct worker worker;
  struct thread *late;
  worker_start(&worker);
  worker_do(&worker, learn_self, &late);
  struct park *leaving = park_arm("world_handler_leaving");
  assert_int_equal(vgc_collect(), 0);
  park_await(leaving);
  stops_watch(late, 2, release, leaving);
  assert_int_equal(vgc_collect(), 0);
  worker_stop(&worker);
  assert_false(stops_went_on_without());
  assert_true(stops_rounds() >= 2);
}

BUG(N15) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(back_to_back, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("N15", tests, NULL, NULL);
}
