/* The mark stack overflows on what finalizers and ephemerons lead to (B09): with sixteen entries, and a single array
 * needs more, everything is kept and seen to that would be with room enough. The roots are the words of `roots`
 * alone, and the second marker agrees. */
#include "unit.h"

enum { ROOTS = 2, FAMILIES = 40, GENERATIONS = 4 };
enum { WIDTH = 40, WIDE_OBJECTS = 1 + 2 * WIDTH };
static void *roots[ROOTS];

static int setup(void **state) {
  (void)state;
  struct vgc_config given = unit_config(0);
  given.mark_stack = given.mark_stack_max = 16;
  given.check_level = 3;
  given.finalize_on_demand = true;
  memset(roots, 0, sizeof roots);
  unit_start(&given);
  unit_roots(roots, ROOTS);
  return 0;
}

/* ---- What is led to ---- */

struct node {
  struct node *child;
  uintptr_t check;
};

static struct node *node_make(struct node *child) {
  struct node *node = vgc_malloc(sizeof *node);
  *node = (struct node){child, ~(uintptr_t)node};
  return node;
}

/* An array of nodes, each with a child. */
static struct node **wide_make(void) {
  struct node **wide = vgc_malloc(WIDTH * sizeof *wide);
  for (unsigned i = 0; i < WIDTH; i++) wide[i] = node_make(node_make(NULL));
  return wide;
}

static bool node_whole(const struct node *node) { return unit_alive(node) && node->check == ~(uintptr_t)node; }

static void assert_whole(struct node *const *wide) {
  assert_true(unit_alive(wide));
  for (unsigned i = 0; i < WIDTH; i++) assert_true(node_whole(wide[i]) && node_whole(wide[i]->child));
}

/* ---- Finalizers ---- */

/* Each generation waits for the one before, which points to it. */
static const enum vgc_order orders[GENERATIONS] = {VGC_ORDERED, VGC_IGNORE_SELF, VGC_UNORDERED, VGC_UNREACHABLE};
enum { MEMBER_OBJECTS = 3 + 2 * WIDE_OBJECTS };

struct member {
  struct member *self, *next;
  struct node **wide;
  struct vgc_ephemeron *ephemeron; /* of a living key: its value is wide, too */
};

static struct member *members[FAMILIES][GENERATIONS]; /* no roots */
static unsigned calls[FAMILIES][GENERATIONS];

static void assert_member_whole(const struct member *member) {
  assert_true(unit_alive(member));
  assert_whole(member->wide);
  assert_ptr_equal(vgc_ephemeron_key(member->ephemeron), roots[0]);
  struct node **const *box = vgc_ephemeron_value(member->ephemeron);
  assert_true(unit_alive(box));
  assert_whole(*box);
}

static void count(void *object, void *arg) {
  unsigned *called = arg;
  assert_ptr_equal(object, ((struct member **)members)[called - (unsigned *)calls]);
  assert_member_whole(object);
  ++*called;
}

static struct member *member_make(struct member *next, unsigned generation) {
  struct member *member = vgc_malloc(sizeof *member);
  struct node ***box = vgc_malloc(sizeof *box);
  *box = wide_make();
  *member = (struct member){NULL, next, wide_make(), vgc_ephemeron_new(roots[0], box)};
  if (orders[generation] == VGC_IGNORE_SELF) member->self = member;
  return member;
}

static void make_families(void) {
  memset(calls, 0, sizeof calls);
  roots[0] = vgc_malloc(16);
  for (unsigned i = 0; i < FAMILIES; i++) {
    struct member *next = NULL;
    for (unsigned g = GENERATIONS; g-- > 0;) {
      next = members[i][g] = member_make(next, g);
      assert_int_equal(vgc_set_finalizer(next, count, &calls[i][g], orders[g]), 0);
    }
  }
}

/* What of a generation is due, and all that comes after it, is there. */
static void expect_from(unsigned generation) {
  for (unsigned i = 0; i < FAMILIES; i++)
    for (unsigned g = 0; g < GENERATIONS; g++) {
      assert_int_equal(calls[i][g], g < generation);
      if (g >= generation) assert_member_whole(members[i][g]);
    }
  assert_int_equal(mark_objects(), 1 + FAMILIES * (GENERATIONS - generation) * (size_t)MEMBER_OBJECTS);
}

/* No root leads to them, so it is their finalizers that fill the stack; then it is the queue of those that are due. */
static void finalizers_lead_to_more_than_the_stack_holds(void **state) {
  (void)state;
  make_families();
  for (unsigned g = 0; g < GENERATIONS; g++) {
    unit_collect();
    assert_true(mark_overflows() > 0);
    assert_int_equal(vgc_finalizers_due(), FAMILIES);
    expect_from(g);
    unit_collect();
    assert_true(mark_overflows() > 0);
    assert_int_equal(vgc_finalizers_due(), FAMILIES);
    expect_from(g);
    assert_int_equal(vgc_finalize(), FAMILIES);
  }
  unit_collect();
  assert_int_equal(mark_overflows(), 0);
  assert_int_equal(vgc_finalizers_due(), 0);
  expect_from(GENERATIONS);
}

/* ---- Ephemerons ---- */

/* Each value leads to the next key, by the last node of an array. */
static void values_lead_to_more_than_the_stack_holds(void **state) {
  (void)state;
  static struct node **wides[FAMILIES];
  struct vgc_ephemeron **ephemerons = roots[1] = vgc_malloc(FAMILIES * sizeof *ephemerons);
  void *key = roots[0] = vgc_malloc(16);
  for (unsigned i = 0; i < FAMILIES; i++) {
    wides[i] = wide_make();
    ephemerons[i] = vgc_ephemeron_new(key, wides[i]);
    key = wides[i][WIDTH - 1]->child;
  }
  for (unsigned cycle = 0; cycle < 2; cycle++) {
    unit_collect();
    assert_true(mark_overflows() > FAMILIES / 2);
    for (unsigned i = 0; i < FAMILIES; i++) assert_whole(wides[i]);
    assert_int_equal(mark_objects(), 2 + FAMILIES * (size_t)(1 + WIDE_OBJECTS));
  }
  roots[0] = NULL;
  unit_collect();
  for (unsigned i = 0; i < FAMILIES; i++) assert_null(vgc_ephemeron_key(ephemerons[i]));
  assert_int_equal(mark_objects(), 1 + FAMILIES);
}

/* ---- Rescans ---- */

/* Of a tree: arrays, each of some arrays of leaves, each with a child. */
enum { ARRAYS = 64, EACH = 20, LEAVES = ARRAYS * EACH * EACH };
static struct node *leaves[ARRAYS * EACH][EACH], **low[ARRAYS][EACH]; /* no roots */

/* What is held lies below what holds it, so that a rescan in order of address overflows behind itself. */
static struct node ****tree_make(void) {
  for (unsigned i = 0; i < LEAVES; i++) leaves[i / EACH][i % EACH] = node_make(NULL);
  for (unsigned i = 0; i < ARRAYS * EACH; i++)
    low[i / EACH][i % EACH] = memcpy(vgc_malloc(sizeof leaves[i]), leaves[i], sizeof leaves[i]);
  struct node ****tree = vgc_malloc(ARRAYS * sizeof *tree);
  for (unsigned i = 0; i < ARRAYS; i++) tree[i] = memcpy(vgc_malloc(sizeof low[i]), low[i], sizeof low[i]);
  for (unsigned i = 0; i < LEAVES; i++) leaves[i / EACH][i % EACH]->child = node_make(NULL);
  return tree;
}

static unsigned tree_calls;
static void count_tree(void *tree, void *arg) {
  (void)tree, (void)arg;
  tree_calls++;
}

static void what_overflows_in_a_rescan_is_scanned_again(void **state) {
  (void)state;
  tree_calls = 0;
  assert_int_equal(vgc_set_finalizer(tree_make(), count_tree, NULL, VGC_ORDERED), 0);
  for (unsigned cycle = 0; cycle < 2; cycle++) {
    unit_collect();
    assert_true(mark_overflows() >= 2);
    assert_int_equal(mark_objects(), 1 + ARRAYS + ARRAYS * EACH + 2 * LEAVES);
    for (unsigned i = 0; i < LEAVES; i++) assert_true(node_whole(leaves[i / EACH][i % EACH]->child));
  }
  assert_int_equal(vgc_finalize(), 1);
  assert_int_equal(tree_calls, 1);
  unit_collect();
  assert_int_equal(mark_objects(), 0);
}

UNIT(overflow) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, unit_teardown)
  const struct CMUnitTest tests[] = {
      TEST(finalizers_lead_to_more_than_the_stack_holds),
      TEST(values_lead_to_more_than_the_stack_holds),
      TEST(what_overflows_in_a_rescan_is_scanned_again),
  };
  return cmocka_run_group_tests_name("overflow", tests, NULL, NULL);
}
