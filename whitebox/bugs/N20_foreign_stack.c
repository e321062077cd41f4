/* N20: a thread suspended on a stack that is not its own.
 *
 * In a handler on its alternate signal stack, or in a coroutine on memory from mmap: both that stack and the thread's
 * own, which it will return to, are roots. */
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "bug.h"
#include "hidden.h"
#include "meeting.h"

enum { SIZE = 704, STACK_BYTES = 256 * 1024 };

static struct foreign {
  uintptr_t own, other; /* held on the thread's own stack, and on the foreign one */
  struct meeting held, done;
  void *stack;
} foreign;

static void hold(uintptr_t hidden) {
  void *held[1];
  hidden_reveal(hidden, held);
  KEEP_ALIVE(held);
  meeting_wait(&foreign.held);
  meeting_wait(&foreign.done);
  KEEP_ALIVE(held);
  held[0] = NULL;
  KEEP_ALIVE(held);
}

static void handler(int signal) {
  (void)signal;
  must(foreign.stack <= __builtin_frame_address(0));
  hold(foreign.other);
}

static void *in_handler(void *arg) {
  void *held[1];
  stack_t stack = {.ss_sp = foreign.stack, .ss_size = STACK_BYTES}, none = {.ss_flags = SS_DISABLE};
  struct sigaction action = {.sa_handler = handler, .sa_flags = SA_ONSTACK};
  must(sigaltstack(&stack, NULL) == 0 && sigaction(SIGUSR1, &action, NULL) == 0);
  hidden_reveal(foreign.own, held);
  KEEP_ALIVE(held);
  must(raise(SIGUSR1) == 0);
  KEEP_ALIVE(held);
  must(sigaltstack(&none, NULL) == 0);
  return arg;
}

static void coroutine(void) { hold(foreign.other); }

static void *in_coroutine(void *arg) {
  void *held[1];
  ucontext_t here, there;
  must(getcontext(&there) == 0);
  there.uc_stack = (stack_t){.ss_sp = foreign.stack, .ss_size = STACK_BYTES};
  there.uc_link = &here;
  makecontext(&there, coroutine, 0);
  hidden_reveal(foreign.own, held);
  KEEP_ALIVE(held);
  must(swapcontext(&here, &there) == 0);
  KEEP_ALIVE(held);
  return arg;
}

static void both_stacks_survive(void *(*run)(void *)) {
  struct hidden_control control;
  hidden_control_make(&control);
  foreign.own = hidden_make(SIZE);
  foreign.other = hidden_make(SIZE);
  foreign.stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  assert_true(foreign.stack != MAP_FAILED);
  meeting_init(&foreign.held, 2);
  meeting_init(&foreign.done, 2);
  pthread_t thread;
  assert_int_equal(pthread_create(&thread, NULL, run, NULL), 0);
  meeting_wait(&foreign.held);
  assert_int_equal(vgc_collect(), 0);
  assert_true(hidden_control_died(&control));
  bool own = hidden_alive(foreign.own, SIZE), other = hidden_alive(foreign.other, SIZE);
  meeting_wait(&foreign.done);
  assert_int_equal(pthread_join(thread, NULL), 0);
  munmap(foreign.stack, STACK_BYTES);
  assert_true(own);
  assert_true(other);
}

static void alternate_signal_stack(void **state) {
  (void)state;
  if (UNDER_TSAN) not_applicable("ThreadSanitizer runs each handler with all signals blocked");
  both_stacks_survive(in_handler);
}

static void coroutine_stack(void **state) {
  (void)state;
  if (UNDER_TSAN) not_applicable("ThreadSanitizer does not follow swapcontext");
  both_stacks_survive(in_coroutine);
}

BUG(N20) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(alternate_signal_stack, fault_reset, park_reset),
                                     cmocka_unit_test_setup_teardown(coroutine_stack, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("N20", tests, NULL, NULL);
}
