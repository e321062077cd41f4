/* X78: a fork handler that the program installed before its first allocation uses the heap.
 *
 * Handlers before a fork run last first: had the library put its own in later, it would hold all its locks by then. */
#include <pthread.h>
#include <sys/wait.h>

#include "bug.h"

static unsigned runs;

static void use_heap(void) {
  runs++;
  vgc_free(vgc_malloc(100000));
}

static void fork_after_first_use(void *unused) {
  (void)unused;
  must(pthread_atfork(use_heap, use_heap, use_heap) == 0);
  struct vgc_config wanted = config_quiet();
  wanted.check_level = 2; /* a lock taken twice is an error, not a deadlock */
  must(vgc_init(&wanted) == 0);
  pid_t pid = fork();
  must(pid >= 0 && runs == 2);
  if (pid == 0) _exit(7);
  int status;
  must(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 7);
}

static void handlers_find_it_unlocked(void **state) {
  (void)state;
  struct child_result result;
  child_run(fork_after_first_use, NULL, 20, &result);
  if (result.exit_code != 0) print_error("%s", result.text);
  assert_false(result.timed_out);
  assert_int_equal(result.exit_code, 0);
}

BUG(X78) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(handlers_find_it_unlocked, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("X78", tests, NULL, NULL);
}
