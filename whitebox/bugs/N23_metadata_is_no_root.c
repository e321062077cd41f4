/* N23: the collector's own data is scanned as a root.
 *
 * The arena's base, which the collector keeps, equals the address of the first object; the object must die all the
 * same, and all that it holds. */
#include "bug.h"
#include "probe.h"

enum { NODES = 1000 };

struct node {
  struct node *next;
  uintptr_t value[7];
};

static uintptr_t first;

static void make_chain(void *arg) {
  (void)arg;
  struct node *head = vgc_malloc(sizeof *head);
  first = hide(head);
  must(first == ~arenas[0].base);
  for (unsigned i = 1; i < NODES; i++) {
    struct node *node = vgc_malloc(sizeof *node);
    node->next = head->next;
    head->next = node;
  }
}

static void first_object_dies(void **state) {
  (void)state;
  start_quiet();
  static struct worker worker;
  worker_start(&worker);
  worker_do(&worker, make_chain, NULL);
  worker_stop(&worker);
  assert_int_equal(vgc_collect(), 0);
  assert_int_equal(stats_now().objects_swept, NODES);
  assert_null(vgc_base_of(reveal(first)));
}

BUG(N23) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(first_object_dies, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("N23", tests, NULL, NULL);
}
