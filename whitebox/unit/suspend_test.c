/* Threads that the program holds one by one. */
#include <pthread.h>
#include <sched.h>

#include "unit.h"

static _Atomic uint64_t steps;
static _Atomic bool end, done, left;

static uint64_t cycles(void) {
  struct vgc_stats stats = {.struct_size = sizeof stats};
  must(!vgc_get_stats(&stats));
  return stats.cycles;
}

static int setup(void **state) {
  atomic_store(&steps, 0);
  atomic_store(&end, false);
  atomic_store(&done, false);
  atomic_store(&left, false);
  return unit_setup(state);
}

static void collect_thrice(void) {
  uint64_t before = cycles();
  for (unsigned i = 0; i < 3; i++) assert_int_equal(vgc_collect(), 0);
  assert_int_equal(cycles() - before, 3);
}

/* Steps; what it holds lives on its stack alone. */
static void *step(void *arg) {
  (void)arg;
  uint64_t **object = vgc_malloc(sizeof *object);
  *object = vgc_malloc(sizeof **object);
  **object = 7;
  while (!atomic_load(&end)) {
    must(**object == 7);
    must(vgc_malloc(48) != NULL);
    atomic_fetch_add(&steps, 1);
  }
  return (void *)(uintptr_t) * *object;
}

static void wait_for_step(uint64_t after) {
  while (atomic_load(&steps) <= after) sched_yield();
}

static void a_suspended_thread_stays_and_collections_go_on(void **state) {
  (void)state;
  pthread_t thread;
  void *result;
  assert_int_equal(pthread_create(&thread, NULL, step, NULL), 0);
  wait_for_step(0);
  for (unsigned i = 0; i < 20; i++) {
    assert_int_equal(vgc_thread_suspended(thread), 0);
    assert_int_equal(vgc_thread_suspend(thread), 0);
    assert_int_equal(vgc_thread_suspend(thread), 0);
    assert_int_equal(vgc_thread_suspended(thread), 1);
    uint64_t before = atomic_load(&steps);
    collect_thrice();
    assert_int_equal(atomic_load(&steps), before);
    assert_int_equal(vgc_thread_resume(thread), 0);
    wait_for_step(before);
  }
  atomic_store(&end, true);
  assert_int_equal(pthread_join(thread, &result), 0);
  assert_ptr_equal(result, (void *)7);
}

static void *wait_for_end(void *arg) {
  atomic_store(&steps, 1);
  while (!atomic_load(&end)) sched_yield();
  atomic_store(&done, true);
  return arg;
}

static void *block(void *arg) {
  vgc_call_blocking(wait_for_end, arg);
  atomic_store(&left, true);
  return NULL;
}

static void a_thread_in_a_region_is_held_at_its_end(void **state) {
  (void)state;
  pthread_t thread;
  assert_int_equal(pthread_create(&thread, NULL, block, NULL), 0);
  wait_for_step(0);
  assert_int_equal(vgc_thread_suspend(thread), 0);
  atomic_store(&end, true);
  while (!atomic_load(&done)) sched_yield();
  collect_thrice();
  assert_false(atomic_load(&left));
  assert_int_equal(vgc_thread_resume(thread), 0);
  assert_int_equal(pthread_join(thread, NULL), 0);
  assert_true(atomic_load(&left));
}

static _Atomic int suspended;

static void *suspend_self(void *arg) {
  atomic_store(&suspended, gettid());
  must(!vgc_thread_suspend(pthread_self()));
  atomic_store(&done, true);
  return arg;
}

static void *suspend_self_with_object(void *arg) {
  uint64_t *object = vgc_malloc(sizeof *object);
  *object = 7;
  suspend_self(arg);
  must(*object == 7);
  return arg;
}

static void *suspend_self_in_region(void *arg) {
  vgc_call_blocking(suspend_self, arg);
  atomic_store(&left, true);
  return arg;
}

static void a_thread_may_suspend_itself(void **state) {
  (void)state;
  pthread_t thread;
  atomic_store(&suspended, 0);
  assert_int_equal(pthread_create(&thread, NULL, suspend_self_with_object, NULL), 0);
  probe_await_sleep(&suspended, &done);
  assert_int_equal(vgc_thread_suspended(thread), 1);
  collect_thrice();
  assert_false(atomic_load(&done));
  assert_int_equal(vgc_thread_resume(thread), 0);
  assert_int_equal(pthread_join(thread, NULL), 0);
  assert_true(atomic_load(&done));
}

static void in_a_region_it_waits_at_the_end(void **state) {
  (void)state;
  pthread_t thread;
  atomic_store(&suspended, 0);
  assert_int_equal(pthread_create(&thread, NULL, suspend_self_in_region, NULL), 0);
  probe_await_sleep(&suspended, &left);
  collect_thrice();
  assert_true(atomic_load(&done));
  assert_false(atomic_load(&left));
  assert_int_equal(vgc_thread_resume(thread), 0);
  assert_int_equal(pthread_join(thread, NULL), 0);
  assert_true(atomic_load(&left));
}

static void nobody_holds_who_is_not_there(void **state) {
  (void)state;
  pthread_t thread;
  atomic_store(&end, true);
  assert_int_equal(pthread_create(&thread, NULL, wait_for_end, NULL), 0);
  assert_int_equal(pthread_join(thread, NULL), 0);
  assert_int_equal(vgc_thread_suspend(thread), -1);
  assert_int_equal(errno, ESRCH);
  assert_int_equal(vgc_thread_resume(thread), -1);
  assert_int_equal(vgc_thread_suspended(thread), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, unit_teardown)

UNIT(suspend) {
  const struct CMUnitTest tests[] = {
      TEST(a_suspended_thread_stays_and_collections_go_on),
      TEST(a_thread_in_a_region_is_held_at_its_end),
      TEST(a_thread_may_suspend_itself),
      TEST(in_a_region_it_waits_at_the_end),
      TEST(nobody_holds_who_is_not_there),
  };
  return cmocka_run_group_tests_name("suspend", tests, NULL, NULL);
}
