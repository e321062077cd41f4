/* X80: a thread's stack consists of several mappings.
 *
 * Advice for a part of it, as a library gives that wants a secret out of core dumps, splits it for the kernel. Of a
 * thread that stands on its alternate signal stack all parts are roots. */
#include <signal.h>
#include <sys/mman.h>

#include "bug.h"
#include "hidden.h"

enum { SIZE = 704, STACK_BYTES = 64 * 1024, PAGE = 4096 };

static struct hidden_holder holder;
static char alternate[STACK_BYTES];

static void handler(int signal) {
  (void)signal;
  meeting_wait(&holder.held);
  meeting_wait(&holder.done);
}

static NOINLINE void hold_below(const char *secret) {
  void *slot[1];
  must((const char *)slot < secret);
  hidden_reveal(holder.hidden, slot);
  KEEP_ALIVE(slot);
  must(raise(SIGUSR1) == 0);
  KEEP_ALIVE(slot);
}

static void *run(void *arg) {
  char room[3 * PAGE];
  char *secret = (char *)(((uintptr_t)room + PAGE) & ~(uintptr_t)(PAGE - 1));
  must(madvise(secret, PAGE, MADV_DONTDUMP) == 0);
  stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate}, none = {.ss_flags = SS_DISABLE};
  struct sigaction action = {.sa_handler = handler, .sa_flags = SA_ONSTACK};
  must(sigaltstack(&stack, NULL) == 0 && sigaction(SIGUSR1, &action, NULL) == 0);
  hold_below(secret);
  must(sigaltstack(&none, NULL) == 0 && madvise(secret, PAGE, MADV_DODUMP) == 0);
  return arg;
}

static void all_parts_are_roots(void **state) {
  (void)state;
  if (UNDER_TSAN) not_applicable("ThreadSanitizer runs each handler with all signals blocked");
  if (UNDER_ASAN) not_applicable("AddressSanitizer may keep the array elsewhere");
  assert_true(hidden_survives(&holder, SIZE, run));
}

BUG(X80) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(all_parts_are_roots, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("X80", tests, NULL, NULL);
}
