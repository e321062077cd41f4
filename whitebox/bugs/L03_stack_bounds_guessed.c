/* L03: the function that tells a thread's stack is missing, and a guess from the stack pointer takes its place.
 *
 * A thread that registers deep in its stack must still be scanned to its end: an object that only its first frame holds
 * survives. Every thread's bounds are those that the system tells. */
#include "bug.h"
#include "objects.h"
#include "probe.h"

static uintptr_t hidden;

static void bounds_are_true(void) {
  pthread_attr_t attributes;
  void *start;
  size_t size;
  must(pthread_getattr_np(pthread_self(), &attributes) == 0);
  must(pthread_attr_getstack(&attributes, &start, &size) == 0);
  pthread_attr_destroy(&attributes);
  const struct thread *self = thread_self();
  must(self && self->stack_low == (uintptr_t)start);
  must(self->stack_high >= (uintptr_t)start + size);
  must((uintptr_t)__builtin_frame_address(0) - self->stack_low < self->stack_high - self->stack_low);
}

static __attribute__((noinline)) void register_deep_down(void) {
  char gap[256 * 1024];
  __asm__ volatile("" : : "r"(gap) : "memory");
  must(vgc_malloc(64)); /* registers */
  bounds_are_true();
  __asm__ volatile("" : : "r"(gap) : "memory");
}

static void hold_and_register_late(void *arg) {
  (void)arg;
  bounds_are_true();
  void *volatile kept = vgc_malloc(64);
  must(kept);
  hidden = hide(kept);
  must(vgc_thread_detach() == 0);
  register_deep_down();
  must(vgc_collect() == 0);
  must(probe_alive(hidden));
  must(hide(kept) == hidden);
}

static void late_thread_is_scanned_to_its_end(void **state) {
  (void)state;
  start_quiet();
  bounds_are_true();
  probe_in_thread(hold_and_register_late, NULL);
}

BUG(L03) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(late_thread_is_scanned_to_its_end, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("L03", tests, NULL, NULL);
}
