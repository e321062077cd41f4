/* When a cycle is due, and what the limits do. */
#include "unit.h"

#define KIB  ((size_t)1024)
#define MIB  ((size_t)1 << 20)
#define NONE (SIZE_MAX >> 1)

static void *roots[4096];

static void shape(size_t minimum, unsigned percent, size_t soft, size_t hard) {
  config.minimum_heap = minimum;
  config.growth_percent = percent;
  config.soft_limit = soft;
  config.hard_limit = hard;
}

/* live bytes, minimum heap, growth, soft limit -> goal; bytes of roots, of pointer-free objects */
static void the_goal_follows_the_live_heap(void **state) {
  (void)state;
  static const struct {
    size_t live, minimum;
    unsigned percent;
    size_t soft, goal, roots, unscanned;
  } rows[] = {
      {0, 4 * MIB, 100, NONE, 4 * MIB, 0, 0},
      {1 * MIB, 4 * MIB, 100, NONE, 4 * MIB, 0, 0},
      {100 * MIB, 4 * MIB, 100, NONE, 200 * MIB, 0, 0},
      {100 * MIB, 4 * MIB, 50, NONE, 150 * MIB, 0, 0},
      {100 * MIB, 4 * MIB, 10000, NONE, 100 * MIB + 10000 * MIB, 0, 0},
      {100 * MIB, 4 * MIB, 100, 120 * MIB, 120 * MIB, 0, 0},
      {100 * MIB, 4 * MIB, 100, 80 * MIB, 80 * MIB, 0, 0},
      {0, 64 * MIB, 100, 16 * MIB, 16 * MIB, 0, 0},
      {100 * MIB, 4 * MIB, 100, NONE, 220 * MIB, 40 * MIB, 0},
      {0, 4 * MIB, 50, NONE, 25 * MIB, 100 * MIB, 0},
      {100 * MIB, 4 * MIB, 100, NONE, 150 * MIB, 0, 100 * MIB},
  };
  for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
    shape(rows[i].minimum, rows[i].percent, rows[i].soft, NONE);
    pace_after_cycle(rows[i].live, rows[i].unscanned, rows[i].roots);
    assert_in_range(pace_goal(), rows[i].goal - rows[i].goal / 1000, rows[i].goal);
    assert_int_equal(pace_marked(), rows[i].live);
  }
}

static void a_goal_beyond_all_memory_does_not_wrap(void **state) {
  (void)state;
  shape(4 * MIB, 10000, NONE, NONE);
  pace_after_cycle(SIZE_MAX / 100, 0, 0);
  assert_true(pace_goal() >= SIZE_MAX / 100);
  pace_after_cycle((size_t)1 << 62, 0, 0);
  assert_true(pace_goal() >= (size_t)1 << 62);
}

static void pages_are_taken_up_to_the_goal(void **state) {
  (void)state;
  shape(1 * MIB, 100, NONE, 2 * MIB);
  pace_initialize();
  assert_true(pace_may_take(1 * MIB));
  assert_false(pace_may_take(1 * MIB + 1));
  assert_false(pace_may_take(SIZE_MAX));
  assert_true(pace_within_hard_limit(2 * MIB));
  assert_false(pace_within_hard_limit(2 * MIB + 1));
  assert_false(pace_within_hard_limit(SIZE_MAX));
  shape(8 * MIB, 100, NONE, 2 * MIB);
  pace_initialize();
  assert_true(pace_may_take(2 * MIB));
  assert_false(pace_may_take(2 * MIB + 1));
}

/* A cycle pays only if enough was allocated since the last one. */
static void a_cycle_is_due_after_the_growth(void **state) {
  (void)state;
  shape(4 * MIB, 100, NONE, NONE);
  pace_after_cycle(100 * MIB, 0, 0);
  assert_false(pace_should_collect(1 * MIB));
  pace_count_issued(99 * MIB);
  assert_false(pace_should_collect(512 * KIB));
  assert_true(pace_should_collect(1 * MIB));
  assert_true(pace_should_collect(SIZE_MAX));
  pace_after_cycle(100 * MIB, 0, 0);
  assert_false(pace_should_collect(1 * MIB));
  pace_after_cycle(0, 0, 0);
  assert_true(pace_should_collect(2 * MIB));
  assert_false(pace_should_collect(1 * MIB));
  shape(4 * MIB, 100, 8 * MIB, NONE); /* near the soft limit sooner */
  pace_after_cycle(100 * MIB, 0, 0);
  assert_true(pace_should_collect(1 * MIB));
  assert_false(pace_should_collect(512 * KIB));
}

/* ---- Through allocation ---- */

static void start(size_t minimum, size_t soft, size_t hard) {
  struct vgc_config given = unit_config(0);
  given.minimum_heap = minimum;
  given.soft_limit = soft;
  given.hard_limit = hard;
  memset(roots, 0, sizeof roots);
  unit_start(&given);
  unit_roots(roots, 4096);
}

static void garbage_does_not_grow_the_heap(void **state) {
  (void)state;
  start(1 * MIB, 0, 0);
  for (unsigned i = 0; i < 20000; i++) assert_non_null(i % 2 ? vgc_malloc(1000) : vgc_malloc_noscan(1000));
  for (unsigned i = 0; i < 200; i++) assert_non_null(vgc_malloc_noscan(100 * KIB));
  struct vgc_stats stats = stats_now();
  assert_true(stats.peak_heap_bytes <= 2 * MIB);
  assert_in_range(stats.cycles, 10, 200);
}

/* Dead spans of one class make room for another before the next cycle does. */
static void garbage_of_another_class_is_swept_before_a_cycle(void **state) {
  (void)state;
  start(1 * MIB, 0, 0);
  for (unsigned i = 0; i < 850; i++) assert_non_null(vgc_malloc(1000));
  assert_int_equal(vgc_collect(), 0);
  for (unsigned i = 0; i < 150; i++) assert_non_null(roots[i] = vgc_malloc(5000));
  struct vgc_stats stats = stats_now();
  assert_int_equal(stats.cycles, 1);
  assert_true(stats.peak_heap_bytes <= 1 * MIB);
}

static void freed_objects_cause_no_cycles(void **state) {
  (void)state;
  start(1 * MIB, 0, 0);
  for (unsigned i = 0; i < 100000; i++) vgc_free(vgc_malloc(1000));
  for (unsigned i = 0; i < 1000; i++) vgc_free(vgc_malloc(100 * KIB));
  assert_int_equal(stats_now().cycles, 0);
}

/* Live memory above the soft limit: cycles grow rarer, they do not run at each allocation. */
static void above_the_soft_limit_the_cost_stays_in_proportion(void **state) {
  (void)state;
  start(256 * KIB, 1 * MIB, 0);
  for (unsigned i = 0; i < 4096; i++) assert_non_null(roots[i] = vgc_malloc(1000));
  struct vgc_stats stats = stats_now();
  assert_int_equal(stats.live_objects, 4096);
  assert_in_range(stats.cycles, 2, 60);
}

static void at_the_hard_limit_allocation_fails_and_recovers(void **state) {
  (void)state;
  start(256 * KIB, 0, 1 * MIB);
  unsigned count = 0;
  errno = 0;
  while (count < 4096 && (roots[count] = vgc_malloc(1000))) count++;
  assert_in_range(count, 900, 1060);
  assert_int_equal(errno, ENOMEM);
  assert_null(vgc_malloc_noscan(200 * KIB));
  assert_true(stats_now().heap_bytes <= 1 * MIB);
  for (unsigned i = 0; i < count; i++) assert_true(unit_alive(roots[i]));
  memset(roots, 0, sizeof roots);
  assert_non_null(vgc_malloc(1000)); /* the garbage is found when it is needed */
  assert_non_null(vgc_malloc_noscan(200 * KIB));
}

static void garbage_is_no_reason_to_fail_at_the_hard_limit(void **state) {
  (void)state;
  start(256 * KIB, 0, 1 * MIB);
  for (unsigned i = 0; i < 10000; i++) assert_non_null(vgc_malloc(1000));
  for (unsigned i = 0; i < 100; i++) assert_non_null(vgc_malloc_noscan(500 * KIB));
  assert_true(stats_now().peak_heap_bytes <= 1 * MIB);
}

struct holder {
  struct holder *next;
  void *block;
};

static void do_nothing(void *object, void *arg) { (void)object, (void)arg; }

/* Unreachable; each is finalized a cycle after the one that points to it, and the last holds most of the memory. */
static void make_holders(unsigned count) {
  roots[1] = vgc_malloc_noscan(600 * KIB);
  while (count--) {
    struct holder *holder = vgc_malloc(sizeof *holder);
    assert_non_null(holder);
    *holder = (struct holder){roots[0], roots[1]};
    assert_int_equal(vgc_set_finalizer(holder, do_nothing, NULL, VGC_ORDERED), 0);
    roots[0] = holder;
    roots[1] = NULL;
  }
  roots[0] = NULL;
}

static void allocation_fails_after_as_many_cycles_as_were_asked_for(void **state) {
  (void)state;
  start(256 * KIB, 0, 1 * MIB);
  make_holders(4);
  uint64_t before = stats_now().cycles;
  assert_null(vgc_malloc_noscan(700 * KIB));
  uint64_t failed = stats_now().cycles;
  assert_in_range(failed, before + 1, before + 2); /* one may be the pace's */
  struct vgc_config more;
  vgc_config_default(&more);
  more.memory_retries = 8;
  assert_int_equal(vgc_tune(&more), 0);
  assert_non_null(vgc_malloc_noscan(700 * KIB));
  assert_in_range(stats_now().cycles, failed + 2, failed + 8);
}

static unsigned asked;
static int refuse(void *arg) { return (void)arg, asked++, 0; }

static void retries_end_where_no_cycle_may_begin(void **state) {
  (void)state;
  struct vgc_hooks hooks = {.struct_size = sizeof hooks, .may_collect = refuse};
  start(256 * KIB, 0, 1 * MIB);
  vgc_set_hooks(&hooks, NULL);
  struct vgc_config more;
  vgc_config_default(&more);
  more.memory_retries = 1000000;
  assert_int_equal(vgc_tune(&more), 0);
  asked = 0;
  assert_null(vgc_malloc_noscan(2 * MIB));
  assert_in_range(asked, 1, 3);
}

/* While collection is disabled only the hard limit stops growth. */
static void without_cycles_the_heap_grows_to_the_hard_limit(void **state) {
  (void)state;
  start(256 * KIB, 0, 1 * MIB);
  vgc_disable();
  unsigned count = 0;
  while (count < 4096 && vgc_malloc(1000)) count++;
  assert_in_range(count, 900, 1060);
  assert_int_equal(stats_now().cycles, 0);
  vgc_enable();
  assert_non_null(vgc_malloc(1000));
}

UNIT(pace) {
#define TEST(name)   cmocka_unit_test_setup_teardown(name, unit_setup, unit_teardown)
#define SHAPED(name) cmocka_unit_test_teardown(name, unit_teardown)
  const struct CMUnitTest tests[] = {
      TEST(the_goal_follows_the_live_heap),
      TEST(a_goal_beyond_all_memory_does_not_wrap),
      TEST(pages_are_taken_up_to_the_goal),
      TEST(a_cycle_is_due_after_the_growth),
      SHAPED(garbage_does_not_grow_the_heap),
      SHAPED(garbage_of_another_class_is_swept_before_a_cycle),
      SHAPED(freed_objects_cause_no_cycles),
      SHAPED(above_the_soft_limit_the_cost_stays_in_proportion),
      SHAPED(at_the_hard_limit_allocation_fails_and_recovers),
      SHAPED(garbage_is_no_reason_to_fail_at_the_hard_limit),
      SHAPED(allocation_fails_after_as_many_cycles_as_were_asked_for),
      SHAPED(retries_end_where_no_cycle_may_begin),
      SHAPED(without_cycles_the_heap_grows_to_the_hard_limit),
  };
  return cmocka_run_group_tests_name("pace", tests, NULL, NULL);
}
