/* X82: a suspend signal that no program can catch is refused without a word.
 *
 * It is within the range of the setting; all that a user of the environment variable sees is that nothing can be
 * allocated. */
#include <errno.h>
#include <signal.h>

#include "bug.h"

static void named(void **state) {
  (void)state;
  struct vgc_config wanted = config_quiet();
  wanted.suspend_signal = SIGKILL;
  fault_capture_print(true);
  errno = 0;
  assert_int_equal(vgc_init(&wanted), -1);
  assert_int_equal(errno, EINVAL);
  fault_capture_print(false);
  assert_non_null(strstr(fault_printed(), "VGC_SUSPEND_SIGNAL"));
  wanted.suspend_signal = SIGUSR2;
  assert_int_equal(vgc_init(&wanted), 0);
}

BUG(X82) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(named, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("X82", tests, NULL, NULL);
}
