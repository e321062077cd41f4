/* V08: a span remembers the layout of its first object and scans all others with it.
 *
 * Two types of one size class have their pointers at different words; their objects share a span. Each keeps its own
 * child alive. */
#include "bug.h"
#include "objects.h"
#include "probe.h"

enum { PAIRS = 8 };
static void **kept[2 * PAIRS];
static uintptr_t children[2 * PAIRS];

static void make_objects(void *arg) {
  const vgc_layout_id *layouts = arg;
  for (unsigned i = 0; i < 2 * PAIRS; i++) {
    kept[i] = vgc_malloc_typed(layouts[i % 2], 1);
    must(kept[i]);
    void *child = vgc_malloc(24);
    must(child);
    kept[i][i % 2 ? 5 : 0] = child;
    children[i] = hide(child);
  }
}

static void each_object_is_scanned_by_its_own_layout(void **state) {
  (void)state;
  start_quiet();
  const uint64_t first_word = 1, sixth_word = 1 << 5;
  const vgc_layout_id layouts[2] = {
      vgc_layout_register(&(struct vgc_layout){.size = 64, .pointer_words = &first_word, .name = "first"}),
      vgc_layout_register(&(struct vgc_layout){.size = 64, .pointer_words = &sixth_word, .name = "sixth"})};
  assert_true(layouts[0] && layouts[1]);
  probe_in_thread(make_objects, (void *)(uintptr_t)layouts);
  assert_ptr_equal(span_of((uintptr_t)kept[0]), span_of((uintptr_t)kept[1]));
  assert_int_equal(vgc_collect(), 0);
  for (unsigned i = 0; i < 2 * PAIRS; i++) assert_true(probe_alive(children[i]));
}

BUG(V08) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(each_object_is_scanned_by_its_own_layout, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("V08", tests, NULL, NULL);
}
