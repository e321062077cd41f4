#include "unit.h"

enum { PAGE = 8192, SMALL_MAX = 32768 };

static void *roots[4];

static int setup(void **state) {
  memset(roots, 0, sizeof roots);
  return unit_setup(state);
}

static void every_interior_address_finds_the_object(void **state) {
  (void)state;
  static const size_t sizes[] = {SMALL_MAX + 1, 5 * PAGE, 5 * PAGE + 1, 100000, 3 << 20};
  for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    char *object = vgc_malloc_noscan(sizes[i]);
    size_t usable = vgc_usable_size(object);
    assert_int_equal(usable, (sizes[i] + PAGE - 1) / PAGE * PAGE);
    for (size_t at = 0; at < usable; at += PAGE / 2) assert_ptr_equal(vgc_base_of(object + at), object);
    assert_ptr_equal(vgc_base_of(object + usable - 1), object);
    assert_ptr_not_equal(vgc_base_of(object + usable), object);
    assert_int_equal(vgc_usable_size(object + PAGE), 0);
  }
}

static void objects_are_zero_even_in_used_pages(void **state) {
  (void)state;
  for (unsigned round = 0; round < 3; round++) {
    unsigned char *object = vgc_malloc(10 * PAGE);
    for (size_t i = 0; i < 10 * PAGE; i++) assert_int_equal(object[i], 0);
    memset(object, 0xee, 10 * PAGE);
    vgc_free(object);
  }
  assert_true(vgc_trim() >= 10 * PAGE);
  const unsigned char *object = vgc_malloc(10 * PAGE);
  for (size_t i = 0; i < 10 * PAGE; i++) assert_int_equal(object[i], 0);
}

static void objects_begin_aligned(void **state) {
  (void)state;
  for (size_t alignment = 1; alignment <= (size_t)4 << 20; alignment *= 2)
    for (size_t size = 1; size <= 100000; size = size * 7 + 3) {
      char *object = vgc_aligned_alloc(alignment, size);
      assert_non_null(object);
      assert_int_equal((uintptr_t)object % alignment, 0);
      assert_true(vgc_usable_size(object) >= size);
      for (size_t i = 0; i < size; i++) assert_int_equal(object[i], 0);
      memset(object, 1, size);
      if (size % 2) vgc_free(object);
    }
}

static void a_freed_object_is_gone(void **state) {
  (void)state;
  unit_keep_errors();
  char *object = vgc_malloc(100000);
  unit_expect_error(VGC_ERROR_FREE_INTERIOR, object + 8, vgc_free(object + 8));
  unit_expect_error(VGC_ERROR_FREE_INTERIOR, object + PAGE, vgc_free(object + PAGE));
  vgc_free(object);
  assert_null(vgc_base_of(object));
  unit_expect_error(VGC_ERROR_FREE_STALE, object, vgc_free(object));
  struct vgc_stats stats = stats_now();
  assert_int_equal(stats.live_objects, 0);
  assert_int_equal(stats.objects_freed, 1);
  assert_int_equal(stats.bytes_freed, (100000 + PAGE - 1) / PAGE * PAGE);
}

/* Two threads that have both found the span: the second is told. */
static void of_two_frees_at_once_one_is_refused(void **state) {
  (void)state;
  char *object = vgc_malloc(100000);
  struct span *span = unit_span(object);
  assert_true(large_free(span, object));
  assert_false(large_free(span, object));
}

static void the_collector_sweeps_what_is_not_marked(void **state) {
  (void)state;
  unit_roots(roots, 4);
  char *kept = vgc_malloc(100000), *dead = vgc_malloc(200000), *inner = vgc_malloc_noscan(300000);
  *(char **)(kept + 99984) = inner + 150000;
  roots[0] = kept + 50000;
  uint64_t heap = stats_now().heap_bytes;
  unit_collect();
  assert_true(unit_alive(kept) && unit_alive(inner));
  assert_false(unit_alive(dead));
  struct vgc_stats stats = stats_now();
  assert_int_equal(stats.objects_swept, 1);
  assert_int_equal(stats.bytes_swept, (200000 + PAGE - 1) / PAGE * PAGE);
  assert_int_equal(stats.heap_bytes, heap - stats.bytes_swept);
  roots[0] = NULL;
  unit_collect();
  assert_false(unit_alive(kept) || unit_alive(inner));
  assert_int_equal(stats_now().heap_bytes, 0);
}

static void an_unswept_object_can_be_freed(void **state) {
  (void)state;
  unit_roots(roots, 4);
  roots[0] = vgc_malloc(100000);
  assert_int_equal(vgc_collect(), 0);
  assert_int_equal(span_state(unit_span(roots[0])), SPAN_UNSWEPT);
  vgc_free(roots[0]);
  assert_false(unit_alive(roots[0]));
  roots[0] = NULL;
  assert_non_null(vgc_malloc(100000));
  unit_collect();
  struct vgc_stats stats = stats_now();
  assert_int_equal(stats.live_objects, 0);
  assert_int_equal(stats.objects_freed, 1);
  assert_int_equal(stats.objects_swept, 1);
  assert_int_equal(stats.heap_bytes, 0);
}

static void sizes_beyond_everything_are_refused(void **state) {
  (void)state;
  static const size_t sizes[] = {SIZE_MAX,        SIZE_MAX - 1,    SIZE_MAX - PAGE, PTRDIFF_MAX,
                                 (size_t)1 << 62, (size_t)1 << 47, (size_t)1 << 45};
  for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    volatile size_t size = sizes[i];
    errno = 0;
    assert_null(vgc_malloc(size));
    assert_int_equal(errno, ENOMEM);
    assert_null(vgc_malloc_noscan(size));
    assert_null(vgc_malloc_uncollectable(size));
    assert_null(vgc_aligned_alloc(4096, size));
    assert_null(vgc_aligned_alloc((size_t)1 << 63, size));
  }
  assert_int_equal(stats_now().heap_bytes, 0);
}

static void large_objects_grow_and_shrink(void **state) {
  (void)state;
  char *object = vgc_malloc(40000);
  for (size_t i = 0; i < 40000; i++) object[i] = (char)(i % 127);
  for (size_t size = 50000; size < 1 << 20; size *= 2) {
    object = vgc_realloc(object, size);
    assert_non_null(object);
    for (size_t i = 0; i < 40000; i++) assert_int_equal(object[i], (char)(i % 127));
    for (size_t i = 40000; i < size; i++) assert_int_equal(object[i], 0);
  }
  object = vgc_realloc(object, 100);
  for (size_t i = 0; i < 100; i++) assert_int_equal(object[i], (char)(i % 127));
  assert_int_equal(stats_now().live_objects, 1);
  assert_true(stats_now().live_bytes < 200);
}

UNIT(large) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, unit_teardown)
  const struct CMUnitTest tests[] = {
      TEST(every_interior_address_finds_the_object),
      TEST(objects_are_zero_even_in_used_pages),
      TEST(objects_begin_aligned),
      TEST(a_freed_object_is_gone),
      TEST(of_two_frees_at_once_one_is_refused),
      TEST(the_collector_sweeps_what_is_not_marked),
      TEST(an_unswept_object_can_be_freed),
      TEST(sizes_beyond_everything_are_refused),
      TEST(large_objects_grow_and_shrink),
  };
  return cmocka_run_group_tests_name("large", tests, NULL, NULL);
}
