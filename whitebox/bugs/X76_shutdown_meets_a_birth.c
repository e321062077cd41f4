/* X76: the library is shut down while a thread that was created has not registered yet.
 *
 * Its start argument may be an object of the heap, which would be gone when it begins. */
#include <errno.h>

#include "bug.h"
#include "probe.h"

static void *use(void *arg) {
  *(unsigned *)arg = 1;
  return NULL;
}

static void refused(void **state) {
  (void)state;
  start_quiet();
  unsigned *argument = vgc_malloc(sizeof *argument);
  struct park *window = park_arm("spawn_child_before_register");
  pthread_t thread;
  assert_int_equal(pthread_create(&thread, NULL, use, argument), 0);
  park_await(window);
  errno = 0;
  int result = vgc_shutdown(), error = errno;
  must(result == -1); /* else the thread would not survive */
  park_release(window);
  assert_int_equal(pthread_join(thread, NULL), 0);
  assert_int_equal(error, EBUSY);
  assert_int_equal(*argument, 1);
  assert_int_equal(vgc_shutdown(), 0);
}

BUG(X76) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(refused, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("X76", tests, NULL, NULL);
}
