/* X52: hooks from a program that was built when the structure was shorter.
 *
 * What lies in the program's memory behind its structure must not be called. */
#include "bug.h"
#include "probe.h"

static unsigned known, strangers;

static void hook(void *arg) { ++*(unsigned *)arg; }

static void stranger(void *arg, const struct vgc_stats *stats) {
  (void)arg, (void)stats;
  strangers++;
}

static void only_known_hooks_are_called(void **state) {
  (void)state;
  start_quiet();
  const struct vgc_hooks older = {
      .struct_size = offsetof(struct vgc_hooks, cycle_end), .arg = &known, .cycle_start = hook, .cycle_end = stranger};
  struct vgc_hooks before;
  vgc_set_hooks(&older, NULL);
  assert_int_equal(vgc_collect(), 0);
  assert_int_equal(known, 1);
  assert_int_equal(strangers, 0);
  vgc_set_hooks(NULL, &before);
  assert_true(before.cycle_start == hook && !before.cycle_end);
}

BUG(X52) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(only_known_hooks_are_called)};
  return cmocka_run_group_tests_name("X52", tests, NULL, NULL);
}
