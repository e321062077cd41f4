/* V12: the thread beyond the end of the table gets the index -1.
 *
 * The first table has room for two threads. Sixteen live at once, and each allocates from every class and kind. */
#include "bug.h"
#include "objects.h"

enum { THREADS = 16 };
static struct worker workers[THREADS];

static void allocate_everything(void *arg) {
  (void)arg;
  void *(*const kinds[])(size_t) = {vgc_malloc, vgc_malloc_noscan, vgc_malloc_uncollectable};
  for (unsigned kind = 0; kind < 3; kind++)
    for (unsigned class = 0; class < SIZECLASS_COUNT; class ++) {
      unsigned char *object = kinds[kind](sizeclass_table[class].size);
      must(object);
      object[0] = 1;
    }
}

static void table_of_threads_grows(void **state) {
  (void)state;
  struct vgc_config given = config_quiet();
  given.thread_table = 2;
  assert_int_equal(vgc_init(&given), 0);
  for (unsigned i = 0; i < THREADS; i++) worker_start(&workers[i]);
  for (unsigned i = 0; i < THREADS; i++) worker_begin(&workers[i], allocate_everything, NULL);
  for (unsigned i = 0; i < THREADS; i++) worker_finish(&workers[i]);
  assert_int_equal(stats_now().threads, THREADS + 1);
  assert_int_equal(stats_now().objects_allocated, THREADS * 3 * SIZECLASS_COUNT);
  assert_int_equal(vgc_collect(), 0);
  assert_int_equal(stats_now().suspensions, THREADS);
  for (unsigned i = 0; i < THREADS; i++) worker_stop(&workers[i]);
  assert_int_equal(stats_now().threads, 1);
}

BUG(V12) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(table_of_threads_grows, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("V12", tests, NULL, NULL);
}
