/* X24: a thread ends in a blocking region, while the world is stopped.
 *
 * No stop waits for it there, so it must wait itself before its destructors use the heap: cancelled, before the first
 * of them; by pthread_exit, before its cleanup handlers. */
#include <sched.h>

#include "bug.h"

struct victim {
  pthread_t thread;
  pthread_key_t key;
  _Atomic bool inside, ended; /* ended: has come to its destructor */
  _Atomic bool may_exit;
  bool cancel;
  bool cleaned, cleaned_in_stop, destroyed_in_stop; /* read after the join */
};

static void destroy(void *arg) {
  struct victim *victim = arg;
  victim->destroyed_in_stop = world_is_stopped();
  victim->ended = true;
  vgc_free(vgc_malloc(64));
}

static void cleanup(void *arg) {
  struct victim *victim = arg;
  victim->cleaned = true;
  victim->cleaned_in_stop = world_is_stopped();
}

static void enter(struct victim *victim) {
  must(pthread_setspecific(victim->key, victim) == 0);
  vgc_free(vgc_malloc(64));
  vgc_blocking_enter();
  victim->inside = true;
}

static void *be_cancelled(void *arg) {
  enter(arg);
  for (;; sched_yield()) pthread_testcancel();
  return NULL;
}

static void *leave_by_exit(void *arg) {
  struct victim *victim = arg;
  pthread_cleanup_push(cleanup, victim);
  enter(victim);
  while (!victim->may_exit) sched_yield();
  pthread_exit(NULL);
  pthread_cleanup_pop(0);
  return NULL;
}

static struct park *waits;

static void nothing(void *unused) { (void)unused; }

/* In the stop, until the thread either waits for its end or has gone on. */
static void end_it(void *arg) {
  struct victim *victim = arg;
  victim->may_exit = true;
  if (victim->cancel) must(pthread_cancel(victim->thread) == 0);
  while (!park_reached(waits) && !victim->ended) sched_yield();
}

static struct victim ends_in_a_stop(void *(*start)(void *), bool cancel) {
  static struct victim victim;
  victim = (struct victim){.cancel = cancel};
  assert_int_equal(pthread_key_create(&victim.key, destroy), 0);
  waits = park_arm_call("blocking_leave_waits", nothing, NULL);
  assert_int_equal(pthread_create(&victim.thread, NULL, start, &victim), 0);
  while (!victim.inside) sched_yield();
  park_arm_call("collect_stopped", end_it, &victim);
  assert_int_equal(vgc_collect(), 0);
  assert_int_equal(pthread_join(victim.thread, NULL), 0);
  assert_true(victim.ended);
  assert_int_equal(thread_records(), 1);
  assert_int_equal(vgc_collect(), 0);
  pthread_key_delete(victim.key);
  return victim;
}

static void cancelled(void **state) {
  (void)state;
  assert_false(ends_in_a_stop(be_cancelled, true).destroyed_in_stop);
}

static void exited(void **state) {
  (void)state;
  struct victim victim = ends_in_a_stop(leave_by_exit, false);
  assert_true(victim.cleaned);
  assert_false(victim.cleaned_in_stop);
  assert_false(victim.destroyed_in_stop);
}

BUG(X24) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(cancelled, fault_reset, park_reset),
                                     cmocka_unit_test_setup_teardown(exited, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("X24", tests, NULL, NULL);
}
