/* V28: the thread-local attribute is lost, and all threads share one cache.
 *
 * Two threads allocate; each has its own cache, and no span has two owners. */
#include "bug.h"
#include "objects.h"
#include "probe.h"

enum { OBJECTS = 300 };
static struct worker worker;
static void *mine[OBJECTS], *theirs[OBJECTS];
static struct cache *own_cache;

static void allocate_in_own_cache(void *arg) {
  batch_allocate(arg);
  must(cache_current != own_cache);
  must(cache_current != &cache_none);
}

static void threads_have_caches_of_their_own(void **state) {
  (void)state;
  start_quiet();
  struct batch batch = {vgc_malloc, 64, OBJECTS, mine};
  batch_allocate(&batch);
  own_cache = cache_current;
  batch.objects = theirs;
  worker_start(&worker);
  worker_do(&worker, allocate_in_own_cache, &batch);
  for (unsigned i = 0; i < OBJECTS; i++)
    for (unsigned j = 0; j < OBJECTS; j++)
      assert_ptr_not_equal(span_of((uintptr_t)mine[i]), span_of((uintptr_t)theirs[j]));
  assert_ptr_equal(cache_current, own_cache);
  worker_stop(&worker);
}

BUG(V28) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(threads_have_caches_of_their_own, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("V28", tests, NULL, NULL);
}
