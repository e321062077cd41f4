/* P03: memory runs out inside a collection, and the heap that it leaves is broken.
 *
 * Wide and deep structures are marked from the smallest stack while, for every k, the kth and all later requests of the
 * collector for memory fail. What is reachable survives each such cycle; the next one, with memory, finds the garbage.
 */
#include "bug.h"
#include "objects.h"
#include "probe.h"

#include <errno.h>

enum { WIDTH = 600, DEPTH = 6, GARBAGE = 500 };
struct node {
  struct node *next;
  size_t number;
};
static struct node **wide;
static unsigned completed_without; /* cycles that ended although a request had failed */

static void make_live(void *arg) {
  (void)arg;
  must(wide = vgc_malloc(WIDTH * sizeof *wide));
  for (size_t i = 0; i < WIDTH; i++)
    for (size_t depth = 0; depth < DEPTH; depth++) {
      struct node *node = vgc_malloc(sizeof *node);
      must(node);
      node->next = wide[i];
      node->number = i * DEPTH + depth;
      wide[i] = node;
    }
}

static void make_garbage(void *arg) {
  (void)arg;
  for (unsigned i = 0; i < GARBAGE; i++) must(vgc_malloc(48));
}

static void live_is_whole(void) {
  stats_now();
  assert_ptr_equal(vgc_base_of(wide), wide);
  for (size_t i = 0; i < WIDTH; i++) {
    const struct node *node = wide[i];
    for (size_t depth = DEPTH; depth-- > 0; node = node->next) {
      assert_ptr_equal(vgc_base_of(node), node);
      assert_int_equal(node->number, i * DEPTH + depth);
    }
    assert_null(node);
  }
}

/* A heap of its own, whose mark stack is small again. False if its collection asked for memory fewer than k times. */
static bool collect_without_the_kth(unsigned k) {
  struct vgc_config given = config_quiet();
  given.mark_stack = 16;
  assert_int_equal(vgc_init(&given), 0);
  probe_in_thread(make_live, NULL);
  probe_in_thread(make_garbage, NULL);
  fault_reset(NULL);
  fault_fail(FAULT_RESERVE, k, ~0ul);
  int result = vgc_collect();
  int error = errno;
  bool failed = fault_failed(FAULT_RESERVE) != 0;
  fault_reset(NULL);
  assert_true(result == 0 || (failed && error == ENOMEM));
  completed_without += failed && result == 0;
  live_is_whole();
  assert_int_equal(vgc_collect(), 0);
  live_is_whole();
  assert_int_equal(stats_now().live_objects, (uint64_t)WIDTH * DEPTH + 1);
  wide = NULL;
  assert_int_equal(vgc_shutdown(), 0);
  return failed;
}

static void heap_survives_a_cycle_without_memory(void **state) {
  (void)state;
  for (unsigned k = 0; collect_without_the_kth(k); k++) {
  }
  assert_true(completed_without >= 3);
}

BUG(P03) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(heap_survives_a_cycle_without_memory, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("P03", tests, NULL, NULL);
}
