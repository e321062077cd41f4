/* N16: the red zone.
 *
 * A leaf function may keep a reference in the 128 bytes below its stack pointer and nowhere else. */
#include "bug.h"
#include "leaf.h"

static void each_word(void **state) {
  (void)state;
  if (UNDER_TSAN) not_applicable("ThreadSanitizer delivers no signal into assembly");
  for (size_t i = 0; i < leaf_red_zone_count; i++)
    if (!leaf_survives_stop(&leaf_red_zone[i])) fail_msg("an object held by %s was reclaimed", leaf_red_zone[i].place);
}

BUG(N16) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(each_word, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("N16", tests, NULL, NULL);
}
