/* P09: two threads disable collection at the same time, and one of the two is lost.
 *
 * One thread has read the count and is about to write it back; another disables too. After as many enables as disables
 * collection works again; before that it does not; one enable more is reported. */
#include "bug.h"
#include "objects.h"
#include "probe.h"

#include <errno.h>
#include <sched.h>

static struct worker first, second;
static _Atomic bool second_done;

static void start(void *arg) {
  (void)arg;
  must(vgc_malloc(64));
}

static void disable(void *done) {
  vgc_disable();
  if (done) atomic_store((_Atomic bool *)done, true);
}

static void no_disable_is_lost(void **state) {
  (void)state;
  start_quiet();
  errors_record();
  worker_start(&first);
  worker_start(&second);
  worker_do(&first, start, NULL);
  worker_do(&second, start, NULL);
  struct park *window = park_arm_thread("disable_between", first.thread);
  worker_begin(&first, disable, NULL);
  park_await(window);
  unsigned long locks = fault_count(FAULT_LOCK);
  worker_begin(&second, disable, &second_done);
  /* It waits for the lock that the first holds, or has passed. */
  while (fault_count(FAULT_LOCK) == locks && !atomic_load(&second_done)) sched_yield();
  park_release(window);
  worker_finish(&first);
  worker_finish(&second);
  vgc_enable();
  assert_int_equal(vgc_collect(), -1);
  assert_int_equal(errno, EBUSY);
  vgc_enable();
  assert_int_equal(vgc_collect(), 0);
  assert_int_equal(errors_count(), 0);
  vgc_enable();
  assert_int_equal(errors_count(), 1);
  assert_int_equal(errors_last(), VGC_ERROR_UNBALANCED);
  worker_stop(&first);
  worker_stop(&second);
}

BUG(P09) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(no_disable_is_lost, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("P09", tests, NULL, NULL);
}
