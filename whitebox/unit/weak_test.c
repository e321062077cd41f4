/* Weak links. The roots are the words of `roots` alone, and the second marker agrees at each boundary. */
#include "unit.h"

enum { ROOTS = 8 };
static void *roots[ROOTS];
/* Outside of the heap: what the collector does not follow. */
static void *links[ROOTS];

static int setup(void **state) {
  (void)state;
  struct vgc_config given = unit_config(0);
  given.check_level = 3;
  given.finalize_on_demand = 1;
  memset(roots, 0, sizeof roots);
  memset(links, 0, sizeof links);
  unit_start(&given);
  unit_roots(roots, ROOTS);
  return 0;
}

static void nothing(void *object, void *arg) { (void)object, (void)arg; }

static void a_link_is_cleared_when_its_object_is_unreachable(void **state) {
  (void)state;
  void *object = roots[0] = vgc_malloc(16);
  assert_int_equal(vgc_weak_add(&links[0], object, VGC_WEAK_SHORT), 0);
  assert_int_equal(vgc_weak_add(&links[1], object, VGC_WEAK_LONG), 0);
  assert_int_equal(vgc_weak_add(&links[0], object, VGC_WEAK_LONG), -1);
  assert_int_equal(errno, EEXIST);
  unit_collect();
  assert_ptr_equal(links[0], object);
  assert_ptr_equal(links[1], object);
  roots[0] = NULL;
  unit_collect();
  assert_null(links[0]);
  assert_null(links[1]);
  assert_false(unit_alive(object));
  assert_int_equal(vgc_weak_remove(&links[0]), -1);
  assert_int_equal(errno, ENOENT);
}

static void short_links_go_before_the_finalizer_long_ones_after(void **state) {
  (void)state;
  void **object = vgc_malloc(16), *content = object[0] = vgc_malloc(16);
  assert_int_equal(vgc_set_finalizer(object, nothing, NULL, VGC_ORDERED), 0);
  void *named[] = {object, content};
  for (unsigned i = 0; i < 2; i++) {
    assert_int_equal(vgc_weak_add(&links[i], named[i], VGC_WEAK_SHORT), 0);
    assert_int_equal(vgc_weak_add(&links[2 + i], named[i], VGC_WEAK_LONG), 0);
  }
  assert_true(collect_now(COLLECT_EXPLICIT));
  for (unsigned i = 0; i < 2; i++) assert_null(links[i]);
  for (unsigned i = 0; i < 2; i++) assert_ptr_equal(links[2 + i], named[i]);
  assert_int_equal(vgc_finalize(), 1);
  unit_collect();
  for (unsigned i = 2; i < 4; i++) assert_null(links[i]);
}

static void a_watched_word_is_the_program_s_until_its_object_is_unreachable(void **state) {
  (void)state;
  void *first = roots[0] = vgc_malloc(16), *second = vgc_malloc(16), *disguised = (void *)~(uintptr_t)first;
  links[0] = disguised;
  assert_int_equal(vgc_weak_watch(&links[0], second, VGC_WEAK_SHORT), 0);
  assert_int_equal(vgc_weak_watch(&links[0], first, VGC_WEAK_SHORT), 1);
  second = NULL;
  unit_collect();
  assert_ptr_equal(links[0], disguised);
  roots[0] = first = NULL;
  unit_collect();
  assert_null(links[0]);
  assert_int_equal(vgc_weak_watch(&links[0], &links[1], VGC_WEAK_SHORT), -1);
  assert_int_equal(errno, EINVAL);
}

static void watched_words_move_without_their_content(void **state) {
  (void)state;
  void *object = roots[0] = vgc_malloc(16), **holder = roots[1] = vgc_malloc_noscan(64);
  holder[2] = links;
  assert_int_equal(vgc_weak_watch(&links[0], object, VGC_WEAK_SHORT), 0);
  assert_int_equal(vgc_weak_watch(&links[0], object, VGC_WEAK_LONG), 0);
  assert_int_equal(vgc_weak_move_watch(&links[0], &links[0], VGC_WEAK_SHORT), 0);
  assert_int_equal(vgc_weak_move_watch(&links[0], &holder[2], VGC_WEAK_SHORT), 0);
  assert_ptr_equal(holder[2], links);
  assert_int_equal(vgc_weak_move_watch(&links[0], &holder[2], VGC_WEAK_SHORT), -1);
  assert_int_equal(errno, ENOENT);
  assert_int_equal(vgc_weak_unwatch(&links[0], VGC_WEAK_SHORT), -1);
  assert_int_equal(vgc_weak_unwatch(&links[0], VGC_WEAK_LONG), 0);
  links[0] = links;
  roots[0] = object = NULL;
  unit_collect();
  assert_null(holder[2]);
  assert_ptr_equal(links[0], links);
}

/* Another object that comes to lie there. */
static void *take_place_of(void *ptr, size_t size) {
  for (unsigned i = 0; i < 10000; i++)
    if (vgc_malloc_noscan(size) == ptr) return ptr;
  fail_msg("%p is not used again", ptr);
  return NULL;
}

static void a_link_dies_with_the_object_in_which_it_stands(void **state) {
  (void)state;
  void *object = roots[0] = vgc_malloc(16);
  for (unsigned by_hand = 0; by_hand < 2; by_hand++) {
    void **holder = vgc_malloc_noscan(64);
    for (unsigned i = 0; i < 8; i++) assert_int_equal(vgc_weak_add(&holder[i], object, VGC_WEAK_SHORT), 0);
    if (by_hand) vgc_free(holder);
    unit_collect();
    void **other = take_place_of(holder, 64);
    for (unsigned i = 0; i < 8; i++) other[i] = object;
    assert_int_equal(vgc_weak_remove(&other[3]), -1);
    assert_int_equal(vgc_weak_add(&other[5], object, VGC_WEAK_SHORT), 0);
    vgc_free(other);
  }
  roots[0] = NULL;
  unit_collect();
  assert_false(unit_alive(object));
}

static void links_move(void **state) {
  (void)state;
  void *object = roots[0] = vgc_malloc(16);
  void **holder = roots[1] = vgc_malloc_noscan(64);
  assert_int_equal(vgc_weak_add(&links[0], object, VGC_WEAK_SHORT), 0);
  assert_int_equal(vgc_weak_add(&links[1], object, VGC_WEAK_SHORT), 0);
  assert_int_equal(vgc_weak_move(&links[0], &links[0]), 0);
  assert_int_equal(vgc_weak_move(&links[0], &links[1]), -1);
  assert_int_equal(errno, EEXIST);
  assert_int_equal(vgc_weak_move(&links[0], &holder[2]), 0);
  assert_ptr_equal(holder[2], object);
  assert_int_equal(vgc_weak_move(&links[0], &links[2]), -1);
  assert_int_equal(errno, ENOENT);
  assert_int_equal(vgc_weak_remove(&links[1]), 0);
  roots[0] = NULL;
  unit_collect();
  assert_null(holder[2]);
  assert_ptr_equal(links[0], object); /* words like any other */
  assert_ptr_equal(links[1], object);
}

static void links_are_words_that_name_live_objects(void **state) {
  (void)state;
  char *object = roots[0] = vgc_malloc(64), *freed = vgc_malloc(64);
  vgc_free(freed);
  assert_int_equal(vgc_weak_add(NULL, object, VGC_WEAK_SHORT), -1);
  assert_int_equal(errno, EINVAL);
  assert_int_equal(vgc_weak_add((void **)(void *)((char *)links + 1), object, VGC_WEAK_SHORT), -1);
  assert_int_equal(vgc_weak_add(links, object + 8, VGC_WEAK_SHORT), -1);
  assert_int_equal(vgc_weak_add(links, freed, VGC_WEAK_SHORT), -1);
  assert_int_equal(vgc_weak_add((void **)(void *)freed, object, VGC_WEAK_SHORT), -1);
  assert_int_equal(vgc_weak_add(links, object, (enum vgc_weak)2), -1);
  assert_int_equal(errno, EINVAL);
  assert_null(links[0]);
}

/* While a link names it, nothing else comes to lie there. */
static void a_freed_object_that_a_link_names_is_left_to_the_collector(void **state) {
  (void)state;
  unit_keep_errors();
  static const size_t sizes[] = {16, 100000};
  for (unsigned i = 0; i < 2; i++) {
    void *object = vgc_malloc(sizes[i]);
    assert_int_equal(vgc_weak_add(&links[0], object, VGC_WEAK_SHORT), 0);
    assert_int_equal(vgc_set_finalizer(object, nothing, NULL, VGC_ORDERED), 0);
    vgc_free(object);
    assert_ptr_equal(links[0], object);
    unit_expect_error(VGC_ERROR_DOUBLE_FREE, object, vgc_free(object));
    assert_int_equal(vgc_set_finalizer(object, nothing, NULL, VGC_ORDERED), -1);
    for (unsigned k = 0; k < 100; k++) assert_ptr_not_equal(vgc_malloc(sizes[i]), object);
    unit_collect();
    assert_null(links[0]);
    assert_false(unit_alive(object));
    assert_int_equal(vgc_finalizers_due(), 0);
  }
}

UNIT(weak) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, unit_teardown)
  const struct CMUnitTest tests[] = {
      TEST(watched_words_move_without_their_content),
      TEST(a_watched_word_is_the_program_s_until_its_object_is_unreachable),
      TEST(a_link_is_cleared_when_its_object_is_unreachable),
      TEST(short_links_go_before_the_finalizer_long_ones_after),
      TEST(a_link_dies_with_the_object_in_which_it_stands),
      TEST(links_move),
      TEST(links_are_words_that_name_live_objects),
      TEST(a_freed_object_that_a_link_names_is_left_to_the_collector),
  };
  return cmocka_run_group_tests_name("weak", tests, NULL, NULL);
}
