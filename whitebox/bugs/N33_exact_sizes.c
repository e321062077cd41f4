/* N33: an index that is off by one puts an exact size into the next class.
 *
 * Every size lands in the smallest class that holds it, and an exact size in its own. */
#include "bug.h"

static void smallest_class_that_holds_it(void **state) {
  (void)state;
  must(vgc_malloc(1));
  for (size_t size = 1; size <= SIZECLASS_SMALL_MAX; size++) {
    unsigned class_index = sizeclass_of(size);
    assert_in_range(class_index, 0, SIZECLASS_COUNT - 1);
    assert_in_range(sizeclass_table[class_index].size, size, SIZECLASS_SMALL_MAX);
    if (class_index) assert_in_range(sizeclass_table[class_index - 1].size, 1, size - 1);
  }
}

static void exact_size_wastes_nothing(void **state) {
  (void)state;
  static const size_t sizes[] = {8, 16, 32, 48, 240, 256, 288, 512, 1024, 1152, 16384, 32768};
  for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    void *object = vgc_malloc_noscan(sizes[i]);
    assert_int_equal(vgc_usable_size(object), sizes[i]);
    vgc_free(object);
  }
}

BUG(N33) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(smallest_class_that_holds_it, fault_reset, park_reset),
      cmocka_unit_test_setup_teardown(exact_size_wastes_nothing, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("N33", tests, NULL, NULL);
}
