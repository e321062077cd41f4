/* J01: a foreign thread that attaches while the world is stopped.
 *
 * It runs, for nobody has stopped it; its registration must wait for the world to run again. At each phase of the stop.
 */
#include <sched.h>

#include "bug.h"
#include "task.h"

static _Atomic int tid;
static _Atomic bool passed, attached;

static void note_tid(void *unused) {
  (void)unused;
  atomic_store(&tid, platform_thread_id());
}

/* In the attaching thread: past the lock, if it waited for that. */
static void note_passage(void *unused) {
  (void)unused;
  atomic_store(&passed, true);
  must(!world_is_stopped());
}

static void attach(void *unused) {
  (void)unused;
  must(vgc_thread_attach() == 0);
  atomic_store(&attached, true);
}

static void detach(void *unused) {
  (void)unused;
  must(vgc_thread_detach() == 0);
}

/* In the collector: the other thread comes as far as it can. */
static void let_attach(void *worker) {
  worker_begin(worker, attach, NULL);
  while (!atomic_load(&tid)) sched_yield();
  while (!atomic_load(&passed) && !task_sleeps(atomic_load(&tid))) sched_yield();
}

static void waits_at(const char *phase) {
  struct worker worker;
  struct vgc_stats stats = {.struct_size = sizeof stats};
  atomic_store(&tid, 0);
  atomic_store(&passed, false);
  atomic_store(&attached, false);
  worker_start(&worker);
  worker_do(&worker, detach, NULL);
  park_arm_call("thread_before_register", note_tid, NULL);
  park_arm_call("thread_before_running", note_passage, NULL);
  park_arm_call(phase, let_attach, &worker);
  assert_int_equal(vgc_collect(), 0);
  worker_finish(&worker);
  assert_true(attached && passed);
  assert_int_equal(vgc_get_stats(&stats), 0);
  assert_int_equal(stats.threads, 2);
  worker_stop(&worker);
  park_reset(NULL);
}

static void each_phase(void **state) {
  (void)state;
  static const char *const phases[] = {"world_before_signal", "collect_stopped", "mark_after_roots",
                                       "collect_before_resume"};
  must(vgc_malloc(16));
  for (unsigned i = 0; i < sizeof phases / sizeof *phases; i++) waits_at(phases[i]);
}

BUG(J01) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(each_phase, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("J01", tests, NULL, NULL);
}
