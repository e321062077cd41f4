/* X122: a fork that waits for who lists the loaded objects is a cancellation point.
 *
 * fork is none, so a program may call it with locks, and its handlers take more. A thread that was cancelled while it
 * slept there left them all locked. */
#include <semaphore.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bug.h"
#include "probe.h"

static sem_t pending, go, waits;

/* Its cancellation is pending at the fork. */
static void *forks(void *arg) {
  int before;
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
  pthread_cancel(pthread_self());
  sem_post(&pending);
  sem_wait(&go);
  pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &before);
  pid_t child = fork();
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
  if (!child) _exit(0);
  waitpid(child, NULL, 0);
  return arg;
}

static void has_come_to_wait(void *unused) {
  (void)unused;
  sem_post(&waits);
}

static void a_fork_is_not_cancelled(void **state) {
  (void)state;
  struct worker lister;
  pthread_t forker;
  void *result;
  must(!sem_init(&pending, 0, 0) && !sem_init(&go, 0, 0) && !sem_init(&waits, 0, 0));
  must(vgc_collect() == 0);
  must(!pthread_create(&forker, NULL, forks, &waits));
  sem_wait(&pending);
  worker_start(&lister);
  struct park *listing = park_arm("modules_listing");
  park_arm_call("roots_fork_waits", has_come_to_wait, NULL);
  worker_begin(&lister, probe_collect_with_list, NULL);
  park_await(listing);
  sem_post(&go);
  sem_wait(&waits);
  park_release(listing);
  worker_finish(&lister);
  must(!pthread_join(forker, &result));
  assert_ptr_equal(result, &waits);
  worker_stop(&lister);
  vgc_root_set_filter(NULL, NULL);
}

BUG(X122) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(a_fork_is_not_cancelled, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("X122", tests, NULL, NULL);
}
