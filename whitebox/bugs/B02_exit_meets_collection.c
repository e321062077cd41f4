/* B02: a thread that ends while a collection begins.
 *
 * Its record leaves the list that the collector walks under the registry lock, at one instant between two stops: half
 * out, it is neither stopped nor waited for by mistake. */
#include "bug.h"
#include "meeting.h"

/* Ends when it may. */
static void *wait_for(void *barrier) {
  meeting_wait(barrier);
  return NULL;
}

static void removed_under_the_lock(void **state) {
  (void)state;
  pthread_t thread;
  struct meeting created;
  must(vgc_malloc(16));
  meeting_init(&created, 2);
  struct park *between = park_arm("thread_exit_between");
  assert_int_equal(pthread_create(&thread, NULL, wait_for, &created), 0);
  meeting_wait(&created);
  park_await(between);
  pthread_mutex_t *registry = &thread_registry_lock_object()->mutex;
  bool free = pthread_mutex_trylock(registry) == 0;
  if (free) pthread_mutex_unlock(registry);
  park_release(between);
  assert_int_equal(vgc_collect(), 0);
  assert_int_equal(pthread_join(thread, NULL), 0);
  assert_false(free);
}

/* Before the lock it is a thread like any other. */
static void stopped_on_its_way_out(void **state) {
  (void)state;
  pthread_t thread;
  struct meeting created;
  meeting_init(&created, 2);
  struct vgc_stats before = {.struct_size = sizeof before}, after = {.struct_size = sizeof after};
  struct park *leaving = park_arm("thread_exit_before_deregister");
  assert_int_equal(pthread_create(&thread, NULL, wait_for, &created), 0);
  meeting_wait(&created);
  park_await(leaving);
  assert_int_equal(vgc_get_stats(&before), 0);
  assert_int_equal(vgc_collect(), 0);
  assert_int_equal(vgc_get_stats(&after), 0);
  assert_int_equal(after.suspensions - before.suspensions, 1);
  park_release(leaving);
  assert_int_equal(pthread_join(thread, NULL), 0);
  assert_int_equal(vgc_get_stats(&after), 0);
  assert_int_equal(after.threads, 1);
  assert_int_equal(thread_records(), 1);
}

BUG(B02) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(removed_under_the_lock, fault_reset, park_reset),
                                     cmocka_unit_test_setup_teardown(stopped_on_its_way_out, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("B02", tests, NULL, NULL);
}
