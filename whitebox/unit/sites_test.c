/* Each public function that allocates or frees has a fast path of its own compiled in: each is taken through the first
 * use of a class, the way with a slot at hand, and the end of a span, for a size of each way to zero. */
#include "unit.h"

static void *plain(size_t size) { return vgc_malloc(size); }
static void *noscan(size_t size) { return vgc_malloc_noscan(size); }
static void *uncollectable(size_t size) { return vgc_malloc_uncollectable(size); }
static void *counted(size_t size) { return vgc_calloc(1, size); }
static void *aligned_8(size_t size) { return vgc_aligned_alloc(8, size); }
static void *aligned_64(size_t size) { return vgc_aligned_alloc(64, size); }
static void *from_null(size_t size) { return vgc_realloc(NULL, size); }
static const char source[65536];
static void *copied(size_t size) { return vgc_memdup(source, size); }
static char text[65536];
static void *duplicated(size_t size) {
  memset(text, 'x', size - 1);
  text[size - 1] = 0;
  return vgc_strdup(text);
}
static vgc_layout_id layout;
static void *typed(size_t size) { return vgc_malloc_typed(layout, size / 8); }
/* One too small to stay: the new one is made like the old one. */
static void *grown(size_t size) { return vgc_realloc(vgc_malloc(size > 64 ? size / 4 : 1), size); }
static void *grown_noscan(size_t size) { return vgc_realloc(vgc_malloc_noscan(size > 64 ? size / 4 : 1), size); }
static void *grown_typed(size_t size) { return vgc_realloc(vgc_malloc_typed(layout, size / 64), size); }

static const struct {
  const char *name;
  void *(*allocate)(size_t);
  bool zeroed;
} sites[] = {{"vgc_malloc", plain, true},
             {"vgc_malloc_noscan", noscan, false},
             {"vgc_malloc_uncollectable", uncollectable, true},
             {"vgc_calloc", counted, true},
             {"vgc_aligned_alloc 8", aligned_8, true},
             {"vgc_aligned_alloc 64", aligned_64, true},
             {"vgc_realloc NULL", from_null, true},
             {"vgc_memdup", copied, true},
             {"vgc_strdup", duplicated, false},
             {"vgc_malloc_typed", typed, true},
             {"vgc_realloc", grown, true},
             {"vgc_realloc noscan", grown_noscan, false},
             {"vgc_realloc typed", grown_typed, true}};
enum { SITES = sizeof sites / sizeof *sites };

static const size_t sizes[] = {8, 16, 64, 256, 272, 1024, 1032, 5000, 32768, 40000};
enum { SIZES = sizeof sizes / sizeof *sizes, COUNT = 150 };

static void *objects[COUNT];

static int setup(void **state) {
  static const uint64_t words[] = {1};
  int result = unit_setup(state);
  layout = vgc_layout_register(&(struct vgc_layout){.size = 8, .pointer_words = words});
  return result;
}

/* Fills slots with rubbish and gives them back, so that zero is no accident. */
static void soil(size_t size) {
  for (unsigned i = 0; i < COUNT; i++) memset(objects[i], 0xa5, size);
  for (unsigned i = 0; i < COUNT; i++) vgc_free(objects[i]);
}

static void allocate_and_look(unsigned site, size_t size) {
  for (unsigned i = 0; i < COUNT; i++) {
    unsigned char *object = objects[i] = sites[site].allocate(size);
    assert_non_null(object);
    assert_int_equal((uintptr_t)object % (size < 16 ? 8 : 16), 0);
    if (vgc_usable_size(object) < size)
      fail_msg("%s(%zu): %zu usable", sites[site].name, size, vgc_usable_size(object));
    if (sites[site].zeroed && memcmp(object, source, size) != 0) fail_msg("%s(%zu): not zero", sites[site].name, size);
  }
  assert_true(all_distinct(objects, COUNT));
}

static void each_function_allocates_each_size(void **state) {
  for (unsigned site = 0; site < SITES; site++) {
    unit_teardown(state); /* so that each comes first once */
    setup(state);
    for (unsigned i = 0; i < SIZES; i++)
      for (unsigned round = 0; round < 2; round++) {
        allocate_and_look(site, sizes[i]);
        soil(sizes[i]);
      }
    assert_int_equal(stats_now().live_objects, 0);
  }
}

/* ---- Frees: vgc_free, vgc_realloc to nothing, vgc_realloc to another place ---- */

static void by_free(void *ptr) { vgc_free(ptr); }
static void by_zero(void *ptr) { assert_null(vgc_realloc(ptr, 0)); }
static void by_move(void *ptr) { vgc_free(vgc_realloc(ptr, 3 * vgc_usable_size(ptr))); }
static void (*const frees[])(void *) = {by_free, by_zero, by_move};

struct step {
  void (*free)(void *);
  void *ptr;
};

static void free_elsewhere(void *arg) {
  const struct step *step = arg;
  step->free(step->ptr);
}

static void each_way_to_free_serves_each_place(void **state) {
  (void)state;
  for (unsigned way = 0; way < 3; way++)
    for (unsigned i = 0; i < SIZES; i++) {
      for (unsigned j = 0; j < COUNT; j++) objects[j] = vgc_malloc(sizes[i]);
      struct step step = {frees[way], objects[1]};
      probe_in_thread(free_elsewhere, &step);
      assert_false(unit_alive(objects[1]));
      for (unsigned j = 0; j < COUNT; j++) {
        if (j == 1) continue;
        frees[way](objects[j]); /* the first of a full span, the others, the current span's */
        assert_false(unit_alive(objects[j]));
      }
      assert_int_equal(stats_now().live_objects, 0);
    }
}

/* A slot of another arena is found by all of them. */
static void every_arena_serves_each_function(void **state) {
  (void)state;
  unit_teardown(state);
  struct vgc_config small = unit_config(0);
  small.arena_bytes = 256 << 10;
  unit_start(&small);
  for (unsigned i = 0; i < 80; i++) objects[i] = vgc_malloc(32768);
  assert_true(load_relaxed(&arenas_count) > 2);
  for (unsigned i = 0; i < 80; i++) {
    assert_ptr_equal(vgc_base_of((char *)objects[i] + 100), objects[i]);
    assert_int_equal(vgc_usable_size(objects[i]), 32768);
    frees[i % 3](objects[i]);
    assert_false(unit_alive(objects[i]));
  }
}

/* ---- Shrinking and growing in place ---- */

static void what_is_given_up_is_zero_when_it_comes_back(void **state) {
  (void)state;
  for (size_t size = 64; size <= 100000; size *= 3) {
    unsigned char *object = vgc_malloc(size);
    memset(object, 0xff, size);
    size_t smaller = size - size / 4;
    assert_ptr_equal(vgc_realloc(object, smaller), object);
    assert_ptr_equal(vgc_realloc(object, size), object);
    for (size_t i = 0; i < size; i++) assert_int_equal(object[i], i < smaller ? 0xff : 0);
  }
}

UNIT(sites) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, unit_teardown)
  const struct CMUnitTest tests[] = {
      TEST(each_function_allocates_each_size),
      TEST(each_way_to_free_serves_each_place),
      TEST(every_arena_serves_each_function),
      TEST(what_is_given_up_is_zero_when_it_comes_back),
  };
  return cmocka_run_group_tests_name("sites", tests, NULL, NULL);
}
