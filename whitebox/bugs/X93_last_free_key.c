/* X93: the library takes the last free key of the process, finds no second one, and keeps the first.
 *
 * The keys are gone before any constructor runs; the library does without, and what it cannot use it gives back. */
#include <errno.h>

#include "bug.h"

enum { DEADLINE_S = 30 };

static pthread_key_t kept;

/* Before all constructors, that of libc too, in a process that was started for it. */
static void take_all_but_one(int argc, char **argv, char **environment) {
  (void)argc, (void)argv;
  while (*environment && strcmp(*environment, "BUG_X93=1") != 0) environment++;
  if (!*environment) return;
  pthread_key_t key;
  while (pthread_key_create(&key, NULL) == 0) kept = key;
  pthread_key_delete(kept);
}
__attribute__((section(".preinit_array"), used)) static void (*const first)(int, char **, char **) = take_all_but_one;

static void the_last_key_is_free(void **state) {
  (void)state;
  pthread_key_t key;
  assert_non_null(vgc_malloc(8));
  assert_int_equal(pthread_key_create(&key, NULL), 0);
  assert_int_equal(key, kept);
  assert_int_equal(pthread_key_create(&key, NULL), EAGAIN);
}

static int run_here(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(the_last_key_is_free)};
  return cmocka_run_group_tests_name("X93", tests, NULL, NULL);
}

static void start_anew(void *unused) {
  (void)unused;
  must(setenv("BUG_X93", "1", 1) == 0);
  execl("/proc/self/exe", "bugs", "--in-process", "X93", (char *)NULL);
  must(false && "exec");
}

static void in_a_process_without_keys(void **state) {
  (void)state;
  if (UNDER_TSAN || UNDER_ASAN) not_applicable("a sanitizer wants a key of its own");
  struct child_result result;
  child_run(start_anew, NULL, DEADLINE_S, &result);
  if (result.timed_out || result.exit_code != 0)
    fail_msg("exit %d, signal %d\n%s", result.exit_code, result.signal, result.text);
}

BUG(X93) {
  if (getenv("BUG_X93")) return run_here();
  const struct CMUnitTest tests[] = {cmocka_unit_test(in_a_process_without_keys)};
  return cmocka_run_group_tests_name("X93", tests, NULL, NULL);
}
