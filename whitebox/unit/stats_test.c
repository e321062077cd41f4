/* The counters against a walk over every slot of the heap. */
#include "unit.h"

enum { OBJECTS = 400, STEPS = 6000 };
static void *roots[OBJECTS];

static int setup(void **state) {
  memset(roots, 0, sizeof roots);
  int result = unit_setup(state);
  unit_roots(roots, OBJECTS);
  return result;
}

static void sum_pages(struct span *span, void *arg) { *(uint64_t *)arg += (uint64_t)span->pages * config.page_bytes; }

static void assert_exact(void) {
  struct vgc_stats stats = stats_now();
  struct probe_count count = probe_recount();
  assert_int_equal(stats.live_objects, count.objects);
  assert_int_equal(stats.live_bytes, count.bytes);
  assert_int_equal(stats.live_objects, stats.objects_allocated - stats.objects_freed - stats.objects_swept);
  assert_int_equal(stats.live_bytes, stats.bytes_allocated - stats.bytes_freed - stats.bytes_swept);
  uint64_t pages = 0;
  lock_acquire(&heap_lock);
  span_each(sum_pages, &pages);
  lock_release(&heap_lock);
  assert_int_equal(stats.heap_bytes, pages);
  assert_int_equal(vgc_allocated_bytes(), stats.bytes_allocated);
  assert_int_equal(vgc_heap_bytes(), stats.heap_bytes + stats.free_bytes);
  struct vgc_stats peek = {.struct_size = sizeof peek, .live_bytes = 1};
  assert_int_equal(vgc_peek_stats(&peek), 0);
  assert_int_equal(peek.bytes_allocated, stats.bytes_allocated);
  assert_int_equal(peek.marked_bytes, stats.marked_bytes);
  assert_int_equal(peek.heap_bytes, stats.heap_bytes);
  assert_int_equal(peek.free_bytes, stats.free_bytes);
  assert_int_equal(peek.trigger_bytes, stats.trigger_bytes);
  assert_int_equal(peek.live_bytes, 0);
  assert_true(stats.peak_heap_bytes >= stats.heap_bytes);
}

static vgc_layout_id layout;

static void *allocate(uint64_t dice) {
  size_t size = (dice >> 8) % (dice >> 32 & 15 ? 600 : 90000);
  switch (dice >> 40 & 7) {
  case 0:
    return vgc_malloc_noscan(size);
  case 1:
    return vgc_malloc_typed(layout, size / 16);
  case 2:
    return vgc_aligned_alloc((size_t)16 << (dice >> 48 & 7), size);
  default:
    return vgc_malloc(size);
  }
}

static void free_in_thread(void *arg) { vgc_free(*(void **)arg); }

static void step(uint64_t dice) {
  void **slot = &roots[dice % OBJECTS];
  if (!*slot) {
    *slot = allocate(dice);
  } else if (dice >> 60 & 1) {
    *slot = vgc_realloc(*slot, 1 + (dice >> 8) % 2000);
  } else if (dice >> 56 & 1) {
    vgc_free(*slot);
    *slot = NULL;
  } else if ((dice >> 50 & 63) == 0) {
    probe_in_thread(free_in_thread, slot);
    *slot = NULL;
  } else {
    *slot = NULL; /* for the collector */
  }
}

static void counters_agree_with_a_recount(void **state) {
  (void)state;
  const uint64_t words[] = {1};
  layout = vgc_layout_register(&(struct vgc_layout){.size = 16, .pointer_words = words});
  uint64_t random = 42;
  for (unsigned i = 0; i < STEPS; i++) {
    step(unit_random(&random));
    if (i % 500 == 0) assert_int_equal(vgc_collect(), 0);
    if (i % 100 == 0) assert_exact();
  }
  memset(roots, 0, sizeof roots);
  unit_collect();
  assert_exact();
  assert_int_equal(stats_now().live_objects, 0);
}

static void allocate_some(void *arg) {
  void **objects = arg;
  for (unsigned i = 0; i < 50; i++) objects[i] = vgc_malloc(16 + 16 * (i % 5));
  for (unsigned i = 0; i < 50; i += 2) {
    vgc_free(objects[i]);
    objects[i] = NULL;
  }
}

static void exited_threads_stay_counted(void **state) {
  (void)state;
  for (unsigned i = 0; i < 5; i++) {
    probe_in_thread(allocate_some, roots + 50 * i);
    assert_exact();
    assert_int_equal(stats_now().objects_allocated, 50 * (i + 1));
    assert_int_equal(stats_now().objects_freed, 25 * (i + 1));
  }
  unit_collect();
  assert_exact();
  assert_int_equal(stats_now().live_objects, 125);
}

static void nothing(void *arg) { (void)arg; }

static void cycles_and_pauses_are_counted(void **state) {
  (void)state;
  struct worker worker;
  worker_start(&worker);
  worker_do(&worker, nothing, NULL); /* it runs */
  for (unsigned i = 1; i <= 3; i++) {
    assert_int_equal(vgc_collect(), 0);
    struct vgc_stats stats = stats_now();
    assert_int_equal(stats.cycles, i);
    assert_int_equal(stats.stops, i);
    assert_int_equal(stats.suspensions, i);
    assert_int_equal(stats.threads, 2);
    assert_true(stats.pause_ns_last > 0 && stats.pause_ns_last <= stats.pause_ns_max);
    assert_true(stats.pause_ns_max <= stats.pause_ns_total);
  }
  worker_stop(&worker);
  assert_int_equal(stats_now().threads, 1);
}

static void marked_bytes_are_what_was_reached(void **state) {
  (void)state;
  roots[0] = vgc_malloc(100);
  roots[1] = vgc_malloc(100000);
  (void)!vgc_malloc(5000);
  assert_int_equal(vgc_collect(), 0);
  struct vgc_stats stats = stats_now();
  assert_int_equal(stats.marked_bytes, vgc_usable_size(roots[0]) + vgc_usable_size(roots[1]));
  assert_true(stats.trigger_bytes >= config.minimum_heap);
  assert_int_equal(stats.arenas, 1);
  assert_true(stats.metadata_bytes > sizeof(struct cache));
}

/* Of objects of 8 bytes it is more: three bits of bitmaps for each are 5 %. */
static void metadata_grows_by_3_percent_of_the_heap_at_most(void **state) {
  (void)state;
  static const size_t sizes[] = {16, 32, 48, 64, 80, 96, 112, 128, 144, 256, 272, 512, 1000, 4000, 30000};
  for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    struct vgc_stats before = stats_now();
    for (size_t bytes = 0; bytes < (size_t)4 << 20; bytes += sizes[i]) assert_non_null(vgc_malloc_noscan(sizes[i]));
    struct vgc_stats after = stats_now();
    uint64_t heap = after.heap_bytes - before.heap_bytes, metadata = after.metadata_bytes - before.metadata_bytes;
    assert_true(heap >= (uint64_t)4 << 20);
    if (metadata * 100 > heap * 3)
      fail_msg("size %zu: %llu bytes for %llu", sizes[i], (unsigned long long)metadata, (unsigned long long)heap);
  }
  assert_int_equal(stats_now().cycles, 0);
}

static void structures_of_another_size(void **state) {
  (void)state;
  assert_non_null(roots[0] = vgc_malloc(100));
  errno = 0;
  assert_int_equal(vgc_get_stats(NULL), -1);
  assert_int_equal(errno, EINVAL);
  struct vgc_stats stats;
  for (size_t size = 0; size < sizeof stats.struct_size; size++) {
    memset(&stats, 0xee, sizeof stats);
    stats.struct_size = size;
    errno = 0;
    assert_int_equal(vgc_get_stats(&stats), -1);
    assert_int_equal(errno, EINVAL);
  }
  /* An older program gets what it knows, a newer one what there is. */
  memset(&stats, 0xee, sizeof stats);
  stats.struct_size = offsetof(struct vgc_stats, stops);
  assert_int_equal(vgc_get_stats(&stats), 0);
  assert_int_equal(stats.cycles, 0);
  assert_int_equal(stats.stops, 0xeeeeeeeeeeeeeeee);
  struct {
    struct vgc_stats known;
    uint64_t unknown;
  } newer = {.known = {.struct_size = sizeof newer}, .unknown = 7};
  assert_int_equal(vgc_get_stats(&newer.known), 0);
  assert_int_equal(newer.known.live_objects, 1);
  assert_int_equal(newer.unknown, 7);
}

UNIT(stats) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, unit_teardown)
  const struct CMUnitTest tests[] = {
      TEST(counters_agree_with_a_recount),
      TEST(exited_threads_stay_counted),
      TEST(cycles_and_pauses_are_counted),
      TEST(marked_bytes_are_what_was_reached),
      TEST(metadata_grows_by_3_percent_of_the_heap_at_most),
      TEST(structures_of_another_size),
  };
  return cmocka_run_group_tests_name("stats", tests, NULL, NULL);
}
