/* X51: vgc_shutdown by a thread that has left, while another is registered.
 *
 * There is one registered thread, but it is not the caller. */
#include <errno.h>

#include "bug.h"
#include "probe.h"

static void allocate(void *arg) { *(void **)arg = vgc_malloc_uncollectable(64); }

static void look(void *arg) { must(vgc_base_of(*(void **)arg) == *(void **)arg); }

static void refused_beside_another_thread(void **state) {
  (void)state;
  start_quiet();
  struct worker worker;
  void *object = NULL;
  worker_start(&worker);
  worker_do(&worker, allocate, &object);
  assert_int_equal(vgc_thread_detach(), 0);
  errno = 0;
  assert_int_equal(vgc_shutdown(), -1);
  assert_int_equal(errno, EBUSY);
  worker_do(&worker, look, &object);
  worker_stop(&worker);
  assert_int_equal(vgc_shutdown(), 0); /* nobody is left */
}

BUG(X51) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(refused_beside_another_thread)};
  return cmocka_run_group_tests_name("X51", tests, NULL, NULL);
}
