/* Layouts last for the process; each test registers its own. */
#include "unit.h"

static vgc_layout_id add(size_t size, const uint64_t *words, const char *name) {
  return vgc_layout_register(&(struct vgc_layout){.size = size, .pointer_words = words, .name = name});
}

static void bad_layouts_are_refused(void **state) {
  (void)state;
  const uint64_t words[] = {1};
  const struct vgc_layout rows[] = {{.size = 0, .pointer_words = words},
                                    {.size = 1, .pointer_words = words},
                                    {.size = 12, .pointer_words = words},
                                    {.size = SIZE_MAX, .pointer_words = words},
                                    {.size = 16, .pointer_words = NULL}};
  for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
    errno = 0;
    assert_int_equal(vgc_layout_register(&rows[i]), 0);
    assert_int_equal(errno, EINVAL);
  }
  errno = 0;
  assert_int_equal(vgc_layout_register(NULL), 0);
  assert_int_equal(errno, EINVAL);
}

static void what_is_registered_is_a_copy(void **state) {
  (void)state;
  uint64_t words[] = {0x8000000000000005, 0x3};
  char name[] = "pair";
  vgc_layout_id id = add(66 * 8, words, name), nameless = add(8, words, NULL);
  words[0] = words[1] = 0;
  name[0] = 0;
  const struct layout *layout = layout_of(id);
  assert_int_equal(layout->words, 66);
  assert_int_equal(layout->bits[0], 0x8000000000000005);
  assert_int_equal(layout->bits[1], 0x3);
  assert_string_equal(layout->name, "pair");
  assert_string_equal(layout_of(nameless)->name, "");
}

static void unknown_ids_name_nothing(void **state) {
  (void)state;
  const uint64_t words[] = {1};
  vgc_layout_id last = add(8, words, NULL);
  const vgc_layout_id unknown[] = {0, last + 1, last + 100, 1 << 20, 0x7fffffff, 0xffffffff};
  for (unsigned i = 0; i < sizeof unknown / sizeof *unknown; i++) {
    assert_null(layout_of(unknown[i]));
    errno = 0;
    assert_null(vgc_malloc_typed(unknown[i], 1));
    assert_int_equal(errno, EINVAL);
  }
}

/* Past the first chunk of 64 and the second of 128. */
static void the_table_grows_chunk_by_chunk(void **state) {
  (void)state;
  enum { COUNT = 300 };
  vgc_layout_id ids[COUNT];
  for (unsigned i = 0; i < COUNT; i++) {
    const uint64_t words[] = {i + 1};
    ids[i] = add(8 * (1 + i % 64), words, "x");
    assert_int_not_equal(ids[i], 0);
    if (i) assert_int_equal(ids[i], ids[i - 1] + 1);
  }
  for (unsigned i = 0; i < COUNT; i++) {
    assert_int_equal(layout_of(ids[i])->words, 1 + i % 64);
    assert_int_equal(layout_of(ids[i])->bits[0], (i + 1) & bitmap_valid(1 + i % 64, 0));
  }
}

static void a_layout_may_be_larger_than_the_room_for_many(void **state) {
  (void)state;
  enum { WORDS = 10000 };
  static uint64_t words[WORDS];
  for (unsigned i = 0; i < WORDS; i++) words[i] = i * UINT64_C(0x9e3779b97f4a7c15);
  const struct layout *layout = layout_of(add((size_t)WORDS * 64 * 8, words, "huge"));
  assert_non_null(layout);
  assert_memory_equal(layout->bits, words, sizeof words);
  assert_string_equal(layout->name, "huge");
}

static void without_memory_registration_fails_and_can_be_repeated(void **state) {
  (void)state;
  enum { WORDS = 9000 };
  static uint64_t words[WORDS];
  fault_fail(FAULT_RESERVE, 0, ~0ul);
  errno = 0;
  assert_int_equal(add((size_t)WORDS * 64 * 8, words, NULL), 0);
  assert_int_equal(errno, ENOMEM);
  /* Small ones go on until room or chunk is used up, then fail likewise. */
  vgc_layout_id id = 0;
  for (unsigned i = 0; i < 100000 && (id = add(8, words, NULL)); i++) {
  }
  assert_int_equal(id, 0);
  assert_int_equal(errno, ENOMEM);
  fault_reset(state);
  assert_int_not_equal(add(8, words, NULL), 0);
}

static void typed_arrays_are_zero_and_as_long_as_asked(void **state) {
  (void)state;
  const uint64_t words[] = {2};
  vgc_layout_id id = add(24, words, "triple");
  for (size_t count = 0; count < 3000; count = count * 2 + 1) {
    unsigned char *array = vgc_malloc_typed(id, count);
    assert_non_null(array);
    assert_true(vgc_usable_size(array) >= 24 * count);
    for (size_t i = 0; i < 24 * count; i++) assert_int_equal(array[i], 0);
    memset(array, 0xff, 24 * count);
    vgc_free(array);
  }
}

static void typed_sizes_that_overflow_are_refused(void **state) {
  (void)state;
  const uint64_t words[] = {2};
  vgc_layout_id id = add(24, words, "triple"), byte = add(8, words, NULL);
  static const size_t counts[] = {SIZE_MAX, SIZE_MAX / 24 + 1, SIZE_MAX / 24, SIZE_MAX / 48, (size_t)1 << 59};
  for (unsigned i = 0; i < sizeof counts / sizeof *counts; i++) {
    errno = 0;
    assert_null(vgc_malloc_typed(id, counts[i]));
    assert_int_equal(errno, ENOMEM);
  }
  assert_null(vgc_malloc_typed(byte, SIZE_MAX / 8));
  assert_null(vgc_malloc_typed(byte, SIZE_MAX / 8 - 1));
}

/* The object keeps its layout, and with it what is scanned, wherever it moves. */
static void a_resized_typed_object_keeps_its_layout(void **state) {
  (void)state;
  static void *roots[1];
  unit_roots(roots, 1);
  const uint64_t words[] = {1};
  vgc_layout_id id = add(16, words, "pair"); /* word 0 is a pointer, word 1 is not */
  void **array = vgc_malloc_typed(id, 2);
  array[2] = vgc_malloc(32);
  array[3] = vgc_malloc(32);
  array = vgc_realloc(array, 16 * 500);
  assert_non_null(array);
  for (size_t i = 4; i < 1000; i++) assert_null(array[i]);
  array[998] = vgc_malloc(32);
  array[999] = vgc_malloc(32);
  roots[0] = array;
  unit_collect();
  assert_true(unit_alive(array) && unit_alive(array[2]) && unit_alive(array[998]));
  assert_false(unit_alive(array[3]) || unit_alive(array[999]));
  void *second = array[2];
  array = vgc_realloc(array, 16 * 2);
  roots[0] = array;
  unit_collect();
  assert_true(unit_alive(array) && unit_alive(second));
  roots[0] = NULL;
}

UNIT(layout) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, unit_setup, unit_teardown)
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(bad_layouts_are_refused),
      TEST(what_is_registered_is_a_copy),
      TEST(unknown_ids_name_nothing),
      TEST(the_table_grows_chunk_by_chunk),
      TEST(a_layout_may_be_larger_than_the_room_for_many),
      TEST(without_memory_registration_fails_and_can_be_repeated),
      TEST(typed_arrays_are_zero_and_as_long_as_asked),
      TEST(typed_sizes_that_overflow_are_refused),
      TEST(a_resized_typed_object_keeps_its_layout),
  };
  return cmocka_run_group_tests_name("layout", tests, NULL, NULL);
}
