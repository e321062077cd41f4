/* J05: a thread that was adopted goes on while the library is shut down, which waits for it for ever.
 *
 * vgc_shutdown refuses at once, and the thread's objects stay. When it has left, the library goes down, though the
 * thread lives. */
#include <errno.h>

#include "bug.h"

enum { DEADLINE_S = 4 };

static void adopt(void *object) {
  must(vgc_thread_detach() == 0 && vgc_thread_attach() == 0);
  *(unsigned **)object = vgc_malloc(64);
  **(unsigned **)object = 7;
}

static void leave(void *object) {
  must(**(unsigned **)object == 7);
  must(vgc_thread_detach() == 0);
}

static void shut_down_beside_it(void *arg) {
  (void)arg;
  static struct worker worker;
  static unsigned *object;
  must(vgc_malloc(16));
  worker_start(&worker);
  worker_do(&worker, adopt, &object);
  errno = 0;
  must(vgc_shutdown() == -1 && errno == EBUSY);
  worker_do(&worker, leave, &object);
  must(vgc_shutdown() == 0);
  worker_stop(&worker);
}

static void nobody_waits(void **state) {
  (void)state;
  static struct child_result result;
  child_run(shut_down_beside_it, NULL, DEADLINE_S, &result);
  if (result.exit_code) print_error("signal %d: %s", result.signal, result.text);
  assert_false(result.timed_out);
  assert_int_equal(result.exit_code, 0);
}

BUG(J05) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(nobody_waits, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("J05", tests, NULL, NULL);
}
