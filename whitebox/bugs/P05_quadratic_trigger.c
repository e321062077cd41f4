/* P05: a cycle starts after a fixed amount of allocation, whatever lives: growing to N bytes costs N^2 of marking.
 *
 * A live set grows to N and then to 2N. All that is marked on the way stays within a small multiple of what lives. */
#include "bug.h"
#include "objects.h"

enum { MINIMUM = 64 * 1024, BYTES = 2 * 1024 * 1024 };
struct node {
  struct node *next;
  char bytes[248];
};
static struct node *list;
static uint64_t marked, cycles;

static void count_work(void *arg, const struct vgc_stats *stats) {
  (void)arg;
  marked += stats->marked_bytes;
  cycles++;
}

static void grow_to(size_t bytes, size_t *live) {
  for (; *live < bytes; *live += sizeof *list) {
    struct node *node = vgc_malloc(sizeof *node);
    assert_non_null(node);
    node->next = list;
    list = node;
  }
}

static void work_is_proportional_to_growth(void **state) {
  (void)state;
  struct vgc_config given;
  vgc_config_default(&given);
  given.minimum_heap = MINIMUM;
  assert_int_equal(vgc_init(&given), 0);
  const struct vgc_hooks hooks = {.struct_size = sizeof hooks, .cycle_end = count_work};
  vgc_set_hooks(&hooks, NULL);
  vgc_root_modules(0); /* a sanitizer's data would let the heap grow further between cycles */
  assert_int_equal(vgc_root_add(&list, sizeof list), 0);
  size_t live = 0;
  grow_to(BYTES, &live);
  assert_in_range(marked, BYTES / 4, 3 * BYTES);
  grow_to(2 * BYTES, &live);
  assert_in_range(marked, BYTES / 2, 3 * 2 * BYTES);
  assert_in_range(cycles, 2, 12);
  vgc_set_hooks(NULL, NULL);
}

BUG(P05) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(work_is_proportional_to_growth, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("P05", tests, NULL, NULL);
}
