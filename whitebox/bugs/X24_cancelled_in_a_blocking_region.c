/* X24: a thread ends in a blocking region.
 *
 * No stop waits for it there, so it must leave the region before the heap is used on its way out: cancelled, before its
 * keys' destructors, which wait for a running stop; by pthread_exit, before its cleanup handlers. */
#include <sched.h>

#include "bug.h"

struct victim {
  pthread_t thread;
  pthread_key_t key;
  _Atomic bool inside, destroyed;
  bool destroyed_in_stop, cleaned_while_running; /* read after the join */
};

static void destroy(void *arg) {
  struct victim *victim = arg;
  victim->destroyed_in_stop = world_is_stopped();
  victim->destroyed = true;
  vgc_free(vgc_malloc(64));
}

static void *be_cancelled(void *arg) {
  struct victim *victim = arg;
  must(pthread_setspecific(victim->key, victim) == 0);
  vgc_free(vgc_malloc(64));
  vgc_blocking_enter();
  victim->inside = true;
  for (;; sched_yield()) pthread_testcancel();
  return NULL;
}

static struct park *waits;

static void nothing(void *unused) { (void)unused; }

/* In the stop, until the thread either waits for its end or has gone on. */
static void cancel(void *arg) {
  struct victim *victim = arg;
  must(pthread_cancel(victim->thread) == 0);
  while (!park_reached(waits) && !victim->destroyed) sched_yield();
}

static void cancelled_in_a_stop(void **state) {
  (void)state;
  static struct victim victim;
  assert_int_equal(pthread_key_create(&victim.key, destroy), 0);
  waits = park_arm_call("blocking_leave_waits", nothing, NULL);
  assert_int_equal(pthread_create(&victim.thread, NULL, be_cancelled, &victim), 0);
  while (!victim.inside) sched_yield();
  park_arm_call("collect_stopped", cancel, &victim);
  assert_int_equal(vgc_collect(), 0);
  assert_int_equal(pthread_join(victim.thread, NULL), 0);
  assert_true(victim.destroyed);
  assert_false(victim.destroyed_in_stop);
  assert_int_equal(thread_records(), 1);
  assert_int_equal(vgc_collect(), 0);
}

static void cleanup(void *arg) {
  struct victim *victim = arg;
  victim->cleaned_while_running = load_relaxed(&thread_self()->state) == THREAD_RUNNING;
}

static void *leave_by_exit(void *arg) {
  pthread_cleanup_push(cleanup, arg);
  vgc_blocking_enter();
  pthread_exit(NULL);
  pthread_cleanup_pop(0);
  return NULL;
}

static void exited(void **state) {
  (void)state;
  struct victim victim = {.inside = false};
  assert_int_equal(pthread_create(&victim.thread, NULL, leave_by_exit, &victim), 0);
  assert_int_equal(pthread_join(victim.thread, NULL), 0);
  assert_true(victim.cleaned_while_running);
}

BUG(X24) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(cancelled_in_a_stop, fault_reset, park_reset),
                                     cmocka_unit_test_setup_teardown(exited, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("X24", tests, NULL, NULL);
}
