/* X95: a thread that started before vgc_init blocks the suspend signal that vgc_init is given.
 *
 * Threads unblock the suspend signal when they start. What the environment says they know; what the program will say
 * they cannot know, so it is refused then and not found out by a stop that has no end. */
#include <errno.h>
#include <signal.h>

#include "bug.h"
#include "meeting.h"

enum { DEADLINE_S = 30 };

static struct meeting begun, unblocked, done;
static sigset_t mask;

static void *run(void *arg) {
  meeting_wait(&begun);
  meeting_wait(&unblocked);
  if (arg) must(pthread_sigmask(SIG_UNBLOCK, &mask, NULL) == 0);
  meeting_wait(&unblocked);
  meeting_wait(&done);
  return arg;
}

static void start(pthread_t *thread, void *arg) {
  meeting_init(&begun, 2);
  meeting_init(&unblocked, 2);
  meeting_init(&done, 2);
  must(sigemptyset(&mask) == 0 && sigaddset(&mask, SIGUSR1) == 0);
  must(pthread_sigmask(SIG_BLOCK, &mask, NULL) == 0);
  must(pthread_create(thread, NULL, run, arg) == 0);
  meeting_wait(&begun);
}

static void end(pthread_t thread) {
  meeting_wait(&done);
  must(pthread_join(thread, NULL) == 0);
}

static void refused_until_it_can_be(void **state) {
  (void)state;
  struct vgc_config wanted = config_quiet();
  wanted.suspend_signal = SIGUSR1;
  pthread_t thread;
  start(&thread, &wanted);
  fault_capture_print(true);
  assert_int_equal(vgc_init(&wanted), -1);
  assert_int_equal(errno, EBUSY);
  assert_non_null(strstr(fault_printed(), "started before vgc_init, blocks the suspend signal"));
  fault_capture_print(false);
  meeting_wait(&unblocked);
  meeting_wait(&unblocked);
  assert_int_equal(vgc_init(&wanted), 0);
  assert_int_equal(vgc_collect(), 0);
  assert_int_equal(stats_now().suspensions, 1);
  end(thread);
}

static void known_from_the_environment(void **state) {
  (void)state;
  pthread_t thread;
  start(&thread, NULL);
  assert_int_equal(vgc_init(NULL), 0);
  assert_int_equal(thread_signal(), SIGUSR1);
  assert_int_equal(vgc_collect(), 0);
  assert_int_equal(stats_now().suspensions, 1);
  meeting_wait(&unblocked);
  meeting_wait(&unblocked);
  end(thread);
}

static int run_here(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(known_from_the_environment)};
  return cmocka_run_group_tests_name("X95", tests, NULL, NULL);
}

static void start_anew(void *unused) {
  (void)unused;
  char number[12];
  snprintf(number, sizeof number, "%d", SIGUSR1);
  must(setenv("VGC_SUSPEND_SIGNAL", number, 1) == 0);
  execl("/proc/self/exe", "bugs", "--in-process", "X95", (char *)NULL);
  must(false && "exec");
}

static void in_a_process_that_says_so(void **state) {
  (void)state;
  struct child_result result;
  child_run(start_anew, NULL, DEADLINE_S, &result);
  if (result.timed_out || result.exit_code != 0)
    fail_msg("exit %d, signal %d\n%s", result.exit_code, result.signal, result.text);
}

BUG(X95) {
  if (getenv("VGC_SUSPEND_SIGNAL")) return run_here();
  const struct CMUnitTest tests[] = {cmocka_unit_test(in_a_process_that_says_so),
                                     cmocka_unit_test_setup_teardown(refused_until_it_can_be, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("X95", tests, NULL, NULL);
}
