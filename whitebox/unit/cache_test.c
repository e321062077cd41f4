/* A thread's cache: the order in which it looks for slots, its full and usable spans, what others return to it, and its
 * hand-over when the thread exits. */
#include "unit.h"

/* A class with few slots to a span. */
enum { SIZE = 5120, SLOTS = 6 };

/* By any thread that has no room in a span of its own. */
static char *fill_one_span(void) {
  char *first = vgc_malloc_noscan(SIZE);
  must(span_of((uintptr_t)first)->slots == SLOTS);
  for (unsigned i = 1; i < SLOTS; i++) must(vgc_malloc_noscan(SIZE) == first + i * SIZE);
  return first;
}

static void free_one(void *ptr) { vgc_free(ptr); }

/* ---- Where the next slot comes from ---- */

static void slots_come_from_the_current_span_first(void **state) {
  (void)state;
  char *full = fill_one_span();
  char *current = vgc_malloc_noscan(SIZE);
  vgc_free(full);
  assert_int_equal(span_state(unit_span(full)), SPAN_USABLE);
  for (unsigned i = 1; i < SLOTS; i++) assert_ptr_equal(vgc_malloc_noscan(SIZE), current + i * SIZE);
}

static void then_from_what_came_free_in_it(void **state) {
  (void)state;
  char *full = fill_one_span(), *current = fill_one_span();
  vgc_free(full);
  vgc_free(current + 2 * SIZE);
  assert_int_equal(span_state(unit_span(current)), SPAN_CURRENT);
  assert_ptr_equal(vgc_malloc_noscan(SIZE), current + 2 * SIZE);
}

static void then_from_the_threads_usable_spans(void **state) {
  (void)state;
  char *full = fill_one_span(), *current = fill_one_span();
  vgc_free(full + SIZE);
  assert_ptr_equal(vgc_malloc_noscan(SIZE), full + SIZE);
  assert_int_equal(span_state(unit_span(full)), SPAN_CURRENT);
  assert_int_equal(span_state(unit_span(current)), SPAN_FULL);
}

static void allocate_three(void *arg) {
  char **objects = arg;
  for (unsigned i = 0; i < 3; i++) objects[i] = vgc_malloc_noscan(SIZE);
}

static void then_from_central_then_from_fresh_pages(void **state) {
  (void)state;
  char *theirs[3];
  probe_in_thread(allocate_three, theirs);
  const struct span *span = unit_span(theirs[0]);
  assert_int_equal(span_state(span), SPAN_PARTIAL);
  assert_null(load_relaxed(&span->owner));
  for (unsigned i = 3; i < SLOTS; i++) assert_ptr_equal(vgc_malloc_noscan(SIZE), theirs[0] + i * SIZE);
  assert_ptr_equal(load_relaxed(&span->owner), cache_current);
  size_t taken = pages_taken_bytes();
  assert_ptr_not_equal(unit_span(vgc_malloc_noscan(SIZE)), span);
  assert_true(pages_taken_bytes() > taken);
}

static void kinds_do_not_share_spans(void **state) {
  (void)state;
  const uint64_t words[] = {1};
  vgc_layout_id layout = vgc_layout_register(&(struct vgc_layout){.size = 56, .pointer_words = words});
  const struct span *spans[] = {unit_span(vgc_malloc(64)), unit_span(vgc_malloc_noscan(64)),
                                unit_span(vgc_malloc_uncollectable(64)), unit_span(vgc_malloc_typed(layout, 1))};
  for (unsigned i = 0; i < 4; i++)
    for (unsigned j = 0; j < i; j++) assert_ptr_not_equal(spans[i], spans[j]);
}

/* ---- Full and usable ---- */

static void the_first_free_makes_a_full_span_usable(void **state) {
  (void)state;
  char *full = fill_one_span();
  (void)fill_one_span();
  const struct span *span = unit_span(full);
  assert_int_equal(span_state(span), SPAN_FULL);
  for (unsigned i = 0; i < SLOTS; i++) {
    vgc_free(full + i * SIZE);
    assert_int_equal(span_state(span), SPAN_USABLE);
    assert_ptr_equal(load_relaxed(&span->owner), cache_current);
  }
  for (unsigned i = 0; i < SLOTS; i++) assert_ptr_equal(vgc_malloc_noscan(SIZE), full + i * SIZE);
  assert_int_equal(span_state(span), SPAN_CURRENT);
}

/* ---- Freed by other threads ---- */

static void a_slot_freed_by_another_thread_is_found(void **state) {
  (void)state;
  char *full = fill_one_span(), *current = fill_one_span();
  probe_in_thread(free_one, full + 3 * SIZE);
  const struct span *span = unit_span(full);
  assert_int_equal(span_state(span), SPAN_FULL); /* only its owner moves it */
  assert_true(load_relaxed(&span->life) & SPAN_NOTIFIED);
  assert_false(unit_alive(full + 3 * SIZE));
  assert_ptr_equal(vgc_malloc_noscan(SIZE), full + 3 * SIZE);
  assert_false(load_relaxed(&span->life) & SPAN_NOTIFIED);
  assert_int_equal(span_state(unit_span(current)), SPAN_FULL);
}

static void slots_freed_elsewhere_into_the_current_span_are_found(void **state) {
  (void)state;
  char *current = fill_one_span();
  probe_in_thread(free_one, current + 4 * SIZE);
  assert_ptr_equal(vgc_malloc_noscan(SIZE), current + 4 * SIZE);
  cache_take_returned(cache_current);
  assert_false(load_relaxed(&unit_span(current)->life) & SPAN_NOTIFIED);
}

static void all_slots_freed_elsewhere_come_back(void **state) {
  (void)state;
  char *full = fill_one_span();
  (void)fill_one_span();
  for (unsigned i = 0; i < SLOTS; i++) probe_in_thread(free_one, full + i * SIZE);
  for (unsigned i = 0; i < SLOTS; i++) assert_ptr_equal(vgc_malloc_noscan(SIZE), full + i * SIZE);
  struct vgc_stats stats = stats_now();
  assert_int_equal(stats.objects_freed, SLOTS);
  assert_int_equal(stats.live_objects, 2 * SLOTS);
}

static void double_frees_by_other_threads_are_seen(void **state) {
  (void)state;
  unit_keep_errors();
  char *object = fill_one_span();
  probe_in_thread(free_one, object);
  unit_expect_error(VGC_ERROR_DOUBLE_FREE, object, probe_in_thread(free_one, object));
  unit_expect_error(VGC_ERROR_FREE_INTERIOR, object + 16, probe_in_thread(free_one, object + 16));
  vgc_free(object + SIZE);
  unit_expect_error(VGC_ERROR_DOUBLE_FREE, object + SIZE, probe_in_thread(free_one, object + SIZE));
}

/* The span stands in its owner's list of returned spans when the collector gives it to central; a slot returned after
 * that must not wait for ever in a list that nobody reads. */
static void a_span_that_changes_hands_takes_its_returned_slots_along(void **state) {
  (void)state;
  char *full = fill_one_span(), *current = fill_one_span();
  static void *roots[2 * SLOTS];
  for (unsigned i = 0; i < SLOTS; i++) roots[i] = full + i * SIZE, roots[SLOTS + i] = current + i * SIZE;
  unit_roots(roots, 2 * SLOTS);
  probe_in_thread(free_one, full);
  assert_int_equal(vgc_collect(), 0);
  struct span *span = unit_span(full);
  assert_null(load_relaxed(&span->owner));
  central_finish_sweep();
  assert_int_equal(span_state(span), SPAN_PARTIAL);
  assert_ptr_equal(vgc_malloc_noscan(SIZE), full);
  central_lock(span->class_index);
  assert_null(central[span->class_index].partial[KIND_NOSCAN].first);
  central_unlock(span->class_index);
  memset(roots, 0, sizeof roots);
}

static void passing_on_reaches_an_exhausted_span(void **state) {
  (void)state;
  char *full = fill_one_span(), *current = fill_one_span();
  static void *roots[2 * SLOTS];
  for (unsigned i = 0; i < SLOTS; i++) roots[i] = full + i * SIZE, roots[SLOTS + i] = current + i * SIZE;
  unit_roots(roots, 2 * SLOTS);
  struct span *span = unit_span(full);
  cache_notify(span); /* in the owner's list before anything was returned */
  assert_int_equal(vgc_collect(), 0);
  central_finish_sweep();
  assert_int_equal(span_state(span), SPAN_EXHAUSTED);
  probe_in_thread(free_one, full + SIZE); /* the span is in a list already: not notified again */
  assert_int_equal(span_state(span), SPAN_EXHAUSTED);
  assert_ptr_equal(vgc_malloc_noscan(SIZE), full + SIZE);
  memset(roots, 0, sizeof roots);
}

/* ---- Threads that come and go ---- */

static void fill_and_leave(void *arg) { *(char **)arg = fill_one_span(); }

static void an_exhausted_span_of_an_exited_thread_comes_back(void **state) {
  (void)state;
  char *theirs;
  probe_in_thread(fill_and_leave, &theirs);
  const struct span *span = unit_span(theirs);
  assert_int_equal(span_state(span), SPAN_EXHAUSTED);
  vgc_free(theirs + 5 * SIZE);
  assert_ptr_equal(vgc_malloc_noscan(SIZE), theirs + 5 * SIZE);
  assert_ptr_equal(load_relaxed(&span->owner), cache_current);
}

static void allocate_and_free(void *arg) {
  char **objects = arg;
  (void)fill_one_span();
  allocate_three(objects);
  for (unsigned i = 0; i < 3; i++) vgc_free(objects[i]);
}

static void an_exiting_thread_gives_its_empty_spans_back(void **state) {
  (void)state;
  char *theirs[3];
  probe_in_thread(allocate_and_free, theirs);
  struct vgc_stats stats = stats_now();
  assert_int_equal(stats.live_objects, SLOTS);
  assert_int_equal(stats.objects_freed, 3);
  assert_int_equal(probe_recount().objects, SLOTS);
  assert_int_equal(stats.heap_bytes, sizeclass_table[sizeclass_of(SIZE)].pages * config.page_bytes);
}

static void nothing(void *arg) { *(void **)arg = cache_ensure(); }

static void caches_are_used_again(void **state) {
  (void)state;
  for (unsigned round = 0; round < 4; round++) {
    struct worker workers[3];
    struct cache *caches[3];
    for (unsigned i = 0; i < 3; i++) {
      worker_start(&workers[i]);
      worker_do(&workers[i], nothing, &caches[i]);
      assert_non_null(caches[i]);
    }
    assert_true(all_distinct((void *const *)caches, 3));
    for (unsigned i = 0; i < 3; i++) worker_stop(&workers[i]);
  }
  unsigned count = 0;
  for (const struct cache *cache = cache_all(); cache; cache = cache->next) count++;
  assert_int_equal(count, 3);
}

static void allocate_without_a_cache(void *arg) {
  fault_fail(FAULT_RESERVE, 0, ~0ul);
  errno = 0;
  void *object = vgc_malloc(16);
  *(int *)arg = object ? 0 : errno;
  fault_reset(NULL);
  must(vgc_malloc(16));
}

static void without_memory_for_a_cache_allocation_fails(void **state) {
  (void)state;
  assert_non_null(vgc_malloc(16));
  int error = 0;
  probe_in_thread(allocate_without_a_cache, &error);
  assert_int_equal(error, ENOMEM);
}

/* ---- What the collector may take ---- */

static unsigned taken;
static void take(struct span *span) { taken += span != NULL; }

static void the_collector_takes_what_can_be_spared(void **state) {
  (void)state;
  char *spans[4];
  for (unsigned i = 0; i < 4; i++) spans[i] = fill_one_span();
  vgc_free(spans[1]);              /* usable */
  unit_span(spans[2])->pinned = 1; /* its owner may be about to free there */
  struct cache *cache = cache_current;
  store_relaxed(&cache->busy, 1); /* its lists are halfway */
  assert_int_equal(cache_surrender(cache, take), 0);
  store_relaxed(&cache->busy, 0);
  taken = 0;
  assert_int_equal(cache_surrender(cache, take), 2);
  assert_int_equal(taken, 2);
  assert_null(load_relaxed(&unit_span(spans[0])->owner));
  assert_null(load_relaxed(&unit_span(spans[1])->owner));
  assert_ptr_equal(load_relaxed(&unit_span(spans[2])->owner), cache);
  assert_ptr_equal(load_relaxed(&unit_span(spans[3])->owner), cache); /* current */
}

static void collect_every_collects_at_every_nth_allocation(void **state) {
  (void)state;
  for (unsigned every = 1; every <= 5; every += 2) {
    struct vgc_config shape = unit_config(0);
    shape.collect_every = every;
    unit_start(&shape);
    for (unsigned i = 0; i < 30; i++) assert_non_null(vgc_malloc(16 + 16 * (i % 4)));
    assert_int_equal(stats_now().cycles, 30 / every);
    assert_int_equal(vgc_shutdown(), 0);
  }
}

UNIT(cache) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, unit_setup, unit_teardown)
  const struct CMUnitTest tests[] = {
      TEST(slots_come_from_the_current_span_first),
      TEST(then_from_what_came_free_in_it),
      TEST(then_from_the_threads_usable_spans),
      TEST(then_from_central_then_from_fresh_pages),
      TEST(kinds_do_not_share_spans),
      TEST(the_first_free_makes_a_full_span_usable),
      TEST(a_slot_freed_by_another_thread_is_found),
      TEST(slots_freed_elsewhere_into_the_current_span_are_found),
      TEST(all_slots_freed_elsewhere_come_back),
      TEST(double_frees_by_other_threads_are_seen),
      TEST(a_span_that_changes_hands_takes_its_returned_slots_along),
      TEST(passing_on_reaches_an_exhausted_span),
      TEST(an_exhausted_span_of_an_exited_thread_comes_back),
      TEST(an_exiting_thread_gives_its_empty_spans_back),
      TEST(caches_are_used_again),
      TEST(without_memory_for_a_cache_allocation_fails),
      TEST(the_collector_takes_what_can_be_spared),
      cmocka_unit_test_teardown(collect_every_collects_at_every_nth_allocation, unit_teardown),
  };
  return cmocka_run_group_tests_name("cache", tests, NULL, NULL);
}
