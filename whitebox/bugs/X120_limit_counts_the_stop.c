/* X120: the limit of a pause counted from before the stop. Where a thread was slow to answer, each cycle of the pace
 * was given up before it had marked anything, and the heap grew, however little there was to mark.
 *
 * By the clock each stop takes ten times as long as the limit, and marking, in truth, next to nothing of it. */
#include "bug.h"
#include "objects.h"

static const uint64_t limit_ns = UINT64_C(100000000000);

static void leap_while_stopping(void *arg, enum vgc_phase phase) {
  (void)arg;
  if (phase != VGC_PHASE_STOPPING) return;
  fault_leap(10 * limit_ns);
  platform_now_ns();
  fault_leap(0);
}

static void slow_stops_are_no_marking(void **state) {
  (void)state;
  struct vgc_config wanted;
  vgc_config_default(&wanted);
  wanted.minimum_heap = 1 << 20;
  wanted.pause_limit_us = limit_ns / 1000;
  assert_int_equal(vgc_init(&wanted), 0);
  const struct vgc_hooks hooks = {.struct_size = sizeof hooks, .phase = leap_while_stopping};
  vgc_set_hooks(&hooks, NULL);
  for (unsigned i = 0; i < 20000; i++) must(vgc_malloc(1000));
  struct vgc_stats stats = stats_now();
  assert_true(stats.cycles > 0);
  assert_true(stats.stop_ns_last > limit_ns);
  assert_int_equal(stats.cycles_given_up, 0);
}

BUG(X120) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(slow_stops_are_no_marking, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("X120", tests, NULL, NULL);
}
