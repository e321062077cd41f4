/* N52: the collector calls into libc while the world is stopped.
 *
 * A thread is suspended while it holds a lock of libc's. A collection that wants the same lock never ends. */
#include "bug.h"

#include <semaphore.h>

static sem_t held, done;

static void hold_and_wait(void) {
  must(sem_post(&held) == 0);
  while (sem_wait(&done) != 0) {
  }
}

static void hold_streams(void *arg) {
  (void)arg;
  flockfile(stderr);
  flockfile(stdout);
  hold_and_wait();
  funlockfile(stdout);
  funlockfile(stderr);
}

/* In a child, so that a hang is told as what it is. */
static void collect_meanwhile(void *hold) {
  void (*step)(void *);
  memcpy(&step, hold, sizeof step);
  struct vgc_config wanted = config_quiet();
  wanted.log = 1;
  must(vgc_init(&wanted) == 0);
  sem_init(&held, 0, 0);
  sem_init(&done, 0, 0);
  static struct worker worker;
  worker_start(&worker);
  must(vgc_malloc(64));
  worker_begin(&worker, step, NULL);
  while (sem_wait(&held) != 0) {
  }
  for (unsigned i = 0; i < 10; i++) must(vgc_collect() == 0);
  must(sem_post(&done) == 0);
  worker_stop(&worker);
}

static void streams_locked_by_a_suspended_thread(void **state) {
  (void)state;
  struct child_result result;
  void (*step)(void *) = hold_streams;
  child_run(collect_meanwhile, &step, 3, &result);
  assert_false(result.timed_out);
  assert_int_equal(result.exit_code, 0);
  assert_non_null(strstr(result.text, "vgc: cycle 10 "));
}

BUG(N52) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(streams_locked_by_a_suspended_thread, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("N52", tests, NULL, NULL);
}
