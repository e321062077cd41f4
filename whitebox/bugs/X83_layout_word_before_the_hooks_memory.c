/* X83: a typed array that no address space holds is given by the out-of-memory hook, and its layout written before it.
 */
#include "bug.h"
#include "probe.h"

static uintptr_t emergency[64];

static void *give(void *arg, size_t size) {
  (void)arg, (void)size;
  return &emergency[32];
}

static void nothing_is_written(void **state) {
  (void)state;
  start_quiet();
  const struct vgc_hooks hooks = {.struct_size = sizeof hooks, .out_of_memory = give};
  vgc_set_hooks(&hooks, NULL);
  static const uint64_t first[] = {1};
  vgc_layout_id layout = vgc_layout_register(&(struct vgc_layout){.size = 8, .pointer_words = first});
  assert_ptr_equal(vgc_malloc_typed(layout, SIZE_MAX / 8 - 1), &emergency[32]);
  for (unsigned i = 0; i < 64; i++) assert_int_equal(emergency[i], 0);
  vgc_set_hooks(NULL, NULL);
}

BUG(X83) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(nothing_is_written, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("X83", tests, NULL, NULL);
}
