/* X71: the alternate signal stack is an array on the thread's own stack.
 *
 * A thread that is stopped in a handler there stands within its own stack, and yet above frames that it will return
 * to. */
#include <signal.h>

#include "bug.h"
#include "hidden.h"

enum { SIZE = 704, STACK_BYTES = 64 * 1024 };

static struct hidden_holder holder;

static void handler(int signal) {
  (void)signal;
  meeting_wait(&holder.held);
  meeting_wait(&holder.done);
}

static NOINLINE void hold_below(const char *alternate) {
  void *slot[1];
  must((const char *)slot < alternate);
  hidden_reveal(holder.hidden, slot);
  KEEP_ALIVE(slot);
  must(raise(SIGUSR1) == 0);
  KEEP_ALIVE(slot);
}

static void *run(void *arg) {
  char alternate[STACK_BYTES];
  stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate}, none = {.ss_flags = SS_DISABLE};
  struct sigaction action = {.sa_handler = handler, .sa_flags = SA_ONSTACK};
  must(sigaltstack(&stack, NULL) == 0 && sigaction(SIGUSR1, &action, NULL) == 0);
  hold_below(alternate);
  must(sigaltstack(&none, NULL) == 0);
  return arg;
}

static void frames_below_it_are_roots(void **state) {
  (void)state;
  if (UNDER_TSAN) not_applicable("ThreadSanitizer runs each handler with all signals blocked");
  if (UNDER_ASAN) not_applicable("AddressSanitizer may keep the array elsewhere");
  assert_true(hidden_survives(&holder, SIZE, run));
}

BUG(X71) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(frames_below_it_are_roots, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("X71", tests, NULL, NULL);
}
