/* V11: freeing one tiny object frees those that share its slot.
 *
 * Objects of one to eight bytes are packed closely; every second one is freed and its room issued again. The others
 * keep their address and their bytes. */
#include "bug.h"
#include "probe.h"

enum { OBJECTS = 256 };
static unsigned char *objects[OBJECTS], *again[OBJECTS];

static void neighbours_survive(size_t size) {
  for (unsigned i = 0; i < OBJECTS; i++) {
    assert_non_null(objects[i] = vgc_malloc_noscan(size));
    memset(objects[i], (int)i, size);
  }
  for (unsigned i = 0; i < OBJECTS; i += 2) vgc_free(objects[i]);
  for (unsigned i = 0; i < OBJECTS; i++) {
    assert_non_null(again[i] = vgc_malloc_noscan(size));
    memset(again[i], 0xee, size);
  }
  for (unsigned i = 1; i < OBJECTS; i += 2) {
    assert_ptr_equal(vgc_base_of(objects[i]), objects[i]);
    for (size_t byte = 0; byte < size; byte++) assert_int_equal(objects[i][byte], (unsigned char)i);
  }
}

static void neighbours_of_freed_tiny_objects_survive(void **state) {
  (void)state;
  start_quiet();
  for (size_t size = 1; size <= 16; size++) neighbours_survive(size);
}

BUG(V11) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(neighbours_of_freed_tiny_objects_survive, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("V11", tests, NULL, NULL);
}
