/* X79: a thread that is cancelled in a blocking region runs destructors of C++ thread-local objects.
 *
 * libc calls them after the cleanup handlers and before any key's destructor. */
#include <sched.h>

#include "bug.h"

/* libc's, for C++ compilers. */
extern int __cxa_thread_atexit_impl(void (*)(void *), void *, void *);
extern char __dso_handle[] __attribute__((visibility("hidden")));

static struct victim {
  pthread_t thread;
  _Atomic bool inside, destroyed;
  bool destroyed_in_stop; /* read after the join */
} victim;
static struct park *waits;

static void destroy(void *unused) {
  (void)unused;
  victim.destroyed_in_stop = world_is_stopped();
  victim.destroyed = true;
  vgc_free(vgc_malloc(64));
}

static void *be_cancelled(void *arg) {
  must(__cxa_thread_atexit_impl(destroy, NULL, __dso_handle) == 0);
  vgc_free(vgc_malloc(64));
  vgc_blocking_enter();
  victim.inside = true;
  for (;; sched_yield()) pthread_testcancel();
  return arg;
}

static void nothing(void *unused) { (void)unused; }

/* In the stop, until the thread either waits for its end or has gone on. */
static void cancel(void *unused) {
  (void)unused;
  must(pthread_cancel(victim.thread) == 0);
  while (!park_reached(waits) && !victim.destroyed) sched_yield();
}

static void wait_for_the_stop(void **state) {
  (void)state;
  waits = park_arm_call("blocking_leave_waits", nothing, NULL);
  assert_int_equal(pthread_create(&victim.thread, NULL, be_cancelled, NULL), 0);
  while (!victim.inside) sched_yield();
  park_arm_call("collect_stopped", cancel, NULL);
  assert_int_equal(vgc_collect(), 0);
  assert_int_equal(pthread_join(victim.thread, NULL), 0);
  assert_true(victim.destroyed);
  assert_false(victim.destroyed_in_stop);
  assert_int_equal(vgc_collect(), 0);
}

BUG(X79) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(wait_for_the_stop, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("X79", tests, NULL, NULL);
}
