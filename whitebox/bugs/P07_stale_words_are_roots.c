/* P07: memory that is scanned before the program has written it retains what an earlier user left there.
 *
 * A slot full of pointers is freed and issued again for a smaller request. The words past that request must not keep
 * the old user's object alive. */
#include "bug.h"
#include "objects.h"
#include "probe.h"

static void *kept;
static uintptr_t garbage;

static void issue_a_used_slot_again(void *arg) {
  (void)arg;
  void *object = vgc_malloc(200);
  must(object);
  garbage = hide(object);
  void **used = vgc_malloc(64);
  must(used);
  unsigned count = span_of((uintptr_t)used)->slots;
  for (unsigned i = 1; i < count; i++) must(vgc_malloc(64));
  for (unsigned word = 0; word < 8; word++) used[word] = object;
  vgc_free(used);
  must(kept = vgc_malloc(49));
  must(kept == used);
}

static void slot_issued_again_holds_nothing(void **state) {
  (void)state;
  start_quiet();
  probe_in_thread(issue_a_used_slot_again, NULL);
  assert_int_equal(vgc_collect(), 0);
  assert_true(probe_alive(hide(kept)));
  assert_false(probe_alive(garbage));
}

BUG(P07) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(slot_issued_again_holds_nothing, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("P07", tests, NULL, NULL);
}
