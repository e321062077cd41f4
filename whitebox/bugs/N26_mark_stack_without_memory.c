/* N26: a marked object is dropped because the mark stack cannot grow.
 *
 * Whatever allocation of the marker's fails, and whether once or for good, everything reachable survives. */
#include "bug.h"

enum { WIDTH = 3000, CHILDREN = 4 };

struct node {
  struct node *children[CHILDREN];
  uintptr_t value;
};

static struct node **root;

static struct node *make_node(unsigned depth, uintptr_t value) {
  struct node *node = vgc_malloc(sizeof *node);
  must(node);
  node->value = value;
  for (unsigned i = 0; depth && i < CHILDREN; i++) node->children[i] = make_node(depth - 1, value + i);
  return node;
}

static size_t check_node(const struct node *node, unsigned depth, uintptr_t value) {
  must(node->value == value);
  size_t count = 1;
  for (unsigned i = 0; depth && i < CHILDREN; i++) count += check_node(node->children[i], depth - 1, value + i);
  return count;
}

static void start(void **state) {
  (void)state;
  struct vgc_config wanted = config_quiet();
  wanted.mark_stack = 16;
  assert_int_equal(vgc_init(&wanted), 0);
  root = vgc_malloc(WIDTH * sizeof *root);
  for (unsigned i = 0; i < WIDTH; i++) root[i] = make_node(1, i);
}

/* Reserves that go through first, and that fail then; the last round lets the stack grow. */
static const unsigned long rounds[][2] = {{0, ~0ul}, {1, ~0ul}, {2, 1}, {0, 1}, {1, 1}, {0, 0}};

static void fail_from_here(void *round) {
  const unsigned long *numbers = round;
  fault_fail(FAULT_RESERVE, numbers[0], numbers[1]);
}

static void nothing_is_lost(void **state) {
  start(state);
  const size_t objects = 1 + WIDTH * (1 + CHILDREN);
  for (unsigned i = 0; i < sizeof rounds / sizeof *rounds; i++) {
    unsigned long round[2] = {rounds[i][0], rounds[i][1]};
    park_arm_call("collect_stopped", fail_from_here, round);
    assert_int_equal(vgc_collect(), 0);
    fault_fail(FAULT_RESERVE, 0, 0);
    assert_int_not_equal(fault_failed(FAULT_RESERVE), 0);
    struct vgc_stats stats = stats_now();
    assert_int_equal(stats.objects_swept, 0);
    assert_int_equal(stats.live_objects, objects);
    assert_int_equal(mark_objects(), objects);
    size_t reached = 1;
    for (unsigned j = 0; j < WIDTH; j++) reached += check_node(root[j], 1, j);
    assert_int_equal(reached, objects);
  }
}

BUG(N26) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(nothing_is_lost, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("N26", tests, NULL, NULL);
}
