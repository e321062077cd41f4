/* V22: on the path that the pace starts, the trigger moves only after the world runs again.
 *
 * The first thing that a resumed thread may ask is whether a cycle is due. If it still sees the old goal, it collects
 * again at once. */
#include "bug.h"
#include "objects.h"

struct node {
  struct node *next;
  char bytes[1000];
};
static struct node *list;
static size_t goal_before, goal_seen, marked_seen;
static bool due;

static void ask_the_pace(void *arg) {
  (void)arg;
  goal_seen = pace_goal();
  marked_seen = pace_marked();
  due = pace_should_collect(1);
}

static void grow_until_a_cycle(void) {
  while (stats_now().cycles == 0)
    for (unsigned i = 0; i < 64; i++) {
      struct node *node = vgc_malloc(sizeof *node);
      assert_non_null(node);
      node->next = list;
      list = node;
    }
}

static void resumed_threads_see_the_new_goal(void **state) {
  (void)state;
  struct vgc_config given;
  vgc_config_default(&given);
  given.minimum_heap = 1024 * 1024;
  assert_int_equal(vgc_init(&given), 0);
  goal_before = pace_goal();
  struct park *window = park_arm_call("world_after_resume", ask_the_pace, NULL);
  grow_until_a_cycle();
  park_await(window);
  assert_int_equal(stats_now().cycles, 1);
  assert_true(goal_seen > goal_before);
  assert_int_equal(goal_seen, stats_now().trigger_bytes);
  assert_int_equal(marked_seen, stats_now().marked_bytes);
  assert_false(due);
}

BUG(V22) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(resumed_threads_see_the_new_goal, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("V22", tests, NULL, NULL);
}
