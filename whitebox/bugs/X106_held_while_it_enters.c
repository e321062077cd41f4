/* X106: a thread that is held while it enters a blocking region enters it with the position of the handler that held
 * it, and what its caller's registers hold is not scanned.
 *
 * It is held between the two steps of the entry, and let go: the region is scanned from where it was entered. */
#include "bug.h"

static void *look(void *arg) {
  (void)arg;
  const struct thread *self = thread_self();
  must(load_relaxed(&self->state) == THREAD_BLOCKING);
  /* What the handler stands on lies deeper than this frame. */
  must(self->blocked.sp > (uintptr_t)__builtin_frame_address(0));
  return NULL;
}

static void enter(void *arg) {
  (void)arg;
  must(vgc_malloc(16) != NULL);
  vgc_call_blocking(look, NULL);
}

static void the_entry_stays(void **state) {
  (void)state;
  static struct worker worker;
  struct vgc_config given = config_quiet();
  assert_int_equal(vgc_init(&given), 0);
  worker_start(&worker);
  struct park *window = park_arm("blocking_enter_filled");
  worker_begin(&worker, enter, NULL);
  park_await(window);
  assert_int_equal(vgc_thread_suspend(worker.thread), 0);
  assert_int_equal(vgc_collect(), 0); /* finds it held */
  assert_int_equal(vgc_thread_resume(worker.thread), 0);
  park_release(window);
  worker_finish(&worker);
  worker_stop(&worker);
}

BUG(X106) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(the_entry_stays, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("X106", tests, NULL, NULL);
}
