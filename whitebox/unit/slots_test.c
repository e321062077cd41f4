/* Every slot of every class, walked whole, by the public functions. */
#include "unit.h"

enum { SLOTS_MAX = 8192 };
static char *objects[SLOTS_MAX];

static int start(size_t page_bytes) {
  struct vgc_config shape = unit_config(page_bytes);
  unit_start(&shape);
  unit_keep_errors();
  return 0;
}

static int setup_1k(void **state) { return (void)state, start(1024); }
static int setup_8k(void **state) { return (void)state, start(8192); }
static int setup_64k(void **state) { return (void)state, start(65536); }

static void *allocate(enum kind kind, size_t size) {
  switch (kind) {
  case KIND_NOSCAN:
    return vgc_malloc_noscan(size);
  case KIND_UNCOLLECTABLE:
    return vgc_malloc_uncollectable(size);
  case KIND_UNCOLLECTABLE_NOSCAN:
    return vgc_malloc_uncollectable_noscan(size);
  default:
    return vgc_malloc(size);
  }
}

/* The first span of the class, whole: distinct slots of one span, in order of address. */
static void fill(const struct sizeclass *class, enum kind kind) {
  const struct span *span = NULL;
  for (uint32_t slot = 0; slot < class->slots; slot++) {
    char *object = objects[slot] = allocate(kind, class->size);
    assert_non_null(object);
    if (!span) span = unit_span(object);
    assert_ptr_equal(unit_span(object), span);
    assert_ptr_equal(object, (char *)span->base + (size_t)slot * class->size);
    assert_int_equal((uintptr_t)object % (class->size >= 16 ? 16 : 8), 0);
  }
}

static void look_at(const char *object, const struct sizeclass *class) {
  assert_int_equal(vgc_usable_size(object), class->size);
  assert_int_equal(vgc_usable_size(object + 1), 0);
  assert_ptr_equal(vgc_base_of(object), object);
  assert_ptr_equal(vgc_base_of(object + class->size / 2), object);
  assert_ptr_equal(vgc_base_of(object + class->size - 1), object);
}

/* Freed alone in a full span, a slot is the next to be issued. */
static void free_and_issue(char *object, const struct sizeclass *class, enum kind kind) {
  memset(object, 0xa5, class->size);
  vgc_free(object);
  assert_null(vgc_base_of(object));
  assert_int_equal(vgc_usable_size(object), 0);
  unit_expect_error(VGC_ERROR_DOUBLE_FREE, object, vgc_free(object));
  if (class->size > 8) unit_expect_error(VGC_ERROR_FREE_INTERIOR, object + 8, vgc_free(object + 8));
  const char *again = allocate(kind, class->size);
  assert_ptr_equal(again, object);
  for (size_t i = 0; !kind_is_noscan(kind) && i < class->size; i++) assert_int_equal(again[i], 0);
}

static void walk(enum kind kind) {
  for (unsigned i = 0; i < SIZECLASS_COUNT; i++) {
    const struct sizeclass *class = &sizeclass_table[i];
    assert_true(class->slots <= SLOTS_MAX);
    fill(class, kind);
    for (uint32_t slot = 0; slot < class->slots; slot++) look_at(objects[slot], class);
    for (uint32_t slot = 0; slot < class->slots; slot++) free_and_issue(objects[slot], class, kind);
    for (uint32_t slot = 0; slot < class->slots; slot++)
      vgc_free(objects[slot % 2 ? class->slots - 1 - slot / 2 : slot / 2]); /* from both ends */
  }
  struct vgc_stats stats = stats_now();
  assert_int_equal(stats.live_objects, 0);
  assert_int_equal(stats.live_bytes, 0);
}

static void scanned(void **state) { walk(((void)state, KIND_SCAN)); }
static void pointer_free(void **state) { walk(((void)state, KIND_NOSCAN)); }
static void uncollectable(void **state) { walk(((void)state, KIND_UNCOLLECTABLE)); }
static void uncollectable_pointer_free(void **state) { walk(((void)state, KIND_UNCOLLECTABLE_NOSCAN)); }

/* What is past the last slot of a span is no object, though the span covers it. */
static void the_tail_of_a_span_is_no_object(void **state) {
  (void)state;
  for (unsigned i = 0; i < SIZECLASS_COUNT; i++) {
    const struct sizeclass *class = &sizeclass_table[i];
    const struct span *span = unit_span(vgc_malloc_noscan(class->size));
    char *tail = (char *)span->base + (size_t) class->slots * class->size;
    if (tail == (char *)span->base + span->pages * config.page_bytes) continue;
    assert_null(vgc_base_of(tail));
    assert_int_equal(vgc_usable_size(tail), 0);
    unit_expect_error(VGC_ERROR_FREE_STALE, tail, vgc_free(tail));
  }
}

UNIT(slots) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(scanned, setup_8k, unit_teardown),
      cmocka_unit_test_setup_teardown(pointer_free, setup_8k, unit_teardown),
      cmocka_unit_test_setup_teardown(uncollectable, setup_8k, unit_teardown),
      cmocka_unit_test_setup_teardown(uncollectable_pointer_free, setup_8k, unit_teardown),
      cmocka_unit_test_setup_teardown(scanned, setup_1k, unit_teardown),
      cmocka_unit_test_setup_teardown(pointer_free, setup_64k, unit_teardown),
      cmocka_unit_test_setup_teardown(the_tail_of_a_span_is_no_object, setup_8k, unit_teardown),
  };
  return cmocka_run_group_tests_name("slots", tests, NULL, NULL);
}
