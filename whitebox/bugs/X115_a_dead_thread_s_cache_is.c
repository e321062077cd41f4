/* X115: a dead thread's cache is given back beside a stop, which sweeps what is in it: a slot that was returned once is
 * found free when its return is folded in.
 *
 * Who joins gives back what dead threads have left, but no stop waits for a joiner that is in a blocking region or not
 * registered. The model reap_in_region has the race; here is seen who gives back, and that somebody does. */
#include "bug.h"
#include "late_key.h"
#include "probe.h"

static pthread_key_t late;
static size_t records;

static void destroy_late(void *value) {
  uintptr_t round = (uintptr_t)value;
  if (round < DESTRUCTOR_ROUNDS) {
    pthread_setspecific(late, (void *)(round + 1));
    return;
  }
  must(vgc_thread_detach() == 0);
  must(vgc_malloc(64) != NULL);
}

static void *end_without_leaving(void *arg) {
  must(pthread_setspecific(late, (void *)1) == 0);
  return arg;
}

static void *create_and_join(void *arg) {
  pthread_t thread;
  must(pthread_create(&thread, NULL, end_without_leaving, NULL) == 0);
  must(pthread_join(thread, NULL) == 0);
  return arg;
}

static int start(void **state) {
  (void)state;
  start_quiet();
  late = late_key_make(destroy_late);
  records = thread_records();
  return 0;
}

static int end(void **state) {
  pthread_key_delete(late);
  return park_reset(state);
}

static void expect_left_behind(void) {
  assert_int_equal(thread_records(), records + 1);
  assert_int_equal(vgc_collect(), 0);
  assert_int_equal(thread_records(), records);
  assert_int_equal(vgc_shutdown(), 0);
}

static void in_a_region(void **state) {
  (void)state;
  vgc_call_blocking(create_and_join, NULL);
  expect_left_behind();
}

static void not_registered(void **state) {
  (void)state;
  assert_int_equal(vgc_thread_detach(), 0);
  create_and_join(NULL);
  assert_int_equal(vgc_thread_attach(), 0);
  expect_left_behind();
}

/* Who shuts down must give it back. */
static void shut_down_by_who_is_not(void **state) {
  (void)state;
  assert_int_equal(vgc_thread_detach(), 0);
  create_and_join(NULL);
  assert_int_equal(vgc_shutdown(), 0);
  assert_false(vgc_thread_attached());
  assert_int_equal(thread_records(), records);
}

BUG(X115) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(in_a_region, start, end),
      cmocka_unit_test_setup_teardown(not_registered, start, end),
      cmocka_unit_test_setup_teardown(shut_down_by_who_is_not, start, end),
  };
  return cmocka_run_group_tests_name("X115", tests, NULL, NULL);
}
