/* G01: the marker works with bounds of the heap that it took before the heap grew.
 *
 * Objects of every arena are marked, those that were added last too. */
#include "bug.h"

enum { NODES = 8192, ROUNDS = 2 };

struct node {
  struct node *next;
  uintptr_t value[31];
};

static struct node *chain;

static void objects_of_every_arena_live(void **state) {
  (void)state;
  struct vgc_config wanted = config_quiet();
  wanted.arena_bytes = 256 << 10;
  assert_int_equal(vgc_init(&wanted), 0);
  for (unsigned round = 1; round <= ROUNDS; round++) {
    for (uintptr_t i = 0; i < NODES; i++) {
      struct node *node = vgc_malloc(sizeof *node);
      node->next = chain;
      chain = node;
    }
    assert_int_equal(vgc_collect(), 0);
    struct vgc_stats stats = stats_now();
    assert_true(stats.arenas > round);
    assert_int_equal(stats.objects_swept, 0);
    assert_int_equal(stats.live_objects, round * NODES);
  }
}

BUG(G01) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(objects_of_every_arena_live, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("G01", tests, NULL, NULL);
}
