/* M05: the first thread to use the library is not the main one.
 *
 * It too is seen off when it ends, although nothing was set up before it: its cache is free, its record gone, and
 * nobody signals its id any more. */
#include "bug.h"

static void *use(void *arg) {
  void *object = vgc_malloc(64);
  must(object);
  vgc_free(object);
  return arg;
}

static void seen_off(void **state) {
  (void)state;
  struct vgc_stats stats = {.struct_size = sizeof stats};
  pthread_t thread;
  must(!cache_all());
  size_t records = thread_records();
  assert_int_equal(pthread_create(&thread, NULL, use, NULL), 0);
  assert_int_equal(pthread_join(thread, NULL), 0);
  assert_int_equal(thread_records(), records);
  /* Its cache is the one that the next user is given. */
  must(vgc_malloc(64));
  assert_ptr_equal(cache_all(), cache_current);
  assert_null(cache_all()->next);
  fault_reset(NULL);
  assert_int_equal(vgc_collect(), 0);
  assert_int_equal(fault_count(FAULT_SIGNAL), 0);
  assert_int_equal(vgc_get_stats(&stats), 0);
  assert_int_equal(stats.threads, 1);
}

BUG(M05) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(seen_off, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("M05", tests, NULL, NULL);
}
