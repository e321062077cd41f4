/* Memory that lies idle goes back by call, and by time if the program asks for it. */
#include <sched.h>
#include <time.h>

#include "unit.h"

enum { SIZE = 8 << 20, PERIOD_MS = 10, DEADLINE_S = 20 };

static int setup(void **state) {
  (void)state;
  struct vgc_config given = unit_config(0);
  given.trim_ms = PERIOD_MS;
  unit_start(&given);
  return 0;
}

static void use_and_free(void) {
  char *object = vgc_malloc_noscan(SIZE);
  memset(object, 1, SIZE);
  vgc_free(object);
}

static uint64_t idle_bytes(void) {
  lock_acquire(&heap_lock);
  uint64_t bytes = pages_free_bytes();
  lock_release(&heap_lock);
  return bytes;
}

/* False past the deadline. */
static bool all_given_back(void) {
  time_t start = time(NULL);
  while (idle_bytes() && time(NULL) - start < DEADLINE_S) sched_yield();
  return !idle_bytes();
}

static void idle_memory_goes_back_in_time(void **state) {
  (void)state;
  for (unsigned round = 0; round < 3; round++) {
    use_and_free();
    assert_true(all_given_back());
  }
}

static void what_is_given_back_can_be_used_again(void **state) {
  (void)state;
  use_and_free();
  assert_true(all_given_back());
  const char *object = vgc_malloc(SIZE);
  for (size_t i = 0; i < SIZE; i += 512) assert_int_equal(object[i], 0);
}

static void a_call_gives_back_at_once(void **state) {
  (void)state;
  unit_start(&(struct vgc_config){.struct_size = sizeof(struct vgc_config)});
  use_and_free();
  assert_true(idle_bytes() >= SIZE);
  assert_true(vgc_trim() >= SIZE);
  assert_int_equal(idle_bytes(), 0);
}

static void child_use(void *unused) {
  (void)unused;
  use_and_free();
  must(idle_bytes() >= SIZE);
  must(vgc_trim() >= SIZE);
  must(vgc_shutdown() == 0);
}

static void a_forked_child_has_no_such_thread(void **state) {
  (void)state;
  if (UNDER_TSAN) not_applicable("ThreadSanitizer's runtime does not follow a fork of many threads");
  struct child_result result;
  child_run(child_use, NULL, 20, &result);
  if (result.exit_code != 0) print_error("%s", result.text);
  assert_int_equal(result.exit_code, 0);
}

static void shutdown_and_start_again(void **state) {
  for (unsigned round = 0; round < 20; round++) {
    assert_int_equal(vgc_shutdown(), 0);
    setup(state);
  }
  use_and_free();
  assert_true(all_given_back());
}

#define TIMED(name) cmocka_unit_test_setup_teardown(name, setup, unit_teardown)

UNIT(trim) {
  const struct CMUnitTest tests[] = {
      TIMED(idle_memory_goes_back_in_time),
      TIMED(what_is_given_back_can_be_used_again),
      cmocka_unit_test_setup_teardown(a_call_gives_back_at_once, fault_reset, unit_teardown),
      TIMED(a_forked_child_has_no_such_thread),
      TIMED(shutdown_and_start_again),
  };
  return cmocka_run_group_tests_name("trim", tests, NULL, NULL);
}
