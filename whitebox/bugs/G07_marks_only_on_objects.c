/* G07: marks without objects, seen when a sweep "increases the number of objects".
 *
 * Many different bugs leave a mark on a slot that is free. The whole-heap check finds it at once and says so. */
#include "bug.h"

#include <signal.h>

enum { SIZE = 64 };

static void mark_a_free_slot(void *slot) {
  struct span *span = span_of((uintptr_t)slot);
  uint32_t index = span_slot(span, (uintptr_t)slot);
  span->bits[index / 64].mark |= UINT64_C(1) << index % 64;
}

static void collect_with_check(void *plant) {
  struct vgc_config wanted = config_quiet();
  wanted.check_level = 3;
  must(vgc_init(&wanted) == 0);
  void *kept = vgc_malloc(SIZE), *freed = vgc_malloc(SIZE);
  vgc_free(freed);
  if (plant) park_arm_call("mark_after_roots", mark_a_free_slot, freed);
  must(vgc_collect() == 0);
  must(vgc_base_of(kept) == kept);
}

static void mark_on_a_free_slot_is_found(void **state) {
  (void)state;
  struct child_result result;
  child_run(collect_with_check, "plant", 5, &result);
  assert_int_equal(result.signal, SIGABRT);
  assert_non_null(strstr(result.text, "check failed: !(span->bits[w].mark & "));
  child_run(collect_with_check, NULL, 5, &result);
  assert_int_equal(result.exit_code, 0);
}

BUG(G07) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(mark_on_a_free_slot_is_found, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("G07", tests, NULL, NULL);
}
