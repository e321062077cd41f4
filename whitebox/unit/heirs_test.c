/* The thread that set finalizers ends in each phase of a collection (O01): each is called once, with what it was set
 * for, by whoever is left. The roots are the words of `roots` alone. */
#include <sched.h>
#include <sys/syscall.h>

#include "unit.h"

enum { OBJECTS = 200, KEPT = OBJECTS, ALL }; /* the last is reachable until all others have been seen to */
static void *roots[1];
static _Atomic unsigned calls[ALL];
static struct worker setter;
static _Atomic int setter_tid;

static void called(void *object, void *arg) {
  size_t i = (size_t)((_Atomic unsigned *)arg - calls);
  must(*(uintptr_t *)object == ~i);
  atomic_fetch_add(&calls[i], 1);
}

static void set_all(void *unused) {
  (void)unused;
  atomic_store(&setter_tid, (int)syscall(SYS_gettid));
  for (size_t i = 0; i < ALL; i++) {
    uintptr_t *object = vgc_malloc(16 + i % 5 * 100);
    *object = ~i;
    must(vgc_set_finalizer(object, called, &calls[i], (enum vgc_order)(i % 4)) == 0);
    if (i == KEPT) roots[0] = object;
  }
}

static int setup(void **state) {
  (void)state;
  struct vgc_config given = unit_config(0);
  given.check_level = 3;
  given.finalize_on_demand = true;
  for (size_t i = 0; i < ALL; i++) atomic_store(&calls[i], 0);
  unit_start(&given);
  unit_roots(roots, 1);
  worker_start(&setter);
  worker_do(&setter, set_all, NULL);
  return 0;
}

static void end_setter(void *unused) {
  (void)unused;
  worker_stop(&setter);
}

/* The one collection has found them all. */
static void expect_due(void) { assert_int_equal(vgc_finalizers_due(), OBJECTS); }

static void expect_calls(unsigned of_kept) {
  for (unsigned i = 0; i < OBJECTS; i++) assert_int_equal(atomic_load(&calls[i]), 1);
  assert_int_equal(atomic_load(&calls[KEPT]), of_kept);
  assert_int_equal(vgc_finalizers_due(), 0);
}

/* By now the thread is gone. */
static void each_is_called_once(void) {
  vgc_finalize();
  expect_calls(0);
  unit_collect();
  assert_int_equal(vgc_finalize(), 0);
  assert_true(unit_alive(roots[0]));
  roots[0] = NULL;
  unit_collect();
  assert_int_equal(vgc_finalize(), 1);
  expect_calls(1);
  unit_collect();
  assert_int_equal(mark_objects(), 0);
}

/* ---- Before and during the stop ---- */

static void it_ends_before_the_stop(void **state) {
  (void)state;
  park_arm_call("collect_before_locks", end_setter, NULL);
  unit_collect();
  expect_due();
  each_is_called_once();
}

/* It stands at one point of its departure through all of the collection and the calls. */
static void it_is_stopped_while_it_leaves(void **state) {
  static const char *const points[] = {"cache_exit_before_release", "thread_exit_before_deregister",
                                       "thread_exit_after_deregister"};
  for (unsigned i = 0; i < sizeof points / sizeof *points; i++) {
    struct park *window = park_arm_thread(points[i], setter.thread);
    worker_leave(&setter);
    park_await(window);
    unit_collect();
    expect_due();
    if (i % 2) vgc_finalize();
    park_release(window);
    end_setter(NULL);
    each_is_called_once();
    assert_int_equal(unit_teardown(state), 0);
    setup(state);
  }
  end_setter(NULL);
}

static void collect(void *unused) {
  (void)unused;
  must(collect_now(COLLECT_EXPLICIT));
}

static void the_collector_waits_for_it(void **state) {
  (void)state;
  static struct worker collector;
  worker_start(&collector);
  struct park *leaves = park_arm_thread("thread_exit_before_deregister", setter.thread);
  struct park *answers = park_arm_thread("world_handler_before_ack", setter.thread);
  worker_leave(&setter);
  park_await(leaves);
  worker_begin(&collector, collect, NULL);
  park_await(answers);
  park_release(leaves);
  park_release(answers);
  end_setter(NULL);
  worker_finish(&collector);
  worker_stop(&collector);
  expect_due();
  each_is_called_once();
}

/* ---- With the world stopped, and as it resumes ---- */

/* Without a join, which waits for the end of the stop. */
static void let_it_end(void *window) {
  park_release(window);
  while (syscall(SYS_tgkill, getpid(), atomic_load(&setter_tid), 0) == 0) sched_yield();
}

/* It stands at one point of its exit until the collector has come to another. */
static void leaves_at(const char *exit, const char *collection, void (*let_go)(void *window)) {
  struct park *window = park_arm_thread(exit, setter.thread);
  worker_leave(&setter);
  park_await(window);
  park_arm_call(collection, let_go, window);
  unit_collect();
  end_setter(NULL);
  expect_due();
  each_is_called_once();
}

static void it_ends_while_the_world_stands(void **state) {
  (void)state;
  leaves_at("thread_exit_after_deregister", "collect_stopped", let_it_end);
}

static void release(void *window) { park_release(window); }

/* It comes for the locks that the collector still holds. */
static void it_leaves_as_the_world_resumes(void **state) {
  (void)state;
  leaves_at("thread_exit_before_deregister", "collect_after_resume", release);
}

/* ---- Before and during the calls ---- */

static unsigned told;
static void tell(void *arg) {
  told += arg == &told;
  end_setter(NULL);
}

static void it_ends_when_they_are_due(void **state) {
  (void)state;
  told = 0;
  vgc_set_hooks(&(struct vgc_hooks){.struct_size = sizeof(struct vgc_hooks), .arg = &told, .finalizers_due = tell},
                NULL);
  unit_collect();
  assert_int_equal(told, 1);
  vgc_set_hooks(NULL, NULL);
  expect_due();
  each_is_called_once();
}

static void it_ends_while_another_calls_them(void **state) {
  (void)state;
  unit_collect();
  expect_due();
  park_arm_call("finalize_taken", end_setter, NULL);
  each_is_called_once();
}

static void finalize(void *unused) {
  (void)unused;
  vgc_finalize();
}

/* It has taken one when another calls the rest, and ends when it has called that one. */
static void it_calls_one_itself(void **state) {
  (void)state;
  unit_collect();
  struct park *window = park_arm_thread("finalize_taken", setter.thread);
  worker_begin(&setter, finalize, NULL);
  park_await(window);
  assert_int_equal(vgc_finalize(), OBJECTS - 1);
  park_release(window);
  end_setter(NULL);
  each_is_called_once();
}

static pthread_key_t key;

static void collect_and_call(void *unused) {
  collect(unused);
  must(vgc_finalize() == OBJECTS);
}

static void set_key(void *unused) {
  (void)unused;
  must(pthread_setspecific(key, &key) == 0);
}

static void it_calls_them_as_it_ends(void **state) {
  (void)state;
  must(pthread_key_create(&key, collect_and_call) == 0);
  worker_do(&setter, set_key, NULL);
  end_setter(NULL);
  must(pthread_key_delete(key) == 0);
  expect_calls(0);
  each_is_called_once();
}

UNIT(heirs) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, unit_teardown)
  const struct CMUnitTest tests[] = {
      TEST(it_ends_before_the_stop),          TEST(it_is_stopped_while_it_leaves),
      TEST(the_collector_waits_for_it),       TEST(it_ends_while_the_world_stands),
      TEST(it_leaves_as_the_world_resumes),   TEST(it_ends_when_they_are_due),
      TEST(it_ends_while_another_calls_them), TEST(it_calls_one_itself),
      TEST(it_calls_them_as_it_ends),
  };
  return cmocka_run_group_tests_name("heirs", tests, NULL, NULL);
}
