/* N17: registers of a suspended thread.
 *
 * A thread may be suspended while one general or vector register holds the only reference. */
#include "bug.h"
#include "leaf.h"

static void each(const struct leaf *leaves, size_t count) {
  if (UNDER_TSAN) not_applicable("ThreadSanitizer delivers no signal into assembly");
  for (size_t i = 0; i < count; i++)
    if (!leaf_survives_stop(&leaves[i])) fail_msg("an object held by %s was reclaimed", leaves[i].place);
}

static void general(void **state) {
  (void)state;
  each(leaf_general, leaf_general_count);
}

static void vector(void **state) {
  (void)state;
  each(leaf_vector, leaf_vector_count);
}

static void wide(void **state) {
  (void)state;
  if (__builtin_cpu_supports("avx")) each(leaf_wide, leaf_wide_count);
}

BUG(N17) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(general, fault_reset, park_reset),
                                     cmocka_unit_test_setup_teardown(vector, fault_reset, park_reset),
                                     cmocka_unit_test_setup_teardown(wide, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("N17", tests, NULL, NULL);
}
