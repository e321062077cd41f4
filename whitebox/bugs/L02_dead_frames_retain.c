/* L02: what dead frames left on the stack below its pointer keeps objects alive.
 *
 * A thread stores pointers in a frame far down its stack, returns from it and collects. Nothing down there is live. */
#include "bug.h"
#include "objects.h"
#include "probe.h"

static uintptr_t hidden;

static __attribute__((noinline)) void hold_in_a_frame(void) {
  void *volatile words[64];
  void *object = vgc_malloc(64);
  must(object);
  for (unsigned i = 0; i < 64; i++) words[i] = object;
  hidden = hide(words[63]);
}

/* Keeps the frames below out of reach of those that the collection will make. */
static __attribute__((noinline)) void go_deep(void) {
  char gap[128 * 1024];
  __asm__ volatile("" : : "r"(gap) : "memory");
  hold_in_a_frame();
  __asm__ volatile("" : : "r"(gap) : "memory");
}

static void leave_and_collect(void *arg) {
  (void)arg;
  must(vgc_malloc(64)); /* registered, cache and all, before it goes deep */
  go_deep();
  must(collect_now(COLLECT_EXPLICIT)); /* vgc_collect would clear it */
}

static void dead_frames_are_no_roots(void **state) {
  (void)state;
  start_quiet();
  probe_in_thread(leave_and_collect, NULL);
  assert_false(probe_alive(hidden));
}

BUG(L02) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(dead_frames_are_no_roots, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("L02", tests, NULL, NULL);
}
