/* Tables of what is attached to objects are no pages, so no goal bounds them: a table that is about to double asks for
 * a cycle. No other comes here. */
#include "unit.h"

static void *roots[1];
static unsigned calls;

static void count_call(void *object, void *arg) {
  (void)object, (void)arg;
  calls++;
}

static int begin(void **state) {
  (void)state;
  struct vgc_config given = unit_config(0);
  given.minimum_heap = (size_t)1 << 30;
  unit_start(&given);
  memset(roots, 0, sizeof roots);
  unit_roots(roots, 1);
  calls = 0;
  return 0;
}

static void drop_many(unsigned count) {
  for (unsigned i = 0; i < count; i++) {
    void *object = vgc_malloc(16);
    assert_int_equal(vgc_set_finalizer(object, count_call, NULL, VGC_UNORDERED), 0);
  }
}

/* All by a table that is a root. */
static void keep_many(unsigned count) {
  void **table = roots[0] = vgc_malloc(count * sizeof *table);
  for (unsigned i = 0; i < count; i++) {
    table[i] = vgc_malloc(16);
    assert_int_equal(vgc_set_finalizer(table[i], count_call, NULL, VGC_UNORDERED), 0);
  }
}

static void many_finalizers_and_links_are_a_reason_to_collect(void **state) {
  (void)state;
  drop_many(200000);
  assert_in_range(stats_now().cycles, 10, 40);
  assert_true(special_bytes() < (size_t)2 << 20);
  for (unsigned i = 0; i < 200000; i++) {
    void **place = vgc_malloc_noscan(sizeof *place);
    assert_int_equal(vgc_weak_add(place, place, VGC_WEAK_SHORT), 0);
  }
  assert_in_range(stats_now().cycles, 20, 80);
  assert_true(special_bytes() < (size_t)4 << 20);
}

/* A cycle costs what the heap is large. */
static void in_a_large_heap_more_are_needed(void **state) {
  (void)state;
  void **table = roots[0] = vgc_malloc(64 * sizeof *table);
  for (unsigned i = 0; i < 64; i++) assert_non_null(table[i] = vgc_malloc_noscan((size_t)1 << 20));
  unit_collect();
  drop_many(200000);
  assert_in_range(stats_now().cycles, 2, 6);
}

static void finalizers_of_live_objects_cost_few_cycles(void **state) {
  (void)state;
  keep_many(200000);
  assert_in_range(stats_now().cycles, 1, 6);
  assert_int_equal(calls, 0);
}

/* Live ones that nearly fill a table: room is made by growing, not by a cycle for the few that come and go. */
static void a_full_table_of_live_objects_grows(void **state) {
  (void)state;
  keep_many(14000);
  drop_many(100000);
  assert_in_range(stats_now().cycles, 3, 20);
}

UNIT(crowd) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, unit_teardown)
  const struct CMUnitTest tests[] = {
      TEST(many_finalizers_and_links_are_a_reason_to_collect),
      TEST(in_a_large_heap_more_are_needed),
      TEST(finalizers_of_live_objects_cost_few_cycles),
      TEST(a_full_table_of_live_objects_grows),
  };
  return cmocka_run_group_tests_name("crowd", tests, NULL, NULL);
}
