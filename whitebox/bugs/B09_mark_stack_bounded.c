/* B09: the mark stack overflows.
 *
 * With a stack of sixteen entries a deep list, a wide array and a wide tree are marked whole: what does not fit is
 * scanned later, and what does not fit then later still. */
#include "bug.h"

enum { DEEP = 100000, WIDE = 40000 };
/* A tree: roots, each with some wide arrays of leaves, each with a child. */
enum { ROOTS = 64, EACH = 20, WIDTH = 20, WIDES = ROOTS * EACH, LEAVES = WIDES * WIDTH };

struct node {
  struct node *next;
  uintptr_t value;
};

static struct node *list, **array, ****tree;
static struct node *leaves[LEAVES], **wides[WIDES];

static struct node *make_node(struct node *next, uintptr_t value) {
  struct node *node = vgc_malloc(sizeof *node);
  must(node);
  node->next = next;
  node->value = value;
  return node;
}

static void start(void) {
  struct vgc_config wanted = config_quiet();
  wanted.mark_stack = wanted.mark_stack_max = 16;
  assert_int_equal(vgc_init(&wanted), 0);
}

static void marked_whole(size_t objects) {
  for (unsigned i = 0; i < 2; i++) {
    assert_int_equal(vgc_collect(), 0);
    assert_int_equal(stats_now().objects_swept, 0);
    assert_int_equal(mark_objects(), objects);
  }
}

static void deep_list(void **state) {
  (void)state;
  start();
  for (uintptr_t i = 0; i < DEEP; i++) list = make_node(list, i);
  marked_whole(DEEP);
  uintptr_t expected = DEEP;
  for (const struct node *node = list; node; node = node->next) assert_int_equal(node->value, --expected);
  assert_int_equal(expected, 0);
  list = NULL;
  assert_int_equal(vgc_shutdown(), 0);
}

/* Each entry has a child, so that an entry whose scan is put off matters. */
static void wide_array(void **state) {
  (void)state;
  start();
  array = vgc_malloc(WIDE * sizeof *array);
  for (uintptr_t i = 0; i < WIDE; i++) array[i] = make_node(make_node(NULL, i + 1), i);
  marked_whole(1 + 2 * WIDE);
  assert_int_not_equal(mark_overflows(), 0);
  for (uintptr_t i = 0; i < WIDE; i++) {
    assert_int_equal(array[i]->value, i);
    assert_int_equal(array[i]->next->value, i + 1);
  }
  array = NULL;
  assert_int_equal(vgc_shutdown(), 0);
}

/* What is held lies below what holds it, so that a rescan in order of address overflows behind itself. */
static void overflow_while_rescanning(void **state) {
  (void)state;
  start();
  for (unsigned i = 0; i < LEAVES; i++) leaves[i] = make_node(NULL, i);
  for (unsigned i = 0; i < WIDES; i++) {
    wides[i] = vgc_malloc(WIDTH * sizeof **wides);
    for (unsigned j = 0; j < WIDTH; j++) wides[i][j] = leaves[i * WIDTH + j];
  }
  tree = vgc_malloc(ROOTS * sizeof *tree);
  for (unsigned i = 0; i < ROOTS; i++) {
    tree[i] = vgc_malloc(EACH * sizeof **tree);
    for (unsigned j = 0; j < EACH; j++) tree[i][j] = wides[i * EACH + j];
  }
  for (unsigned i = 0; i < LEAVES; i++) leaves[i]->next = make_node(NULL, i + 1);
  memset(leaves, 0, sizeof leaves);
  memset(wides, 0, sizeof wides);
  marked_whole(1 + ROOTS + WIDES + 2 * LEAVES);
  assert_in_range(mark_overflows(), 2, 100);
  for (unsigned i = 0; i < LEAVES; i++)
    assert_int_equal(tree[i / WIDTH / EACH][i / WIDTH % EACH][i % WIDTH]->next->value, i + 1);
}

BUG(B09) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(deep_list, fault_reset, park_reset),
      cmocka_unit_test_setup_teardown(wide_array, fault_reset, park_reset),
      cmocka_unit_test_setup_teardown(overflow_while_rescanning, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("B09", tests, NULL, NULL);
}
