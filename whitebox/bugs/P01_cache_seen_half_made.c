/* P01: a thread's heap is visited while the thread is still initialising it.
 *
 * A thread makes its cache and stands in the middle of it; another walks all caches for the statistics, which no stop
 * excludes. It must not meet the half-made one. */
#include "bug.h"
#include "objects.h"
#include "probe.h"

static struct worker newcomer;
static void *object;

static void allocate(void *arg) {
  (void)arg;
  must(object = vgc_malloc(64));
}

static void walkers_skip_a_half_made_cache(void **state) {
  (void)state;
  start_quiet();
  assert_non_null(vgc_malloc(64));
  worker_start(&newcomer);
  struct park *window = park_arm_thread("cache_half_made", newcomer.thread);
  worker_begin(&newcomer, allocate, NULL);
  park_await(window);
  for (struct cache *cache = cache_all(); cache; cache = cache->next)
    for (unsigned slot = 0; slot < CACHE_SLOTS; slot++) assert_non_null(load_relaxed(&cache->current[slot]));
  assert_int_equal(stats_now().objects_allocated, 1);
  park_release(window);
  worker_finish(&newcomer);
  assert_int_equal(stats_now().objects_allocated, 2);
  worker_stop(&newcomer);
}

BUG(P01) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(walkers_skip_a_half_made_cache, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("P01", tests, NULL, NULL);
}
