/* X05: locals in AddressSanitizer's fake stack.
 *
 * With detect_stack_use_after_return=1 a local whose address is taken lives in a frame on the sanitizer's own heap, and
 * the real stack holds only that frame's address. What such a local refers to is live all the same. */
#include "bug.h"
#include "hidden.h"
#include "meeting.h"

enum { SIZE = 896, DEADLINE_S = 30 };

extern void *__asan_get_current_fake_stack(void) __attribute__((weak));

/* Not optimized away, nor moved to the real stack: its address leaves the function. */
static __attribute__((noinline)) void hold(struct hidden_holder *holder) {
  void *held[4] = {NULL};
  hidden_reveal(holder->hidden, &held[2]);
  KEEP_ALIVE(held);
  meeting_wait(&holder->held);
  meeting_wait(&holder->done);
  KEEP_ALIVE(held);
}

static void *run(void *arg) {
  hold(arg);
  return NULL;
}

static __attribute__((noinline)) void hold_and_collect(uintptr_t hidden) {
  void *held[4] = {NULL};
  hidden_reveal(hidden, &held[2]);
  KEEP_ALIVE(held);
  assert_int_equal(vgc_collect(), 0);
  KEEP_ALIVE(held);
}

static void of_the_collecting_thread(void **state) {
  (void)state;
  uintptr_t hidden = hidden_make(SIZE);
  struct hidden_control control;
  hidden_control_make(&control);
  hold_and_collect(hidden);
  assert_true(hidden_control_died(&control));
  assert_true(hidden_alive(hidden, SIZE));
}

static void of_another_thread(void **state) {
  (void)state;
  struct hidden_holder holder;
  assert_true(hidden_survives(&holder, SIZE, run));
}

/* Its registers alone may tell of the frame. */
static void *run_blocking(void *arg) {
  struct hidden_holder *holder = arg;
  void *held[4] = {NULL};
  hidden_reveal(holder->hidden, &held[2]);
  KEEP_ALIVE(held);
  vgc_blocking_enter();
  meeting_wait(&holder->held);
  meeting_wait(&holder->done);
  vgc_blocking_leave();
  KEEP_ALIVE(held);
  return NULL;
}

static void of_a_blocking_thread(void **state) {
  (void)state;
  struct hidden_holder holder;
  assert_true(hidden_survives(&holder, SIZE, run_blocking));
}

static int run_here(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(of_the_collecting_thread, fault_reset, park_reset),
                                     cmocka_unit_test_setup_teardown(of_another_thread, fault_reset, park_reset),
                                     cmocka_unit_test_setup_teardown(of_a_blocking_thread, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("X05", tests, NULL, NULL);
}

/* The option is read when a process starts. */
static void start_anew(void *unused) {
  (void)unused;
  const char *given = getenv("ASAN_OPTIONS");
  char options[1024];
  snprintf(options, sizeof options, "%s%sdetect_stack_use_after_return=1", given ? given : "", given ? ":" : "");
  must(setenv("ASAN_OPTIONS", options, 1) == 0);
  execl("/proc/self/exe", "bugs", "--in-process", "X05", (char *)NULL);
  must(false && "exec");
}

static void with_fake_stack(void **state) {
  (void)state;
  if (!UNDER_ASAN) not_applicable("there is no fake stack without AddressSanitizer");
  struct child_result result;
  child_run(start_anew, NULL, DEADLINE_S, &result);
  if (result.timed_out || result.exit_code != 0)
    fail_msg("with detect_stack_use_after_return=1: exit %d, signal %d\n%s", result.exit_code, result.signal,
             result.text);
}

BUG(X05) {
  if (__asan_get_current_fake_stack && __asan_get_current_fake_stack()) return run_here();
  const struct CMUnitTest tests[] = {cmocka_unit_test(with_fake_stack)};
  return cmocka_run_group_tests_name("X05", tests, NULL, NULL);
}
