/* X64: an initialisation that fails gives an arena back that another thread may be looking an address up in.
 *
 * Any address may be looked up at any time. Once the arena is published, a reader goes on to its page map, which
 * is unmapped when a later step of the initialisation fails: so nothing may fail after the publication. */
#include <errno.h>
#include <signal.h>

#include "bug.h"

static unsigned published;

static void count(void *arg) {
  (void)arg;
  published++;
}

static void memory_ends_at_any_step(void **state) {
  (void)state;
  struct vgc_config wanted = config_quiet();
  park_arm_each("arena_before_publish", count, NULL);
  for (unsigned long reserved = 0;; reserved++) {
    fault_fail(FAULT_RESERVE, reserved, ~0ul);
    if (vgc_init(&wanted) == 0) break;
    assert_int_equal(errno, ENOMEM);
    assert_int_equal(published, 0);
  }
  assert_int_equal(published, 1);
}

static void handle(int signal) { (void)signal; }

static void the_signal_is_taken(void **state) {
  (void)state;
  assert_int_equal(vgc_shutdown(), 0);
  struct vgc_config wanted = config_quiet();
  wanted.suspend_signal = SIGUSR2;
  struct sigaction taken = {.sa_handler = handle};
  assert_int_equal(sigaction(SIGUSR2, &taken, NULL), 0);
  published = 0;
  park_arm_each("arena_before_publish", count, NULL);
  assert_int_equal(vgc_init(&wanted), -1);
  assert_int_equal(errno, EBUSY);
  assert_int_equal(published, 0);
}

BUG(X64) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(memory_ends_at_any_step, fault_reset, park_reset),
                                     cmocka_unit_test_setup_teardown(the_signal_is_taken, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("X64", tests, NULL, NULL);
}
