/* N08: a thread's argument between creation and the thread's first instruction.
 *
 * The creator is gone, the child is not registered yet: only the call of pthread_create refers to the argument. */
#include "bug.h"
#include "hidden.h"

enum { SIZE = 320 };

struct flight {
  uintptr_t hidden;
  struct park *unborn;
  pthread_t child;
};

static void *child(void *argument) { return (void *)~(uintptr_t)argument; }

static void *create(void *arg) {
  struct flight *flight = arg;
  void *argument;
  hidden_reveal(flight->hidden, &argument);
  flight->unborn = park_arm("spawn_child_before_register");
  must(pthread_create(&flight->child, NULL, child, argument) == 0);
  return NULL;
}

static void argument_survives(void **state) {
  (void)state;
  struct flight flight = {.hidden = hidden_make(SIZE)};
  struct hidden_control control;
  hidden_control_make(&control);
  pthread_t creator;
  assert_int_equal(pthread_create(&creator, NULL, create, &flight), 0);
  assert_int_equal(pthread_join(creator, NULL), 0);
  park_await(flight.unborn);
  assert_int_equal(vgc_collect(), 0);
  bool alive = hidden_alive(flight.hidden, SIZE);
  assert_true(hidden_control_died(&control));
  park_release(flight.unborn);
  void *got;
  assert_int_equal(pthread_join(flight.child, &got), 0);
  assert_int_equal((uintptr_t)got, flight.hidden);
  assert_true(alive);
}

BUG(N08) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(argument_survives, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("N08", tests, NULL, NULL);
}
