/* What gc/ asks of the system. */
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>

#include "unit.h"

enum { PAGE = 4096 };

/* ---- Memory ---- */

static void reserved_memory_is_aligned_and_zero(void **state) {
  (void)state;
  for (size_t alignment = PAGE; alignment <= (size_t)1 << 30; alignment *= 2)
    for (size_t size = PAGE; size <= 16 * PAGE; size *= 4) {
      unsigned char *start = platform_reserve(size, alignment);
      assert_non_null(start);
      assert_int_equal((uintptr_t)start % alignment, 0);
      for (size_t i = 0; i < size; i += 64) assert_int_equal(start[i], 0);
      memset(start, 1, size);
      platform_release(start, size);
    }
}

/* Asked of the system about this address alone: a sanitizer's own threads map and unmap as they like. */
static bool is_mapped(char *address) {
  unsigned char resident;
  return mincore((void *)((uintptr_t)address & ~(uintptr_t)(PAGE - 1)), PAGE, &resident) == 0;
}

static void released_memory_is_gone(void **state) {
  (void)state;
  char *start = platform_reserve(64 * PAGE, 16 * PAGE);
  assert_true(platform_readable((uintptr_t)start, 64 * PAGE));
  assert_true(is_mapped(start - 1)); /* the page without access below */
  platform_release(start, 64 * PAGE);
  for (size_t page = 0; page <= 64; page++) assert_false(is_mapped(start + page * PAGE - 1));
}

static void impossible_reservations_fail_and_keep_errno(void **state) {
  (void)state;
  static const size_t rows[][2] = {{0, PAGE},
                                   {SIZE_MAX, PAGE},
                                   {SIZE_MAX - PAGE + 1, PAGE},
                                   {(size_t)1 << 62, PAGE},
                                   {SIZE_MAX - PAGE, 2 * PAGE},
                                   {PAGE, (size_t)1 << 63},
                                   {SIZE_MAX - 2 * PAGE + 1, 8 * PAGE}};
  for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
    errno = 1234;
    assert_null(platform_reserve(rows[i][0], rows[i][1]));
    assert_int_equal(errno, 1234);
  }
}

static void discarded_memory_is_zero_even_if_locked(void **state) {
  (void)state;
  for (unsigned locked = 0; locked < 2; locked++) {
    char *start = platform_reserve(2 * PAGE, PAGE);
    if (locked && mlock(start, 2 * PAGE) != 0) not_applicable("memory may not be locked here");
    memset(start, 1, 2 * PAGE);
    platform_discard(start, 2 * PAGE);
    for (size_t i = 0; i < 2 * PAGE; i++) assert_int_equal(start[i], 0);
    platform_release(start, 2 * PAGE);
  }
}

static void readable_is_what_can_be_read(void **state) {
  (void)state;
  char *start = mmap(NULL, 3 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  must(start != MAP_FAILED && mprotect(start + PAGE, PAGE, PROT_NONE) == 0);
  uintptr_t at = (uintptr_t)start;
  assert_true(platform_readable(at, PAGE));
  assert_true(platform_readable(at + 5, 100));
  assert_false(platform_readable(at, PAGE + 8));
  assert_false(platform_readable(at + PAGE, 8));
  assert_false(platform_readable(at, 3 * PAGE));
  assert_true(platform_readable(at + 2 * PAGE, PAGE));
  assert_false(platform_readable(0, 8));
  assert_false(platform_readable(UINTPTR_MAX - 7, 8));
  assert_false(platform_readable(at, SIZE_MAX));
  uintptr_t low, high;
  assert_true(platform_mapping(at + 8, &low, &high));
  assert_true(low <= at && high == at + PAGE);
  assert_false(platform_mapping(at + PAGE, &low, &high)); /* mapped, but not for reading */
  assert_false(platform_mapping(8, &low, &high));
  assert_false(platform_mapping(UINTPTR_MAX, &low, &high));
  munmap(start, 3 * PAGE);
}

/* ---- Stacks ---- */

static void look_at_stack(void *arg) {
  /* Not the address of a local: with AddressSanitizer those may lie in a fake stack. */
  uintptr_t low, high, here = (uintptr_t)__builtin_frame_address(0);
  must(platform_stack_bounds(&low, &high));
  must(low < here && here < high);
  must(platform_readable(here, high - here));
  *(uintptr_t *)arg = high - low;
}

static void each_threads_stack_has_bounds(void **state) {
  (void)state;
  extern char **environ;
  uintptr_t low, high, size;
  assert_true(platform_stack_bounds(&low, &high));
  uintptr_t here = (uintptr_t)__builtin_frame_address(0);
  assert_true(low < here && here < high);
  if (environ && environ[0])
    assert_true((uintptr_t)environ[0] < high); /* the main thread's goes on to the environment */
  probe_in_thread(look_at_stack, &size);
  assert_in_range(size, PAGE, (size_t)1 << 40);
}

/* In the child the thread is the first one, but its stack has strangers above it. */
static void look_in_child(void *arg) {
  uintptr_t size;
  look_at_stack(&size);
  must(size == *(uintptr_t *)arg);
}

static void fork_here(void *arg) {
  uintptr_t size;
  look_at_stack(&size);
  child_run(look_in_child, &size, 10, arg);
}

static void a_forked_threads_stack_ends_where_it_did(void **state) {
  (void)state;
  struct child_result result;
  probe_in_thread(fork_here, &result);
  if (result.exit_code) fail_msg("exit code %d:\n%s", result.exit_code, result.text);
}

/* ---- Text: the real printer, which other tests see only through what captures it ---- */

void __real_platform_print(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void print_all(void *arg) {
  const char *volatile null = NULL;
  (void)arg;
  errno = 77;
  __real_platform_print("%s|%s|%d|%d|%u|%zu|", "text", null, -5, 0, 4000000000u, SIZE_MAX);
  __real_platform_print("%lu|%llu|%x|%p|%%|%lx|%d\n", 7ul, 18446744073709551615ull, 0xabcu, (void *)0x1f, 0x1234ul,
                        INT32_MIN);
  must(errno == 77);
}

static void texts_are_formatted(void **state) {
  (void)state;
  struct child_result result;
  child_run(print_all, NULL, 10, &result);
  assert_string_equal(result.text, "text|(null)|-5|0|4000000000|18446744073709551615|"
                                   "7|18446744073709551615|abc|0x1f|%|1234|-2147483648\n");
}

static void print_much(void *arg) {
  char text[2001];
  memset(text, 'x', 2000);
  text[2000] = 0;
  (void)arg;
  __real_platform_print("%s", text);
}

static void long_texts_are_cut(void **state) {
  (void)state;
  struct child_result result;
  child_run(print_much, NULL, 10, &result);
  assert_int_equal(strlen(result.text), 1024);
}

static void print_nowhere(void *arg) {
  (void)arg;
  close(STDERR_FILENO);
  errno = 77;
  __real_platform_print("lost\n");
  must(errno == 77);
}

static void without_standard_error_texts_are_lost(void **state) {
  (void)state;
  struct child_result result;
  child_run(print_nowhere, NULL, 10, &result);
  assert_int_equal(result.exit_code, 0);
}

static void print_into_a_full_pipe(void *unused) {
  (void)unused;
  int ends[2];
  must(pipe2(ends, O_NONBLOCK) == 0);
  static const char page[PAGE];
  while (write(ends[1], page, sizeof page) > 0) continue;
  must(errno == EAGAIN && dup2(ends[1], STDERR_FILENO) == STDERR_FILENO);
  errno = EDOM;
  platform_print("nobody reads this\n");
  must(errno == EDOM);
}

static void where_standard_error_is_full_texts_are_lost(void **state) {
  (void)state;
  struct child_result result;
  child_run(print_into_a_full_pipe, NULL, 10, &result);
  assert_int_equal(result.exit_code, 0);
}

/* ---- Waiting, signals ---- */

static void a_wait_ends_if_the_word_is_another_or_the_time_is_over(void **state) {
  (void)state;
  _Atomic uint32_t word = 1;
  platform_futex_wait(&word, 2, 0);
  uint64_t before = platform_now_ns();
  platform_futex_wait(&word, 1, 1000000);
  assert_true(platform_now_ns() - before >= 1000000);
  platform_futex_wake_all(&word);
}

static void handler(int signal) { (void)signal; }
static void other_handler(int signal) { (void)signal; }
static void info_handler(int signal, siginfo_t *info, void *context) { (void)signal, (void)info, (void)context; }

static void handlers_of_the_program_are_respected(void **state) {
  (void)state;
  assert_int_equal(platform_handler_install(0, handler), EINVAL);
  assert_int_equal(platform_handler_install(65, handler), EINVAL);
  assert_int_equal(platform_handler_install(SIGKILL, handler), EINVAL);
  signal(SIGUSR2, other_handler);
  assert_int_equal(platform_handler_install(SIGUSR2, handler), EBUSY);
  struct sigaction action = {.sa_sigaction = info_handler, .sa_flags = SA_SIGINFO};
  must(sigaction(SIGUSR2, &action, NULL) == 0);
  assert_int_equal(platform_handler_install(SIGUSR2, handler), EBUSY);
  assert_false(platform_handler_installed(SIGUSR2, handler));
  signal(SIGUSR2, SIG_IGN);
  assert_int_equal(platform_handler_install(SIGUSR2, handler), 0);
  assert_int_equal(platform_handler_install(SIGUSR2, handler), 0);
  assert_true(platform_handler_installed(SIGUSR2, handler));
  must(sigaction(SIGUSR2, NULL, &action) == 0);
  assert_true(action.sa_flags & SA_RESTART);
  platform_handler_remove(SIGUSR2, other_handler);
  assert_true(platform_handler_installed(SIGUSR2, handler));
  platform_handler_remove(SIGUSR2, handler);
  assert_false(platform_handler_installed(SIGUSR2, handler));
  raise(SIGUSR2); /* ignored: one may still have been pending */
  signal(SIGUSR2, SIG_DFL);
}

static void signals_reach_only_threads_of_the_process(void **state) {
  (void)state;
  signal(SIGUSR2, SIG_IGN);
  errno = 77;
  assert_int_equal(platform_thread_signal(platform_thread_id(), SIGUSR2), 0);
  assert_int_equal(platform_thread_signal(1, SIGUSR2), ESRCH);
  assert_int_equal(platform_thread_signal(platform_thread_id(), 65), EINVAL);
  assert_int_equal(errno, 77);
  signal(SIGUSR2, SIG_DFL);
}

static void a_silent_thread_is_described(void **state) {
  (void)state;
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR2);
  for (unsigned blocked = 0; blocked < 2; blocked++) {
    pthread_sigmask(blocked ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
    fault_reset(state);
    fault_capture_print(true);
    platform_thread_describe(platform_thread_id(), SIGUSR2);
    assert_non_null(strstr(fault_printed(), "(unit) does not answer the suspend signal 12: state R"));
    assert_int_equal(!!strstr(fault_printed(), "the program blocks that signal"), blocked);
  }
  platform_signal_unblock(SIGUSR2);
  pthread_sigmask(SIG_BLOCK, NULL, &set);
  assert_false(sigismember(&set, SIGUSR2));
  fault_reset(state);
  fault_capture_print(true);
  platform_thread_describe(INT32_MAX, SIGUSR2); /* gone meanwhile */
  assert_non_null(strstr(fault_printed(), "state ?, wchan ?, syscall ?"));
  fault_reset(state);
}

/* ---- Keys ---- */

static pthread_key_t others[72], last_key;
static unsigned other_count;
static bool last_seen, in_order;

static void last_called(void *unused) {
  (void)unused;
  last_seen = true;
}

static void other_called(void *unused) {
  (void)unused;
  in_order &= !last_seen;
}

static void *end_with_values(void *arg) {
  must(vgc_thread_detach() == 0); /* vgc's own key has no value then */
  for (unsigned i = 0; i < other_count; i++) must(pthread_setspecific(others[i], &others[i]) == 0);
  must(pthread_setspecific(last_key, &last_key) == 0);
  must(platform_keys_follow(last_key) == *(bool *)arg);
  return NULL;
}

/* Whatever keys are made before it; after it, as far as the others leave room. */
static void the_last_key_comes_last(void **state) {
  (void)state;
  static const struct {
    unsigned before, after;
    bool follow;
  } rows[] = {{0, 8, false}, {8, 8, false}, {0, 40, true}, {64, 0, false}, {64, 8, true}};
  for (unsigned row = 0; row < sizeof rows / sizeof *rows; row++) {
    for (other_count = 0; other_count < rows[row].before; other_count++)
      assert_int_equal(pthread_key_create(&others[other_count], other_called), 0);
    assert_int_equal(platform_last_key(&last_key, last_called), 0);
    for (unsigned i = 0; i < rows[row].after; i++)
      assert_int_equal(pthread_key_create(&others[other_count++], other_called), 0);
    pthread_t thread;
    last_seen = false;
    in_order = true;
    bool follow = rows[row].follow;
    assert_int_equal(pthread_create(&thread, NULL, end_with_values, &follow), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(last_seen);
    if (!follow) assert_true(in_order);
    while (other_count) pthread_key_delete(others[--other_count]);
    pthread_key_delete(last_key);
  }
}

UNIT(platform) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(reserved_memory_is_aligned_and_zero),
      cmocka_unit_test(released_memory_is_gone),
      cmocka_unit_test(impossible_reservations_fail_and_keep_errno),
      cmocka_unit_test(discarded_memory_is_zero_even_if_locked),
      cmocka_unit_test(readable_is_what_can_be_read),
      cmocka_unit_test(each_threads_stack_has_bounds),
      cmocka_unit_test_teardown(a_forked_threads_stack_ends_where_it_did, unit_teardown),
      cmocka_unit_test(the_last_key_comes_last),
      cmocka_unit_test(texts_are_formatted),
      cmocka_unit_test(long_texts_are_cut),
      cmocka_unit_test(without_standard_error_texts_are_lost),
      cmocka_unit_test(where_standard_error_is_full_texts_are_lost),
      cmocka_unit_test(a_wait_ends_if_the_word_is_another_or_the_time_is_over),
      cmocka_unit_test(handlers_of_the_program_are_respected),
      cmocka_unit_test(signals_reach_only_threads_of_the_process),
      cmocka_unit_test_teardown(a_silent_thread_is_described, fault_reset),
  };
  return cmocka_run_group_tests_name("platform", tests, NULL, NULL);
}
