/* X72: the hook at the end of a cycle allocates, in the middle of an allocation.
 *
 * The thread wanted a span and collected first. The hook gives its cache a current span of that class; the span that
 * the thread then gets must not push it out, for no list would hold it: its slots would be lost and miscounted. */
#include "bug.h"
#include "probe.h"

enum { SIZE = 64 };

static unsigned calls;

static void allocate(void *arg, const struct vgc_stats *stats) {
  (void)stats;
  ++*(unsigned *)arg;
  must(vgc_malloc_uncollectable(SIZE) != NULL);
}

static unsigned lost;

static void find(struct span *span, void *arg) {
  const struct cache *cache = arg;
  if (span_state(span) == SPAN_CURRENT && load_relaxed(&cache->current[span_index(span)]) != span) lost++;
}

static void no_span_is_lost(void **state) {
  (void)state;
  struct vgc_config wanted;
  vgc_config_default(&wanted);
  wanted.minimum_heap = 65536;
  assert_int_equal(vgc_init(&wanted), 0);
  const struct vgc_hooks hooks = {.struct_size = sizeof hooks, .arg = &calls, .cycle_end = allocate};
  vgc_set_hooks(&hooks, NULL);
  while (calls < 4) assert_non_null(vgc_malloc_uncollectable(SIZE));
  vgc_set_hooks(NULL, NULL);
  lock_acquire(&heap_lock);
  span_each(find, thread_self()->cache);
  lock_release(&heap_lock);
  assert_int_equal(lost, 0);
  assert_int_equal(stats_now().live_objects, probe_recount().objects);
}

BUG(X72) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(no_span_is_lost, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("X72", tests, NULL, NULL);
}
