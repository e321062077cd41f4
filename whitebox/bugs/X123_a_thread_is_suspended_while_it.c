/* X123: a thread is suspended while it lists the loaded objects, or keeps others from it, and they wait for it.
 *
 * Until it is let go no collection can list them again, and no thread can fork. */
#include <semaphore.h>
#include <stdatomic.h>

#include "bug.h"
#include "probe.h"

static struct worker worker, suspender;
static sem_t told, go;
static _Atomic bool waits, suspended;

static void await(sem_t *semaphore) {
  while (sem_wait(semaphore) != 0) {
  }
}

static void wait_is_told(void *arg) {
  (void)arg;
  atomic_store(&waits, true);
  sem_post(&told);
}

static void suspend(void *arg) {
  (void)arg;
  must(vgc_thread_suspend(worker.thread) == 0);
  atomic_store(&suspended, true);
  sem_post(&told);
}

static void nothing(void *arg) { (void)arg; }

static int any(void *arg, const char *name, const void *start, size_t size) {
  return (void)arg, (void)name, (void)start, (void)size, 1;
}

static void collect_with_list(void *arg) {
  vgc_root_set_filter(any, arg);
  must(vgc_collect() == 0);
}

/* Then it holds no lock of the test's. */
static void list(void *arg) {
  collect_with_list(arg);
  await(&go);
}

static void fork_one(void *arg) {
  struct child_result result;
  child_run(nothing, arg, 10, &result);
  must(!result.timed_out);
  await(&go);
}

static int start(void **state) {
  (void)state;
  start_quiet();
  assert_int_equal(sem_init(&told, 0, 0), 0);
  assert_int_equal(sem_init(&go, 0, 0), 0);
  atomic_store(&waits, false);
  atomic_store(&suspended, false);
  worker_start(&worker);
  worker_start(&suspender);
  worker_do(&worker, collect_with_list, NULL);
  worker_do(&suspender, nothing, NULL);
  return 0;
}

/* The worker is held, but not at the point that it comes by in step. */
static void held_not_at(const char *point, void (*step)(void *)) {
  struct park *window = park_arm_thread(point, worker.thread);
  worker_begin(&worker, step, NULL);
  park_await(window);
  park_arm_call("hold_waits", wait_is_told, NULL);
  worker_begin(&suspender, suspend, NULL);
  await(&told);
  assert_true(atomic_load(&waits));
  assert_false(atomic_load(&suspended));
  park_release(window);
  worker_finish(&suspender);
  assert_true(vgc_thread_suspended(worker.thread));
  collect_with_list(NULL); /* as a fork does, it takes what the worker has given back */
  assert_int_equal(vgc_thread_resume(worker.thread), 0);
  sem_post(&go);
  worker_finish(&worker);
  worker_stop(&worker);
  worker_stop(&suspender);
  assert_int_equal(vgc_shutdown(), 0);
}

static void while_it_lists(void **state) {
  (void)state;
  held_not_at("modules_listing", list);
}

static void while_it_forks(void **state) {
  (void)state;
  held_not_at("listing_kept", fork_one);
}

BUG(X123) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(while_it_lists, start, park_reset),
      cmocka_unit_test_setup_teardown(while_it_forks, start, park_reset),
  };
  return cmocka_run_group_tests_name("X123", tests, NULL, NULL);
}
