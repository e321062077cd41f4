/* N22: the loader's lock.
 *
 * A thread may be suspended inside dl_iterate_phdr or dlopen, holding that lock. The collector must therefore take it
 * while the world runs, and then hold it, so that no thread is suspended inside. */
#include <link.h>

#include "bug.h"
#include "task.h"

struct inside {
  pthread_barrier_t entered;
  struct park *collector; /* parks as it comes for the lock */
  void *object;
};

static int callback(struct dl_phdr_info *info, size_t size, void *arg) {
  (void)info, (void)size;
  struct inside *inside = arg;
  pthread_barrier_wait(&inside->entered);
  park_await(inside->collector);
  must(!world_is_stopped());
  park_release(inside->collector);
  /* A thread that holds the loader's lock may allocate, and so wait for locks of ours. */
  inside->object = vgc_malloc(64);
  return 1;
}

static void *iterate(void *arg) {
  dl_iterate_phdr(callback, arg);
  return NULL;
}

static void assert_running(void *unused) {
  (void)unused;
  must(!world_is_stopped());
}

static void thread_inside(void **state) {
  (void)state;
  struct inside inside = {0};
  pthread_t thread;
  must(pthread_barrier_init(&inside.entered, NULL, 2) == 0);
  park_arm_each("roots_before_modules", assert_running, NULL);
  inside.collector = park_arm_thread("roots_before_modules", pthread_self());
  assert_int_equal(pthread_create(&thread, NULL, iterate, &inside), 0);
  pthread_barrier_wait(&inside.entered);
  assert_int_equal(vgc_collect(), 0);
  assert_int_equal(pthread_join(thread, NULL), 0);
  assert_non_null(inside.object);
}

static pthread_barrier_t before;
static _Atomic int tid;

static int nothing(struct dl_phdr_info *info, size_t size, void *arg) {
  (void)info, (void)size, (void)arg;
  return 1;
}

static void enter(void *arg) {
  atomic_store(&tid, platform_thread_id());
  pthread_barrier_wait(&before);
  dl_iterate_phdr(nothing, NULL);
  atomic_store((_Atomic bool *)arg, true);
}

/* In the collector, just before the stop. */
static void wait_outside(void *arg) {
  pthread_barrier_wait(&before);
  task_await_sleep(atomic_load(&tid));
  must(!atomic_load((_Atomic bool *)arg));
}

static void nobody_enters(void **state) {
  (void)state;
  struct worker worker;
  _Atomic bool entered = false;
  must(pthread_barrier_init(&before, NULL, 2) == 0);
  worker_start(&worker);
  worker_begin(&worker, enter, &entered);
  park_arm_call("collect_before_locks", wait_outside, &entered);
  assert_int_equal(vgc_collect(), 0);
  worker_finish(&worker);
  assert_true(entered);
  worker_stop(&worker);
}

BUG(N22) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(thread_inside, fault_reset, park_reset),
                                     cmocka_unit_test_setup_teardown(nobody_enters, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("N22", tests, NULL, NULL);
}
