/* V12: the thread beyond the end of the table gets the index -1.
 *
 * The first table has room for two threads. Sixteen live at once, and each allocates from every class and kind. */
#include "bug.h"
#include "objects.h"

enum { THREADS = 16 };
static pthread_barrier_t all_here, all_done;

static void *allocate_everything(void *arg) {
  pthread_barrier_wait(&all_here);
  void *(*const kinds[])(size_t) = {vgc_malloc, vgc_malloc_noscan, vgc_malloc_uncollectable};
  for (unsigned kind = 0; kind < 3; kind++)
    for (unsigned class = 0; class < SIZECLASS_COUNT; class ++) {
      unsigned char *object = kinds[kind](sizeclass_table[class].size);
      must(object);
      object[0] = 1;
    }
  pthread_barrier_wait(&all_done);
  pthread_barrier_wait(&all_done);
  return arg;
}

static void table_of_threads_grows(void **state) {
  (void)state;
  struct vgc_config given = config_quiet();
  given.thread_table = 2;
  assert_int_equal(vgc_init(&given), 0);
  pthread_barrier_init(&all_here, NULL, THREADS + 1);
  pthread_barrier_init(&all_done, NULL, THREADS + 1);
  pthread_t threads[THREADS];
  for (unsigned i = 0; i < THREADS; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, allocate_everything, NULL), 0);
  pthread_barrier_wait(&all_here);
  pthread_barrier_wait(&all_done);
  assert_int_equal(stats_now().threads, THREADS + 1);
  assert_int_equal(stats_now().objects_allocated, THREADS * 3 * SIZECLASS_COUNT);
  assert_int_equal(vgc_collect(), 0);
  assert_int_equal(stats_now().suspensions, THREADS);
  pthread_barrier_wait(&all_done);
  for (unsigned i = 0; i < THREADS; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
  assert_int_equal(stats_now().threads, 1);
}

BUG(V12) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(table_of_threads_grows, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("V12", tests, NULL, NULL);
}
