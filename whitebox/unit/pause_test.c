/* Collections that are given up: nothing of them stays, and the heap grows. */
#include "unit.h"

enum { NODES = 20000, MARKERS = 4 };

struct node {
  struct node *next;
  struct node *other;
};
static void *roots[1];
static unsigned questions, answer_from;

static int from_a_question_on(void *arg) {
  (void)arg;
  return ++questions >= answer_from;
}

static unsigned ended;
static void note_end(void *arg, const struct vgc_stats *stats) {
  (void)arg, (void)stats;
  ended++;
}

static const struct vgc_hooks giving_up = {
    .struct_size = sizeof giving_up, .cycle_end = note_end, .give_up = from_a_question_on};

static void start(struct vgc_config given) {
  unit_start(&given);
  unit_roots(roots, 1);
  memset(roots, 0, sizeof roots);
  questions = 0;
  answer_from = UINT32_MAX;
}

/* A list, each cell with a cell of its own beside it. */
static void build(void) {
  vgc_disable();
  roots[0] = NULL;
  for (unsigned i = 0; i < NODES; i++) {
    struct node *node = vgc_malloc(sizeof *node);
    *node = (struct node){roots[0], vgc_malloc(sizeof *node)};
    roots[0] = node;
  }
  vgc_enable();
}

static void expect_all(void) {
  unsigned count = 0;
  for (const struct node *node = roots[0]; node; node = node->next, count++)
    assert_true(unit_alive(node) && unit_alive(node->other));
  assert_int_equal(count, NODES);
}

static void waste(size_t bytes) {
  for (size_t done = 0; done < bytes; done += 1000) assert_non_null(vgc_malloc(1000));
}

/* ---- By the hook ---- */

/* At whichever question: a mark that stayed would hide from the next collection what the object points to. */
static void give_up_at_each_question(struct vgc_config given) {
  start(given);
  build();
  unit_collect(); /* helpers are hired */
  vgc_set_hooks(&giving_up, NULL);
  for (answer_from = 1;; answer_from += 1 + answer_from / 8) {
    questions = 0;
    int result = vgc_collect();
    assert_int_equal(result, questions < answer_from ? 0 : -1);
    if (!result) break;
    assert_int_equal(errno, ECANCELED);
    answer_from += 1 << 20;
    assert_int_equal(vgc_collect(), 0);
    answer_from -= 1 << 20;
    expect_all();
    assert_int_equal(stats_now().live_objects, 2 * NODES);
  }
  assert_true(stats_now().cycles_given_up >= 5);
}

static void nothing_is_lost(void **state) {
  (void)state;
  give_up_at_each_question(unit_config(0));
}

static void nothing_is_lost_with_helpers(void **state) {
  (void)state;
  struct vgc_config given = unit_config(0);
  given.mark_workers = MARKERS;
  given.minimum_heap = 1;
  given.check_level = 3;
  give_up_at_each_question(given);
}

static void nothing_is_lost_after_overflows(void **state) {
  (void)state;
  struct vgc_config given = unit_config(0);
  given.mark_stack = given.mark_stack_max = 16;
  given.exact_pointers = 1;
  give_up_at_each_question(given);
}

static unsigned finalized;
static void finalize(void *object, void *arg) {
  (void)object, (void)arg;
  finalized++;
}

static void nothing_happens(void **state) {
  (void)state;
  start(unit_config(0));
  static uintptr_t weak;
  void *object = vgc_malloc(16);
  assert_int_equal(vgc_set_finalizer(object, finalize, NULL, VGC_ORDERED), 0);
  weak = ~(uintptr_t)object;
  assert_int_equal(vgc_weak_watch((void **)(void *)&weak, object, VGC_WEAK_SHORT), 0);
  finalized = ended = 0;
  vgc_set_hooks(&giving_up, NULL);
  answer_from = 1;
  assert_int_equal(vgc_collect(), -1);
  assert_true(weak != 0 && !finalized && vgc_finalizers_due() == 0 && unit_alive((void *)~weak));
  assert_int_equal(stats_now().cycles, 0);
  assert_int_equal(ended, 0);
  answer_from = UINT32_MAX;
  unit_collect();
  assert_true(weak == 0 && finalized == 1 && ended == 1);
}

/* ---- By the clock ---- */

enum { SECOND = 1000000 };

/* Each reading of the clock is a second later; no pause is really that long. */
static void start_limited(size_t limit_us, size_t hard_limit) {
  struct vgc_config given = unit_config(0);
  given.minimum_heap = 1 << 20;
  given.pause_limit_us = limit_us;
  given.hard_limit = hard_limit;
  start(given);
  fault_leap(SECOND * UINT64_C(1000));
}

static void a_long_one_is_given_up_and_the_heap_grows(void **state) {
  (void)state;
  start_limited(SECOND, 0);
  build();
  waste(20 << 20);
  struct vgc_stats stats = stats_now();
  assert_int_equal(stats.cycles, 0);
  assert_in_range(stats.cycles_given_up, 2, 8);
  assert_true(stats.heap_bytes > 20 << 20);
  expect_all();
}

static void a_short_one_is_not(void **state) {
  (void)state;
  start_limited(SECOND * 10000000ull, 0);
  build();
  waste(20 << 20);
  struct vgc_stats stats = stats_now();
  assert_true(stats.cycles > 5 && stats.cycles_given_up == 0);
  expect_all();
}

static void one_that_is_asked_for_is_finished(void **state) {
  (void)state;
  start_limited(SECOND, 0);
  vgc_set_hooks(&giving_up, NULL);
  build();
  waste(5 << 20);
  unit_collect();
  assert_int_equal(stats_now().cycles, 1);
  assert_int_equal(stats_now().live_objects, 2 * NODES);
  expect_all();
}

static void one_for_want_of_memory_is_finished(void **state) {
  (void)state;
  start_limited(SECOND, 8 << 20);
  vgc_set_hooks(&giving_up, NULL);
  answer_from = 1;
  build();
  waste(40 << 20);
  assert_true(stats_now().cycles > 3);
  expect_all();
}

UNIT(pause) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, fault_reset, unit_teardown)
  const struct CMUnitTest tests[] = {
      TEST(nothing_is_lost),
      TEST(nothing_is_lost_with_helpers),
      TEST(nothing_is_lost_after_overflows),
      TEST(nothing_happens),
      TEST(a_long_one_is_given_up_and_the_heap_grows),
      TEST(a_short_one_is_not),
      TEST(one_that_is_asked_for_is_finished),
      TEST(one_for_want_of_memory_is_finished),
  };
  return cmocka_run_group_tests_name("pause", tests, NULL, NULL);
}
