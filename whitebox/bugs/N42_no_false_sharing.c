/* N42: words that one thread writes share a line with words that another writes.
 *
 * Lines are fetched in pairs, so what must not be shared is 128 bytes. Within a span the owner's line, the line that
 * every free reads and the line that remote frees write are three. */
#include "bug.h"

static uintptr_t unit(const void *at) { return (uintptr_t)at / PLATFORM_FALSE_SHARING; }
static uintptr_t line(const void *at) { return (uintptr_t)at / PLATFORM_CACHE_LINE; }

static void allocate(void *result) { *(void **)result = vgc_malloc(64); }

static void per_thread_state_is_apart(void **state) {
  (void)state;
  must(vgc_malloc(64));
  static struct worker worker;
  worker_start(&worker);
  void *object;
  worker_do(&worker, allocate, &object);
  unsigned caches = 0;
  for (struct cache *cache = cache_all(); cache; cache = cache->next, caches++) {
    /* Others write `returned` only. */
    assert_int_not_equal(unit(&cache->returned), unit((char *)&cache->returned - 1));
    assert_int_equal((uintptr_t)cache % PLATFORM_FALSE_SHARING, 0);
    assert_int_equal(sizeof *cache % PLATFORM_FALSE_SHARING, 0);
    if (cache->next) assert_int_not_equal(unit(&cache->returned), unit(cache->next));
  }
  assert_int_equal(caches, 2);
  for (struct thread *thread = thread_first(); thread->next; thread = thread->next)
    assert_int_not_equal(unit(&thread->state), unit(&thread->next->state));
  assert_int_equal(sizeof(struct thread) % PLATFORM_FALSE_SHARING, 0);
  worker_stop(&worker);
}

static void classes_are_apart(void **state) {
  (void)state;
  for (unsigned i = 1; i < SIZECLASS_COUNT; i++) {
    assert_int_not_equal(unit(&central[i].returned), unit(&central[i - 1].returned));
  }
}

static void remote_frees_write_a_line_of_their_own(void **state) {
  (void)state;
  static const size_t sizes[] = {8, 16, 64, 512, 32768};
  for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    struct span *span = span_of((uintptr_t)vgc_malloc_noscan(sizes[i]));
    const void *remote = span_remote(span), *remote_end = (char *)remote + span->words * sizeof(uint64_t) - 1;
    assert_int_not_equal(line(&span->avail), line(&span->base));
    assert_int_not_equal(line(&span->bits[span->words - 1].mark), line(remote));
    assert_int_equal((uintptr_t)remote % PLATFORM_CACHE_LINE, 0);
    struct span *after =
        (struct span *)(void *)((char *)span + span_descriptor_lines(span->words) * PLATFORM_CACHE_LINE);
    assert_int_not_equal(line(remote_end), line(&after->avail));
  }
}

BUG(N42) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(per_thread_state_is_apart, fault_reset, park_reset),
      cmocka_unit_test_setup_teardown(classes_are_apart, fault_reset, park_reset),
      cmocka_unit_test_setup_teardown(remote_frees_write_a_line_of_their_own, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("N42", tests, NULL, NULL);
}
