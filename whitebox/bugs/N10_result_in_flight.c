/* N10: a thread's result between its exit and the join.
 *
 * The thread has left, nobody has joined: only libpthread holds the result. By return and by pthread_exit. */
#include "bug.h"
#include "hidden.h"

enum { SIZE = 448 };

static void *give_back(void *arg) {
  void *result;
  hidden_reveal(*(uintptr_t *)arg, &result);
  return result;
}

static void *exit_with(void *arg) { pthread_exit(give_back(arg)); }

static void result_survives(void *(*start)(void *)) {
  uintptr_t hidden = hidden_make(SIZE);
  struct hidden_control control;
  hidden_control_make(&control);
  struct park *left = park_arm("thread_exit_after_deregister");
  pthread_t thread;
  assert_int_equal(pthread_create(&thread, NULL, start, &hidden), 0);
  park_await(left);
  assert_int_equal(vgc_collect(), 0);
  assert_true(hidden_control_died(&control));
  park_release(left);
  /* Whoever gets its slot would show, had it been reclaimed. */
  uintptr_t other = hidden_make(SIZE);
  void *result;
  assert_int_equal(pthread_join(thread, &result), 0);
  assert_int_equal(~(uintptr_t)result, hidden);
  assert_int_not_equal(other, hidden);
  assert_true(hidden_alive(hidden, SIZE));
  KEEP_ALIVE(result);
}

static void returned(void **state) {
  (void)state;
  result_survives(give_back);
}

static void exited(void **state) {
  (void)state;
  result_survives(exit_with);
}

BUG(N10) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(returned, fault_reset, park_reset),
                                     cmocka_unit_test_setup_teardown(exited, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("N10", tests, NULL, NULL);
}
