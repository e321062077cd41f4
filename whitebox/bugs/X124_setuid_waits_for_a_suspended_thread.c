/* X124: setuid waits for a suspended thread.
 *
 * libc has each thread make the system call, by a signal of its own, which the suspension handler blocks as it does all
 * others: for as long as the thread is held. */
#include <semaphore.h>
#include <unistd.h>

#include "bug.h"
#include "probe.h"

static sem_t begun, go;

static void await(sem_t *semaphore) {
  while (sem_wait(semaphore) != 0) {
  }
}

static void *wait_to_go_on(void *arg) {
  sem_post(&begun);
  await(&go);
  return arg;
}

static void change_user(void *arg) {
  pthread_t thread;
  must(sem_init(&begun, 0, 0) == 0 && sem_init(&go, 0, 0) == 0);
  must(pthread_create(&thread, NULL, wait_to_go_on, arg) == 0);
  await(&begun);
  must(vgc_thread_suspend(thread) == 0);
  must(setuid(getuid()) == 0);
  must(vgc_collect() == 0);
  must(setgid(getgid()) == 0);
  must(vgc_thread_suspended(thread));
  must(vgc_thread_resume(thread) == 0);
  sem_post(&go);
  must(pthread_join(thread, NULL) == 0);
}

static void nobody_waits(void **state) {
  (void)state;
  struct child_result result;
  start_quiet();
  child_run(change_user, NULL, 4, &result);
  assert_false(result.timed_out);
  assert_int_equal(result.exit_code, 0);
}

BUG(X124) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(nobody_waits, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("X124", tests, NULL, NULL);
}
