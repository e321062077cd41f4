/* Exact pointers. The words of `roots` stand for static data; stacks are those of threads. */
#include "hidden.h"
#include "unit.h"

enum { ROOTS = 4, NODES = 20000, MARKERS = 4 };
static void *roots[ROOTS];

static void start(unsigned check_level, bool exact) {
  struct vgc_config given = unit_config(0);
  given.check_level = check_level;
  given.exact_pointers = exact;
  given.mark_workers = check_level ? 1 : MARKERS;
  if (!check_level) given.minimum_heap = 1;
  memset(roots, 0, sizeof roots);
  unit_start(&given);
}

static int setup(void **state) {
  (void)state;
  start(3, true);
  unit_roots(roots, ROOTS);
  return 0;
}

static int setup_all_roots(void **state) {
  (void)state;
  start(3, true);
  return 0;
}

static int teardown(void **state) {
  for (unsigned i = 0; i < MARKER_DISPLACEMENTS / 64; i++) store_relaxed(&marker_displacements[i], i == 0);
  return unit_teardown(state);
}

static const size_t sizes[] = {16, 48, 1000, 20000, 100000};
enum { SIZES = sizeof sizes / sizeof *sizes };

/* Whether the word, where `place` is, keeps the object. */
static bool keeps(void **place, void *word, const void *object) {
  *place = word;
  unit_collect();
  *place = NULL;
  return unit_alive(object);
}

/* ---- What names an object ---- */

static void static_data_names_starts_alone(void **state) {
  (void)state;
  for (unsigned i = 0; i < SIZES; i++) {
    char *object = vgc_malloc(sizes[i]);
    assert_true(keeps(roots, object, object));
    assert_false(keeps(roots, object + 8, object));
    object = vgc_malloc(sizes[i]);
    assert_false(keeps(roots, object + 1, object));
    object = vgc_malloc(sizes[i]);
    assert_false(keeps(roots, object + sizes[i] - 1, object));
  }
}

static void heap_words_name_starts_alone(void **state) {
  (void)state;
  const uint64_t words[] = {1};
  vgc_layout_id layout = vgc_layout_register(&(struct vgc_layout){.size = 8, .pointer_words = words});
  vgc_layout_id all =
      vgc_kind_register(&(struct vgc_kind){.struct_size = sizeof(struct vgc_kind), .scan = VGC_SCAN_ALL});
  void **holders[] = {vgc_malloc(16), vgc_malloc_typed(layout, 2), vgc_malloc_kind(all, 16),
                      vgc_malloc_uncollectable(16), vgc_malloc(50000)};
  void **all_holders = roots[0] = vgc_malloc(sizeof holders);
  memcpy(all_holders, holders, sizeof holders);
  for (unsigned k = 0; k < sizeof holders / sizeof *holders; k++)
    for (unsigned i = 0; i < SIZES; i++) {
      char *object = vgc_malloc(sizes[i]);
      assert_true(keeps(holders[k], object, object));
      assert_false(keeps(holders[k], object + 8, object));
    }
}

static void show(void *object, size_t size, void *arg, struct vgc_marker *marker) {
  (void)size;
  (void)arg;
  if (*(uintptr_t *)object) vgc_mark(marker, reveal(*(uintptr_t *)object));
}

static void procedures_name_starts_alone(void **state) {
  (void)state;
  vgc_layout_id kind = vgc_kind_register(
      &(struct vgc_kind){.struct_size = sizeof(struct vgc_kind), .scan = VGC_SCAN_PROCEDURE, .mark = show});
  uintptr_t *holder = roots[0] = vgc_malloc_kind(kind, 16);
  for (unsigned i = 0; i < SIZES; i++) {
    char *object = vgc_malloc(sizes[i]);
    *holder = hide(object);
    unit_collect();
    assert_true(unit_alive(object));
    *holder = hide(object + 8);
    unit_collect();
    assert_false(unit_alive(object));
  }
}

static void displacements_name_it_too(void **state) {
  (void)state;
  assert_int_equal(vgc_displacement_add(8), 0);
  assert_int_equal(vgc_displacement_add(65535), 0);
  for (unsigned i = 0; i < SIZES; i++) {
    void **holder = roots[1] = vgc_malloc(16);
    char *object = vgc_malloc(sizes[i]);
    assert_true(keeps(roots, object, object));
    assert_true(keeps(roots, object + 8, object));
    assert_true(keeps(holder, object + 8, object));
    if (sizes[i] > 65535) assert_true(keeps(holder, object + 65535, object));
    assert_false(keeps(holder, object + 9, object));
  }
  /* So far on lies another object, of which it is the start. */
  char *object = vgc_malloc(16), *behind = vgc_malloc(16);
  assert_ptr_equal(behind, object + 16);
  assert_int_equal(vgc_displacement_add(16), 0);
  assert_true(keeps(roots, object + 16, behind));
  assert_false(unit_alive(object));
}

static void displacements_end_at_64k(void **state) {
  (void)state;
  static const size_t bad[] = {65536, 65537, SIZE_MAX};
  for (unsigned i = 0; i < 3; i++) {
    errno = 0;
    assert_int_equal(vgc_displacement_add(bad[i]), -1);
    assert_int_equal(errno, EINVAL);
  }
  char *object = vgc_malloc(200000);
  assert_false(keeps(roots, object + 65536, object));
}

static void the_end_is_no_name(void **state) {
  (void)state;
  for (unsigned exact = 0; exact < 2; exact++)
    for (unsigned i = 0; i < SIZES; i++) {
      config.exact_pointers = exact;
      char *object = vgc_malloc(sizes[i]);
      assert_false(keeps(roots, object + vgc_usable_size(object), object));
    }
}

/* From the next collection on, as vgc_tune may. */
static void it_may_change_between_collections(void **state) {
  (void)state;
  char *object = vgc_malloc(48), *large = roots[1] = vgc_malloc(100000);
  for (unsigned i = 0; i < 3; i++) {
    config.exact_pointers = 0;
    roots[1] = large + 5000;
    assert_true(keeps(roots, object + 8, object));
    config.exact_pointers = 1;
    roots[1] = large;
    assert_true(keeps(roots, object, object));
    assert_true(unit_alive(large));
  }
  assert_false(keeps(roots, object + 8, object));
}

static void count(void *object, void *arg) {
  (void)object;
  ++*(unsigned *)arg;
}

static void finalizers_links_and_ephemerons_need_no_more(void **state) {
  (void)state;
  static unsigned finalized;
  void **first = vgc_malloc(16), *second = first[0] = vgc_malloc(16);
  void *key = roots[0] = vgc_malloc(16), *value = vgc_malloc(16), *link = NULL;
  void *ephemeron = roots[1] = vgc_ephemeron_new(key, value);
  assert_int_equal(vgc_set_finalizer(first, count, &finalized, VGC_ORDERED), 0);
  assert_int_equal(vgc_weak_add(&link, second, VGC_WEAK_LONG), 0);
  unit_collect();
  assert_int_equal(finalized, 1);
  assert_ptr_equal(link, second);
  assert_ptr_equal(vgc_ephemeron_value(ephemeron), value);
  assert_true(unit_alive(value) && unit_alive(second));
  unit_collect();
  assert_null(link);
}

/* A word into another object makes that one's finalizer wait for nothing. */
static void ordered_finalizers_wait_for_starts_alone(void **state) {
  (void)state;
  static unsigned finalized[2];
  for (unsigned i = 0; i < 2; i++) {
    char **first = vgc_malloc(16), *second = vgc_malloc(16);
    first[0] = second + (i ? 8 : 0);
    finalized[0] = finalized[1] = 0;
    assert_int_equal(vgc_set_finalizer(first, count, &finalized[0], VGC_ORDERED), 0);
    assert_int_equal(vgc_set_finalizer(second, count, &finalized[1], VGC_ORDERED), 0);
    unit_collect();
    assert_int_equal(finalized[0], 1);
    assert_int_equal(finalized[1], i);
    unit_collect();
    assert_int_equal(finalized[1], 1);
  }
}

/* ---- Threads ---- */

/* The stack, of which one word points into the object, and nothing else anywhere. */
static void *hold_inside(void *arg) {
  struct hidden_holder *holder = arg;
  char *held[1];
  hidden_reveal(holder->hidden - 24, held); /* the complement of 24 bytes further on */
  KEEP_ALIVE(held);
  meeting_wait(&holder->held);
  meeting_wait(&holder->done);
  KEEP_ALIVE(held);
  return NULL;
}

static void stacks_point_anywhere(void **state) {
  (void)state;
  static const size_t held[] = {32, 48, 1000, 20000, 100000};
  for (unsigned i = 0; i < sizeof held / sizeof *held; i++) {
    struct hidden_holder holder = {0};
    assert_true(hidden_survives(&holder, held[i], hold_inside));
  }
}

static void *volatile in_static_data;

/* The same word in static data keeps nothing: what keeps the object above is that it stands on a stack. */
static void *hold_in_static_data(void *arg) {
  struct hidden_holder *holder = arg;
  hidden_reveal(holder->hidden - 24, (void *)&in_static_data);
  meeting_wait(&holder->held);
  meeting_wait(&holder->done);
  return NULL;
}

static void modules_do_not(void **state) {
  (void)state;
  struct hidden_holder holder = {0};
  assert_false(hidden_survives(&holder, 1000, hold_in_static_data));
  config.exact_pointers = 0;
  assert_true(hidden_survives(&holder, 1000, hold_in_static_data));
  in_static_data = NULL;
}

static void *pushed[1];

static void push_word(void *arg, vgc_root_push *push, void *sink) {
  (void)arg;
  push(sink, pushed, sizeof pushed);
}

/* It may be a coroutine's stack. */
static void what_a_callback_pushes_points_anywhere(void **state) {
  (void)state;
  uintptr_t hidden = hide(vgc_malloc(1000));
  pushed[0] = (char *)reveal(hidden) + 24;
  assert_int_equal(vgc_root_exclude(pushed, sizeof pushed), 0);
  assert_int_equal(vgc_root_add_callback(push_word, NULL), 0);
  unit_collect();
  assert_true(unit_alive(reveal(hidden)));
  assert_int_equal(vgc_root_remove_callback(push_word, NULL), 0);
}

struct node {
  struct node *down[2];
  char *inside; /* of an object that nothing else holds */
};

static void several_markers_are_as_exact(void **state) {
  (void)state;
  static struct node *nodes[NODES];
  vgc_shutdown();
  start(0, true);
  unit_roots(roots, ROOTS);
  for (unsigned round = 0; round < 5; round++) {
    vgc_disable();
    for (unsigned i = 0; i < NODES; i++) {
      nodes[i] = vgc_malloc(sizeof **nodes);
      nodes[i]->inside = (char *)vgc_malloc(32) + 8;
    }
    for (unsigned i = 1; i < NODES; i++) nodes[(i - 1) / 2]->down[(i - 1) % 2] = nodes[i];
    roots[0] = nodes[0];
    vgc_enable();
    unit_collect();
    assert_int_equal(stats_now().live_objects, NODES);
    for (unsigned i = 0; i < NODES; i++) assert_true(unit_alive(nodes[i]));
  }
  assert_int_equal(mark_team_helpers(), MARKERS - 1);
}

UNIT(exact) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {
      TEST(static_data_names_starts_alone),
      TEST(heap_words_name_starts_alone),
      TEST(procedures_name_starts_alone),
      TEST(displacements_name_it_too),
      TEST(displacements_end_at_64k),
      TEST(the_end_is_no_name),
      TEST(it_may_change_between_collections),
      TEST(finalizers_links_and_ephemerons_need_no_more),
      TEST(ordered_finalizers_wait_for_starts_alone),
      cmocka_unit_test_setup_teardown(stacks_point_anywhere, setup_all_roots, teardown),
      cmocka_unit_test_setup_teardown(modules_do_not, setup_all_roots, teardown),
      cmocka_unit_test_setup_teardown(what_a_callback_pushes_points_anywhere, setup_all_roots, teardown),
      TEST(several_markers_are_as_exact),
  };
  return cmocka_run_group_tests_name("exact", tests, NULL, NULL);
}
