/* M12: a thread whose only use of the heap is to free, in the last destructor round, after vgc's own destructor.
 *
 * What the library sets up for it there is taken down again after the thread has ended. */
#include "bug.h"
#include "late_key.h"

enum { ROUNDS = DESTRUCTOR_ROUNDS, OBJECTS = 128, THREADS = 8 };

static pthread_key_t key;
static void *objects[OBJECTS];
static _Atomic unsigned rounds;

static void destroy(void *value) {
  if (atomic_fetch_add(&rounds, 1) + 1 < ROUNDS) {
    pthread_setspecific(key, value);
    return;
  }
  for (unsigned i = 0; i < OBJECTS; i++) vgc_free(objects[i]);
}

static void *run(void *arg) {
  must(pthread_setspecific(key, &key) == 0);
  return arg;
}

static size_t caches(void) {
  size_t count = 0;
  for (struct cache *cache = cache_all(); cache; cache = cache->next) count++;
  return count;
}

static void one_generation(void) {
  pthread_t thread;
  atomic_store(&rounds, 0);
  for (unsigned i = 0; i < OBJECTS; i++) must((objects[i] = vgc_malloc(80)));
  assert_int_equal(pthread_create(&thread, NULL, run, NULL), 0);
  assert_int_equal(pthread_join(thread, NULL), 0);
  assert_int_equal(vgc_collect(), 0);
}

static void nothing_stays(void **state) {
  (void)state;
  struct vgc_stats stats = {.struct_size = sizeof stats};
  key = late_key_make(destroy);
  one_generation();
  size_t before = caches(), records = thread_records();
  for (unsigned i = 1; i < THREADS; i++) one_generation();
  assert_int_equal(caches(), before);
  assert_int_equal(thread_records(), records);
  assert_int_equal(vgc_get_stats(&stats), 0);
  assert_int_equal(stats.threads, 1);
  assert_int_equal(stats.objects_freed, THREADS * OBJECTS);
}

BUG(M12) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(nothing_stays, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("M12", tests, NULL, NULL);
}
