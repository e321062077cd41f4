/* N12: the wait for acknowledgements has no bound.
 *
 * A thread that is slow to answer the suspend signal still runs; however long it takes, the collector waits. */
#include "bug.h"
#include "stops.h"

static void learn_self(void *arg) { *(struct thread **)arg = thread_self(); }
static void release(void *park) { park_release(park); }

static void slow_handler(void **state) {
  (void)state;
  struct worker worker;
  struct thread *slow;
  worker_start(&worker);
  worker_do(&worker, learn_self, &slow);
  struct park *late = park_arm("world_handler_before_ack");
  stops_watch(slow, 6, release, late);
  assert_int_equal(vgc_collect(), 0);
  worker_stop(&worker);
  assert_false(stops_went_on_without());
  assert_true(stops_rounds() >= 6);
}

BUG(N12) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(slow_handler, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("N12", tests, NULL, NULL);
}
