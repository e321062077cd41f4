/* N18: callee-saved registers of a thread that collects, or that enters a blocking region.
 *
 * What its caller holds in such a register alone is a root. setjmp, which mangles rbp, would lose it. */
#include "bug.h"
#include "leaf.h"

static void collecting(void **state) {
  (void)state;
  for (size_t i = 0; i < leaf_saved_count; i++)
    if (!leaf_survives_own_collection(&leaf_collects[i]))
      fail_msg("an object that the collecting thread held in %s was reclaimed", leaf_collects[i].place);
}

static void blocking(void **state) {
  (void)state;
  for (size_t i = 0; i < leaf_saved_count; i++)
    if (!leaf_survives_stop(&leaf_blocks[i]))
      fail_msg("an object that a blocking thread held in %s was reclaimed", leaf_blocks[i].place);
}

BUG(N18) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(collecting, fault_reset, park_reset),
                                     cmocka_unit_test_setup_teardown(blocking, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("N18", tests, NULL, NULL);
}
