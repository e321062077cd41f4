/* X74: a layout's last bitmap word says more than the element has words.
 *
 * "Every word may be a pointer" is written as all ones whatever the size. What lies past the element belongs to the
 * next slot, or to no arena at all. */
#include "bug.h"
#include "probe.h"

enum { COUNT = 32, SIZE = 704 };

static void **volatile root;
static uintptr_t targets[COUNT];

static void make(void *arg) {
  vgc_layout_id layout = *(vgc_layout_id *)arg;
  for (unsigned i = 0; i < COUNT; i++) {
    void **element = vgc_malloc_typed(layout, 1);
    must(element && (element[1] = vgc_malloc(SIZE)));
    targets[i] = hide(element[1]);
    if (i == 0) root = element;
  }
}

static void only_the_element_is_scanned(void **state) {
  (void)state;
  start_quiet();
  static const uint64_t all[] = {UINT64_MAX};
  vgc_layout_id layout = vgc_layout_register(&(struct vgc_layout){.size = 16, .pointer_words = all, .name = "pair"});
  assert_int_not_equal(layout, 0);
  probe_in_thread(make, &layout);
  assert_int_equal(vgc_collect(), 0);
  assert_true(probe_alive(targets[0]));
  for (unsigned i = 1; i < COUNT; i++) assert_false(probe_alive(targets[i]));
}

BUG(X74) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(only_the_element_is_scanned, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("X74", tests, NULL, NULL);
}
