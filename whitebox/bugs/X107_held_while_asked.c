/* X107: a thread that becomes held while a stop asks it does not wake the stopper, which sleeps for all of its nap.
 *
 * The suspend signal is masked in the handler in which a thread becomes held. Stops that ask it there, and sleep, are
 * let go on; the fastest of them takes less than a nap. */
#include <stdatomic.h>
#include <unistd.h>

#include "bug.h"
#include "probe.h"

#define NAP_NS UINT64_C(10000000) /* world.c's */
enum { STOPS = 8 };

static struct worker held, stopper;
static _Atomic int stopper_tid;
static _Atomic bool stopped;
static uint64_t fastest = UINT64_MAX;

static void stop(void *arg) {
  (void)arg;
  uint64_t start = platform_now_ns();
  atomic_store(&stopper_tid, gettid());
  must(vgc_collect() == 0);
  uint64_t took = platform_now_ns() - start;
  if (took < fastest) fastest = took;
  atomic_store(&stopped, true);
}

/* In a region, so that the stop waits for the held thread alone. */
static void *let_go_on(void *window) {
  atomic_store(&stopped, false);
  worker_begin(&stopper, stop, NULL);
  probe_await_sleep(&stopper_tid, &stopped);
  park_release(window);
  worker_finish(&stopper);
  return NULL;
}

static void allocate(void *arg) {
  (void)arg;
  must(vgc_malloc(16) != NULL);
}

static void the_stopper_is_woken(void **state) {
  (void)state;
  struct vgc_config given = config_quiet();
  assert_int_equal(vgc_init(&given), 0);
  worker_start(&held);
  worker_start(&stopper);
  worker_do(&stopper, allocate, NULL);
  for (unsigned i = 0; i < STOPS; i++) {
    worker_do(&held, allocate, NULL); /* out of the handler */
    struct park *window = park_arm_thread("world_handler_holds", held.thread);
    assert_int_equal(vgc_thread_suspend(held.thread), 0);
    park_await(window);
    vgc_call_blocking(let_go_on, window);
    assert_int_equal(vgc_thread_resume(held.thread), 0);
  }
  assert_true(fastest < NAP_NS);
  worker_stop(&stopper);
  worker_stop(&held);
}

BUG(X107) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(the_stopper_is_woken, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("X107", tests, NULL, NULL);
}
