/* X101: the tables of finalizers and links are not locked while the world is stopped.
 *
 * A thread may then be stopped halfway through a change, or, if nobody stops it, change them under the collector. While
 * the world is stopped a thread that the library does not know asks for a finalizer: it must wait. */
#include <sched.h>

#include "bug.h"
#include "task.h"

static _Atomic int tid;
static _Atomic bool answered, answered_meanwhile;

static void ask(void *object) {
  atomic_store(&tid, platform_thread_id());
  vgc_get_finalizer(object, NULL);
  atomic_store(&answered, true);
}

static void detach(void *unused) {
  (void)unused;
  must(vgc_thread_detach() == 0);
}

/* In the collector: the other thread comes as far as it can. */
static void let_ask(void *worker) {
  worker_begin(worker, ask, NULL);
  while (!atomic_load(&tid)) sched_yield();
  while (!atomic_load(&answered) && !task_sleeps(atomic_load(&tid))) sched_yield();
  atomic_store(&answered_meanwhile, atomic_load(&answered));
}

static void who_asks_waits(void **state) {
  (void)state;
  static struct worker worker;
  must(vgc_malloc(16));
  worker_start(&worker);
  worker_do(&worker, detach, NULL);
  park_arm_call("collect_stopped", let_ask, &worker);
  assert_int_equal(vgc_collect(), 0);
  worker_finish(&worker);
  assert_true(answered);
  assert_false(answered_meanwhile);
  worker_stop(&worker);
}

BUG(X101) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(who_asks_waits, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("X101", tests, NULL, NULL);
}
