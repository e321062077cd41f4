/* M01: what a thread's cache holds when the thread ends.
 *
 * Its spans go to the others and its cache is used again: threads that come and go need no more memory than one. */
#include "bug.h"

enum { SIZE = 1024, OBJECTS = 600, THREADS = 40 };

static void *allocate(void *arg) {
  for (unsigned i = 0; i < OBJECTS; i++) {
    char *object = vgc_malloc_noscan(SIZE);
    must(object);
    if (i % 2) vgc_free(object);
  }
  return arg;
}

static size_t caches(void) {
  size_t count = 0;
  for (struct cache *cache = cache_all(); cache; cache = cache->next) count++;
  return count;
}

static void one_generation(void) {
  pthread_t thread;
  assert_int_equal(pthread_create(&thread, NULL, allocate, NULL), 0);
  assert_int_equal(pthread_join(thread, NULL), 0);
  assert_int_equal(vgc_collect(), 0);
}

static void given_back(void **state) {
  (void)state;
  struct vgc_stats first = {.struct_size = sizeof first}, last = {.struct_size = sizeof last};
  must(vgc_malloc(16));
  one_generation();
  size_t before = caches();
  assert_int_equal(vgc_get_stats(&first), 0);
  for (unsigned i = 1; i < THREADS; i++) one_generation();
  assert_int_equal(vgc_get_stats(&last), 0);
  assert_int_equal(caches(), before);
  assert_true(last.heap_bytes <= first.heap_bytes + OBJECTS * SIZE);
  assert_true(last.live_bytes <= first.live_bytes + OBJECTS * SIZE);
}

BUG(M01) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(given_back, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("M01", tests, NULL, NULL);
}
