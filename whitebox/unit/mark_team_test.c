/* Helpers of the collector: what several markers find is what one finds, and they come and go with the library. */
#include <semaphore.h>

#include "unit.h"

enum { NODES = 30000, MARKERS = 4 };

struct node {
  struct node *across, *down[2];
};
static void *roots[1];

static void start(struct vgc_config given) {
  given.mark_workers = MARKERS;
  given.minimum_heap = 1;
  unit_start(&given);
  unit_roots(roots, 1);
}

/* A tree in the order of allocation, with links across. */
static struct node **build(void) {
  static struct node *nodes[NODES]; /* no root: `roots` alone is */
  uint64_t random = 1;
  vgc_disable();
  for (unsigned i = 0; i < NODES; i++) nodes[i] = vgc_malloc(sizeof **nodes);
  for (unsigned i = 0; i < NODES; i++)
    *nodes[i] =
        (struct node){nodes[unit_random(&random) % NODES],
                      {2 * i + 1 < NODES ? nodes[2 * i + 1] : NULL, 2 * i + 2 < NODES ? nodes[2 * i + 2] : NULL}};
  roots[0] = nodes[0];
  vgc_enable();
  return nodes;
}

static void expect_all(struct node **nodes) {
  assert_int_equal(mark_objects(), NODES);
  assert_int_equal(stats_now().live_objects, NODES);
  for (unsigned i = 0; i < NODES; i++) assert_true(unit_alive(nodes[i]));
}

static sem_t joined;
static bool stopped;

static void tell(void *unused) {
  (void)unused;
  stopped = world_is_stopped();
  sem_post(&joined);
}

static void wait_for_helper(void *unused) {
  (void)unused;
  while (sem_wait(&joined) != 0) continue;
}

static void a_helper_takes_part(void **state) {
  (void)state;
  sem_init(&joined, 0, 0);
  start(unit_config(0));
  struct node **nodes = build();
  unit_collect();
  assert_int_equal(mark_team_helpers(), MARKERS - 1);
  park_arm_call("mark_team_joined", tell, NULL);
  park_arm_call("mark_after_roots", wait_for_helper, NULL);
  unit_collect();
  assert_true(stopped);
  expect_all(nodes);
}

/* The second marker compares, and is alone. */
static void helpers_find_what_one_marker_finds(void **state) {
  (void)state;
  struct vgc_config given = unit_config(0);
  given.check_level = 3;
  start(given);
  struct node **nodes = build();
  for (unsigned cycle = 0; cycle < 10; cycle++) {
    unit_collect();
    expect_all(nodes);
  }
}

static void stacks_of_helpers_may_overflow(void **state) {
  (void)state;
  struct vgc_config given = unit_config(0);
  given.mark_stack = given.mark_stack_max = 16;
  start(given);
  struct node **nodes = build();
  unsigned rescans = 0;
  for (unsigned cycle = 0; cycle < 10; cycle++) {
    unit_collect();
    expect_all(nodes);
    rescans += mark_overflows();
  }
  assert_true(rescans > 0);
}

static void a_small_heap_has_no_helpers(void **state) {
  (void)state;
  struct vgc_config given = unit_config(0);
  given.mark_workers = MARKERS;
  unit_start(&given);
  unsigned before = probe_tasks();
  void *object = vgc_malloc(64);
  unit_collect();
  unit_collect();
  assert_int_equal(mark_team_helpers(), 0);
  assert_int_equal(probe_tasks(), before);
  KEEP_ALIVE(object);
}

enum { HEAP = 5 << 20 };

static void build_large(void) {
  unit_roots(roots, 1);
  vgc_disable();
  for (size_t bytes = 0; bytes < HEAP; bytes += sizeof(struct node)) {
    struct node *node = vgc_malloc(sizeof *node);
    *node = (struct node){roots[0], {NULL, NULL}};
    roots[0] = node;
  }
  vgc_enable();
}

/* The first cycle cannot know yet how large the heap is. */
static void start_large(unsigned markers) {
  struct vgc_config given = unit_config(0);
  given.mark_workers = markers;
  given.minimum_heap = HEAP;
  unit_start(&given);
  build_large();
  unit_collect();
  assert_int_equal(mark_markers(), 1);
}

static void a_large_heap_has_as_many_as_were_asked_for(void **state) {
  (void)state;
  start_large(3);
  for (unsigned cycle = 0; cycle < 20; cycle++) {
    unit_collect();
    assert_int_equal(mark_markers(), 3);
  }
}

static void by_default_both_ways_are_tried(void **state) {
  (void)state;
  if (platform_processors() == 1) not_applicable("one processor: there are no helpers");
  start_large(0);
  unit_collect();
  assert_true(mark_markers() > 1);
  unsigned alone = 0;
  for (unsigned cycle = 0; cycle < 16; cycle++) {
    unit_collect();
    alone += mark_markers() == 1;
  }
  assert_in_range(alone, 1, 15);
}

static void shutdown_ends_helpers(void **state) {
  (void)state;
  unsigned before = probe_tasks();
  for (unsigned round = 0; round < 3; round++) {
    start(unit_config(0));
    build();
    unit_collect();
    assert_int_equal(probe_tasks(), before + MARKERS - 1);
    assert_int_equal(vgc_shutdown(), 0);
    assert_int_equal(probe_tasks(), before);
  }
}

static void collect_in_child(void *nodes) {
  must(mark_team_helpers() == 0);
  for (unsigned cycle = 0; cycle < 3; cycle++) {
    must(vgc_collect() == 0);
    must(mark_objects() == NODES);
    must(mark_team_helpers() == MARKERS - 1);
  }
  for (unsigned i = 0; i < NODES; i++) must(unit_alive(((struct node **)nodes)[i]));
}

static void a_forked_child_hires_its_own(void **state) {
  (void)state;
  if (UNDER_TSAN) not_applicable("ThreadSanitizer's runtime does not follow a fork of many threads");
  start(unit_config(0));
  struct node **nodes = build();
  unit_collect();
  struct child_result result;
  child_run(collect_in_child, nodes, 20, &result);
  if (result.exit_code != 0) print_error("%s", result.text);
  assert_int_equal(result.exit_code, 0);
  unit_collect();
  expect_all(nodes);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fault_reset, unit_teardown)

UNIT(mark_team) {
  const struct CMUnitTest tests[] = {
      TEST(a_helper_takes_part),
      TEST(helpers_find_what_one_marker_finds),
      TEST(stacks_of_helpers_may_overflow),
      TEST(a_small_heap_has_no_helpers),
      TEST(a_large_heap_has_as_many_as_were_asked_for),
      TEST(by_default_both_ways_are_tried),
      TEST(shutdown_ends_helpers),
      TEST(a_forked_child_hires_its_own),
  };
  return cmocka_run_group_tests_name("mark_team", tests, NULL, NULL);
}
