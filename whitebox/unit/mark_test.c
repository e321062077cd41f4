/* What the marker finds. The roots are the words of `roots` alone, so what lives and dies is exact. */
#include "unit.h"

enum { ROOTS = 8, PIECE = 4096 };
static void *roots[ROOTS];

static int start(struct vgc_config given) {
  memset(roots, 0, sizeof roots);
  unit_start(&given);
  unit_roots(roots, ROOTS);
  return 0;
}

static int setup(void **state) { return (void)state, start(unit_config(0)); }

/* ---- Kinds ---- */

static void scanned_words_keep_what_they_point_to(void **state) {
  (void)state;
  static const size_t sizes[] = {8, 16, 48, 256, 1000, 32768, 40000, 200000};
  for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++)
    for (unsigned end = 0; end < 2; end++) {
      char *parent = vgc_malloc(sizes[i]);
      char *child = vgc_malloc_noscan(24);
      memcpy(parent + (end ? sizes[i] / 8 * 8 - 8 : 0), &child, sizeof child);
      roots[0] = parent;
      unit_collect();
      assert_true(unit_alive(parent));
      assert_true(unit_alive(child));
      roots[0] = NULL;
      unit_collect();
      assert_false(unit_alive(parent));
      assert_false(unit_alive(child));
    }
}

static void pointer_free_objects_keep_nothing(void **state) {
  (void)state;
  void **parent = vgc_malloc_noscan(64), *child = vgc_malloc(64);
  parent[0] = child;
  roots[0] = parent;
  unit_collect();
  assert_true(unit_alive(parent));
  assert_false(unit_alive(child));
}

static void uncollectable_objects_are_roots_until_freed(void **state) {
  (void)state;
  static const size_t sizes[] = {8, 64, 5000, 100000};
  for (unsigned i = 0; i < 4; i++) {
    void **parent = vgc_malloc_uncollectable(sizes[i]), *child = vgc_malloc(64);
    parent[0] = child;
    unit_collect();
    assert_true(unit_alive(parent));
    assert_true(unit_alive(child));
    vgc_free(parent);
    unit_collect();
    assert_false(unit_alive(child));
  }
}

static void they_may_be_pointer_free(void **state) {
  (void)state;
  static const size_t sizes[] = {8, 64, 5000, 100000};
  for (unsigned i = 0; i < 4; i++) {
    void **parent = vgc_malloc_uncollectable_noscan(sizes[i]), *child = vgc_malloc(64);
    parent[0] = child;
    unit_collect();
    assert_true(unit_alive(parent));
    assert_false(unit_alive(child));
    parent = vgc_realloc(parent, sizes[i] * 4);
    unit_collect();
    assert_true(unit_alive(parent));
    assert_ptr_equal(parent[0], child);
    vgc_free(parent);
    assert_false(unit_alive(parent));
  }
}

/* Which words of an element are pointers, for every word of elements up to 70 words. */
static void only_a_layouts_pointer_words_are_scanned(void **state) {
  (void)state;
  static const size_t words[] = {1, 2, 3, 7, 64, 65, 70};
  for (unsigned i = 0; i < sizeof words / sizeof *words; i++)
    for (size_t pointer = 0; pointer<words[i]; pointer += words[i]> 8 ? 13 : 1) {
      uint64_t bits[2] = {0, 0};
      bits[pointer / 64] = UINT64_C(1) << pointer % 64;
      vgc_layout_id id = vgc_layout_register(&(struct vgc_layout){.size = words[i] * 8, .pointer_words = bits});
      void **array = vgc_malloc_typed(id, 3);
      for (size_t word = 0; word < 3 * words[i]; word++) array[word] = vgc_malloc_noscan(16);
      roots[0] = array;
      unit_collect();
      for (size_t word = 0; word < 3 * words[i]; word++)
        assert_int_equal(unit_alive(array[word]), word % words[i] == pointer);
    }
}

/* Objects of one class but different layouts, side by side (V08). */
static void each_object_has_its_own_layout(void **state) {
  (void)state;
  const uint64_t first[] = {1}, second[] = {2};
  vgc_layout_id ids[] = {vgc_layout_register(&(struct vgc_layout){.size = 16, .pointer_words = first}),
                         vgc_layout_register(&(struct vgc_layout){.size = 16, .pointer_words = second})};
  void **objects[ROOTS];
  for (unsigned i = 0; i < ROOTS; i++) {
    roots[i] = objects[i] = vgc_malloc_typed(ids[i % 2], 1);
    objects[i][0] = vgc_malloc(16);
    objects[i][1] = vgc_malloc(16);
  }
  unit_collect();
  for (unsigned i = 0; i < ROOTS; i++) {
    assert_int_equal(unit_alive(objects[i][0]), i % 2 == 0);
    assert_int_equal(unit_alive(objects[i][1]), i % 2 == 1);
  }
}

/* ---- Interior pointers ---- */

static void every_interior_pointer_keeps_the_object(void **state) {
  (void)state;
  static const size_t sizes[] = {8, 16, 48, 272, 4096};
  for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    char *object = vgc_malloc(sizes[i]);
    for (size_t offset = 0; offset<sizes[i]; offset += sizes[i]> 100 ? 97 : 1) {
      roots[0] = object + offset;
      unit_collect();
      assert_true(unit_alive(object));
    }
    roots[0] = object + sizes[i] - 1;
    unit_collect();
    assert_true(unit_alive(object));
    roots[0] = NULL;
    unit_collect();
    assert_false(unit_alive(object));
  }
}

static void pointers_past_the_end_keep_nothing_before(void **state) {
  (void)state;
  char *object = vgc_malloc(48), *other = vgc_malloc(48);
  assert_ptr_equal(object + 48, other);
  roots[0] = object + 48;
  unit_collect();
  assert_false(unit_alive(object));
  assert_true(unit_alive(other));
}

static void the_tail_behind_the_last_slot_is_no_object(void **state) {
  (void)state;
  const struct span *span = unit_span(vgc_malloc(48));
  roots[0] = (void *)(span->base + (uintptr_t)span->slots * 48);
  assert_true((uintptr_t)roots[0] < span->base + span->pages * config.page_bytes);
  unit_collect();
  assert_int_equal(mark_objects(), 0);
}

static void free_and_available_slots_are_not_marked(void **state) {
  (void)state;
  char *object = vgc_malloc(64), *freed = vgc_malloc(64);
  vgc_free(freed);
  roots[0] = freed;
  roots[1] = freed + 64; /* still available */
  roots[2] = object;
  assert_int_equal(vgc_collect(), 0);
  assert_int_equal(mark_objects(), 1);
  assert_int_equal(pace_marked(), 64);
}

/* ---- Big arrays, in pieces ---- */

/* Children at both sides of each boundary between pieces, and at both ends. */
static void children_of_big_arrays_live_at_every_boundary(void **state) {
  (void)state;
  static const size_t sizes[] = {PIECE - 8, PIECE, PIECE + 8, 2 * PIECE, 2 * PIECE + 8, 10 * PIECE, 10 * PIECE + 16};
  for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    size_t words = sizes[i] / 8;
    void **array = vgc_malloc(sizes[i]);
    roots[0] = array;
    for (size_t word = 0; word < words; word++)
      if (word % (PIECE / 8) < 2 || word % (PIECE / 8) == PIECE / 8 - 1 || word >= words - 2)
        array[word] = vgc_malloc(16);
    unit_collect();
    for (size_t word = 0; word < words; word++)
      if (array[word]) assert_true(unit_alive(array[word]));
  }
}

/* Elements that fit a piece exactly, do not divide it, and are larger than it. */
static void typed_pieces_begin_at_elements(void **state) {
  (void)state;
  static const size_t words[] = {1, 3, 5, 100, 511, 512, 513, 700};
  static uint64_t bits[11];
  for (unsigned i = 0; i < sizeof words / sizeof *words; i++) {
    memset(bits, 0, sizeof bits);
    bits[(words[i] - 1) / 64] = UINT64_C(1) << (words[i] - 1) % 64; /* the last word of each element */
    vgc_layout_id id = vgc_layout_register(&(struct vgc_layout){.size = words[i] * 8, .pointer_words = bits});
    size_t count = 3 * PIECE / 8 / words[i] + 2;
    void **array = vgc_malloc_typed(id, count), *decoy = words[i] > 1 ? vgc_malloc(16) : NULL;
    roots[0] = array;
    for (size_t element = 0; element < count; element++) {
      array[element * words[i] + words[i] - 1] = vgc_malloc(16);
      if (decoy) array[element * words[i]] = decoy;
    }
    unit_collect();
    for (size_t element = 0; element < count; element++)
      assert_true(unit_alive(array[element * words[i] + words[i] - 1]));
    assert_false(decoy && unit_alive(decoy));
  }
}

/* ---- Overflow ---- */

struct node {
  struct node *next, *other;
  uintptr_t check;
};

static struct node *node_make(struct node *next, struct node *other) {
  struct node *node = vgc_malloc(sizeof *node);
  node->next = next;
  node->other = other;
  node->check = ~(uintptr_t)node;
  return node;
}

static struct node *list_make(unsigned length) {
  struct node *list = NULL;
  while (length--) list = node_make(list, NULL);
  return list;
}

static struct node *tree_make(unsigned depth) {
  return depth ? node_make(tree_make(depth - 1), tree_make(depth - 1)) : NULL;
}

static unsigned tree_count(const struct node *node) {
  if (!node) return 0;
  assert_true(unit_alive(node) && node->check == ~(uintptr_t)node);
  return 1 + tree_count(node->next) + tree_count(node->other);
}

/* A graph that is deep, wide and bushy, and an array that is wide and long. */
enum { LIST = 3000, DEPTH = 9, WIDTH = 1500 };

static void build(void) {
  struct node **array = vgc_malloc(WIDTH * sizeof *array);
  roots[0] = list_make(LIST);
  roots[1] = tree_make(DEPTH);
  roots[2] = array;
  for (unsigned i = 0; i < WIDTH; i++) array[i] = list_make(i % 3);
}

static void check(void) {
  struct node *const *array = roots[2];
  unsigned length = 0;
  for (const struct node *node = roots[0]; node; node = node->next, length++) assert_true(unit_alive(node));
  assert_int_equal(length, LIST);
  assert_int_equal(tree_count(roots[1]), (1 << DEPTH) - 1);
  for (unsigned i = 0; i < WIDTH; i++) assert_int_equal(tree_count(array[i]), i % 3);
  assert_int_equal(stats_now().live_objects, LIST + (1 << DEPTH) - 1 + 1 + WIDTH);
}

/* The stack may never hold more than this; the second marker agrees at each boundary (B09, N26). */
static void marking_is_complete_however_small_the_stack(void **state) {
  (void)state;
  static const size_t limits[] = {16, 17, 18, 19, 20, 24, 31, 32, 33, 48, 64, 100, 500};
  unsigned rescans = 0;
  for (unsigned i = 0; i < sizeof limits / sizeof *limits; i++) {
    struct vgc_config tiny = unit_config(0);
    tiny.mark_stack = 16;
    tiny.mark_stack_max = limits[i];
    tiny.check_level = 3;
    tiny.arena_bytes = (size_t)16 << 20;
    start(tiny);
    build();
    for (unsigned cycle = 0; cycle < 2; cycle++) {
      unit_collect();
      check();
      rescans += mark_overflows();
    }
    assert_int_equal(vgc_shutdown(), 0);
  }
  assert_true(rescans > 0);
}

static void a_stack_that_may_grow_grows(void **state) {
  (void)state;
  struct vgc_config tiny = unit_config(0);
  tiny.mark_stack = 16;
  start(tiny);
  build();
  unit_collect();
  check();
  assert_int_equal(mark_overflows(), 0);
}

static void a_stack_that_cannot_grow_overflows(void **state) {
  (void)state;
  struct vgc_config tiny = unit_config(0);
  tiny.mark_stack = 16;
  start(tiny);
  build();
  fault_fail(FAULT_RESERVE, 0, ~0ul);
  unit_collect();
  assert_true(fault_failed(FAULT_RESERVE) > 0);
  fault_reset(state);
  check();
  assert_true(mark_overflows() > 0);
  unit_collect();
  check();
  assert_int_equal(mark_overflows(), 0);
}

static void free_second(void *first) { vgc_free(((struct node *)first)->next); }

/* Slots that others returned are objects until their owner takes them back: what they point to is marked as well, and
 * the second marker agrees. */
static void overflow_does_not_spare_returned_slots(void **state) {
  (void)state;
  static struct worker other;
  struct vgc_config tiny = unit_config(0);
  tiny.mark_stack = tiny.mark_stack_max = 16;
  tiny.check_level = 3;
  start(tiny);
  struct node **array = roots[2] = vgc_malloc(WIDTH * sizeof *array);
  for (unsigned i = 0; i < WIDTH; i++) array[i] = list_make(3);
  worker_start(&other);
  for (unsigned i = 0; i < WIDTH; i++) worker_do(&other, free_second, array[i]);
  unit_collect();
  assert_true(mark_overflows() > 0);
  assert_int_equal(stats_now().objects_swept, 0);
  worker_stop(&other);
}

/* Typed arrays put off are scanned by their layout as well. */
static void overflow_keeps_to_layouts(void **state) {
  (void)state;
  struct vgc_config tiny = unit_config(0);
  tiny.mark_stack = tiny.mark_stack_max = 16;
  start(tiny);
  const uint64_t bits[] = {1};
  vgc_layout_id id = vgc_layout_register(&(struct vgc_layout){.size = 16, .pointer_words = bits});
  enum { COUNT = 2000 };
  void **outer = vgc_malloc_typed(id, COUNT);
  roots[0] = outer;
  for (unsigned i = 0; i < COUNT; i++) {
    void **inner = outer[2 * i] = vgc_malloc_typed(id, 2);
    inner[0] = vgc_malloc(16);
    inner[1] = vgc_malloc(16);
  }
  unit_collect();
  for (unsigned i = 0; i < COUNT; i++) {
    void **inner = outer[2 * i];
    assert_true(unit_alive(inner) && unit_alive(inner[0]));
    assert_false(unit_alive(inner[1]));
  }
}

static void a_stack_larger_than_its_limit_starts_at_the_limit(void **state) {
  (void)state;
  struct vgc_config tiny = unit_config(0);
  tiny.mark_stack = 1000;
  tiny.mark_stack_max = 20;
  start(tiny);
  build();
  unit_collect();
  check();
  assert_true(mark_overflows() > 0);
}

UNIT(mark) {
#define TEST(name)   cmocka_unit_test_setup_teardown(name, setup, unit_teardown)
#define SHAPED(name) cmocka_unit_test_teardown(name, unit_teardown)
  const struct CMUnitTest tests[] = {
      TEST(scanned_words_keep_what_they_point_to),
      TEST(pointer_free_objects_keep_nothing),
      TEST(uncollectable_objects_are_roots_until_freed),
      TEST(they_may_be_pointer_free),
      TEST(only_a_layouts_pointer_words_are_scanned),
      TEST(each_object_has_its_own_layout),
      TEST(every_interior_pointer_keeps_the_object),
      TEST(pointers_past_the_end_keep_nothing_before),
      TEST(the_tail_behind_the_last_slot_is_no_object),
      TEST(free_and_available_slots_are_not_marked),
      TEST(children_of_big_arrays_live_at_every_boundary),
      TEST(typed_pieces_begin_at_elements),
      SHAPED(marking_is_complete_however_small_the_stack),
      SHAPED(a_stack_that_may_grow_grows),
      SHAPED(a_stack_that_cannot_grow_overflows),
      SHAPED(overflow_does_not_spare_returned_slots),
      SHAPED(overflow_keeps_to_layouts),
      SHAPED(a_stack_larger_than_its_limit_starts_at_the_limit),
  };
  return cmocka_run_group_tests_name("mark", tests, NULL, NULL);
}
