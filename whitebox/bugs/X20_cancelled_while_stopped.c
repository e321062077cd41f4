/* X20: a thread is cancelled while it is stopped.
 *
 * libc cancels a thread that waits in a system call by a signal of its own, which sigfillset leaves out. Inside the
 * suspend handler it must wait: else the thread unwinds out of the handler, runs its cleanup and its destructors in the
 * stopped world, and keeps every signal blocked, the suspend signal too. */
#include <signal.h>

#include "bug.h"
#include "task.h"

struct victim {
  pthread_t thread;
  _Atomic int tid;
  bool cleaned, in_stop, blocked; /* by its cleanup; read after the join */
};

static void cleanup(void *arg) {
  struct victim *victim = arg;
  sigset_t mask;
  pthread_sigmask(SIG_BLOCK, NULL, &mask);
  victim->cleaned = true;
  victim->in_stop = world_is_stopped();
  victim->blocked = sigismember(&mask, SIGPWR);
}

static void *wait_in_pause(void *arg) {
  struct victim *victim = arg;
  pthread_cleanup_push(cleanup, victim);
  vgc_free(vgc_malloc(64));
  atomic_store(&victim->tid, platform_thread_id());
  for (;;) pause();
  pthread_cleanup_pop(0);
  return NULL;
}

static void cancel(void *arg) { must(pthread_cancel(((struct victim *)arg)->thread) == 0); }

static void cancelled_while_stopped(void **state) {
  (void)state;
  if (UNDER_TSAN) not_applicable("ThreadSanitizer does not support cancelling a thread in a system call");
  struct victim victim = {.cleaned = false};
  assert_int_equal(pthread_create(&victim.thread, NULL, wait_in_pause, &victim), 0);
  while (!atomic_load(&victim.tid)) sched_yield();
  task_await_sleep(atomic_load(&victim.tid));
  park_arm_call("collect_stopped", cancel, &victim);
  assert_int_equal(vgc_collect(), 0);
  void *result = NULL;
  assert_int_equal(pthread_join(victim.thread, &result), 0);
  assert_ptr_equal(result, PTHREAD_CANCELED);
  assert_true(victim.cleaned);
  assert_false(victim.in_stop);
  assert_false(victim.blocked);
  assert_int_equal(vgc_collect(), 0);
}

BUG(X20) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(cancelled_while_stopped, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("X20", tests, NULL, NULL);
}
