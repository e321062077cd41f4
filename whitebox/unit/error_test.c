/* Hooks, and reports of invalid use with and without one. */
#include "unit.h"

static int setup(void **state) { return unit_setup(state); }

static void nothing(void *arg) { (void)arg; }
static void nothing_at_end(void *arg, const struct vgc_stats *stats) { (void)arg, (void)stats; }
static void *no_memory(void *arg, size_t size) { return (void)arg, (void)size, NULL; }
static void no_error(void *arg, enum vgc_error error, const void *ptr, const char *message) {
  (void)arg, (void)error, (void)ptr, (void)message;
}

static const struct vgc_hooks full = {.struct_size = sizeof full,
                                      .arg = &unit_errors,
                                      .cycle_start = nothing,
                                      .cycle_end = nothing_at_end,
                                      .out_of_memory = no_memory,
                                      .error = no_error};

static void assert_same(const struct vgc_hooks *a, const struct vgc_hooks *b) {
  assert_ptr_equal(a->arg, b->arg);
  assert_true(a->cycle_start == b->cycle_start && a->cycle_end == b->cycle_end);
  assert_true(a->out_of_memory == b->out_of_memory && a->error == b->error);
}

static void hooks_are_copied_and_the_old_ones_returned(void **state) {
  (void)state;
  const struct vgc_hooks none = {.struct_size = sizeof none};
  struct vgc_hooks given = full, old;
  vgc_set_hooks(&given, &old);
  assert_same(&old, &none);
  memset(&given, 0, sizeof given); /* the library has a copy */
  assert_same(hooks_get(), &full);
  struct vgc_hooks other = {.struct_size = sizeof other, .error = no_error};
  vgc_set_hooks(&other, &old);
  assert_same(&old, &full);
  vgc_set_hooks(&old, &old); /* in and out at once */
  assert_same(hooks_get(), &full);
  assert_same(&old, &other);
  vgc_set_hooks(NULL, &old);
  assert_same(&old, &full);
  assert_same(hooks_get(), &none);
  vgc_set_hooks(NULL, NULL);
}

/* A program built when the structure was shorter: what lies behind it in memory is no hook. */
static void hooks_of_an_older_program_end_where_they_say(void **state) {
  (void)state;
  struct vgc_hooks given = full;
  given.struct_size = offsetof(struct vgc_hooks, out_of_memory);
  vgc_set_hooks(&given, NULL);
  assert_true(hooks_get()->cycle_start == nothing && hooks_get()->cycle_end == nothing_at_end);
  assert_true(hooks_get()->out_of_memory == NULL && hooks_get()->error == NULL);
  given.struct_size = sizeof given + 64; /* a newer one */
  vgc_set_hooks(&given, NULL);
  assert_same(hooks_get(), &full);
  given.struct_size = 0; /* forgotten */
  fault_capture_print(true);
  vgc_set_hooks(&given, NULL);
  assert_non_null(strstr(fault_printed(), "vgc_hooks.struct_size is 0: expected"));
  fault_reset(NULL);
}

/* ---- Cycles ---- */

static struct {
  unsigned starts, ends;
  uint64_t cycles;
  bool stopped;
} seen;

static void at_start(void *arg) {
  assert_ptr_equal(arg, &seen);
  seen.starts++;
  seen.stopped |= world_is_stopped();
}

static void at_end(void *arg, const struct vgc_stats *stats) {
  assert_ptr_equal(arg, &seen);
  seen.ends++;
  seen.cycles = stats->cycles;
  seen.stopped |= world_is_stopped();
  assert_int_equal(stats->live_objects, probe_recount().objects);
  assert_non_null(vgc_malloc(16)); /* the world runs again */
}

static void each_cycle_calls_its_hooks(void **state) {
  (void)state;
  memset(&seen, 0, sizeof seen);
  const struct vgc_hooks hooks = {
      .struct_size = sizeof hooks, .arg = &seen, .cycle_start = at_start, .cycle_end = at_end};
  vgc_set_hooks(&hooks, NULL);
  for (unsigned cycle = 1; cycle <= 3; cycle++) {
    assert_int_equal(vgc_collect(), 0);
    assert_int_equal(seen.starts, cycle);
    assert_int_equal(seen.ends, cycle);
    assert_int_equal(seen.cycles, cycle);
  }
  assert_false(seen.stopped);
  vgc_disable();
  assert_int_equal(vgc_collect(), -1);
  assert_int_equal(errno, EBUSY);
  vgc_enable();
  assert_int_equal(seen.starts, 3);
}

static struct {
  unsigned suspended, resumed;
  pthread_t thread;
} told;

static void tell(void *arg, pthread_t thread, int suspended) {
  assert_ptr_equal(arg, &told);
  assert_true(world_is_stopped());
  (*(suspended ? &told.suspended : &told.resumed))++;
  told.thread = thread;
}

static void attach(void *arg) {
  (void)arg;
  assert_non_null(vgc_malloc(16));
}

static void suspended_threads_are_told_of(void **state) {
  (void)state;
  struct worker worker;
  worker_start(&worker);
  worker_do(&worker, attach, NULL);
  const struct vgc_hooks hooks = {.struct_size = sizeof hooks, .arg = &told, .thread = tell};
  vgc_set_hooks(&hooks, NULL);
  assert_int_equal(vgc_collect(), 0);
  assert_int_equal(told.suspended, 1);
  assert_int_equal(told.resumed, 1);
  assert_true(pthread_equal(told.thread, worker.thread));
  vgc_set_hooks(NULL, NULL);
  worker_stop(&worker);
}

static void a_cycle_is_logged_in_one_line(void **state) {
  (void)state;
  static const struct {
    unsigned every;
    const char *reason;
  } rows[] = {{0, " explicit "}, {1, " stress "}};
  for (unsigned i = 0; i < 2; i++) {
    struct vgc_config logged = unit_config(0);
    logged.log = 1;
    logged.collect_every = rows[i].every;
    unit_start(&logged);
    fault_reset(state);
    fault_capture_print(true);
    if (rows[i].every)
      assert_non_null(vgc_malloc(16));
    else
      assert_int_equal(vgc_collect(), 0);
    const char *line = fault_printed();
    assert_int_equal(strncmp(line, "vgc: cycle 1 ", 13), 0);
    assert_non_null(strstr(line, rows[i].reason));
    assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
    assert_int_equal(vgc_shutdown(), 0);
  }
}

/* ---- Out of memory ---- */

static char reserve_memory[64];
static size_t asked;

static void *give_reserve(void *arg, size_t size) {
  asked = size;
  return arg;
}

static void the_hooks_memory_is_returned(void **state) {
  (void)state;
  const struct vgc_hooks hooks = {.struct_size = sizeof hooks, .arg = reserve_memory, .out_of_memory = give_reserve};
  vgc_set_hooks(&hooks, NULL);
  volatile size_t huge = SIZE_MAX / 2;
  assert_ptr_equal(vgc_malloc(huge), reserve_memory);
  assert_int_equal(asked, huge);
  assert_ptr_equal(vgc_calloc(huge, 3), reserve_memory);
  assert_int_equal(asked, SIZE_MAX);
  assert_ptr_equal(vgc_aligned_alloc(64, huge), reserve_memory);
  const struct vgc_hooks refuses = {.struct_size = sizeof refuses, .out_of_memory = no_memory};
  vgc_set_hooks(&refuses, NULL);
  errno = 0;
  assert_null(vgc_malloc(huge));
  assert_int_equal(errno, ENOMEM);
}

/* ---- Reports ---- */

static void a_hook_that_returns_makes_the_call_fail(void **state) {
  (void)state;
  unit_keep_errors();
  int local;
  errno = 0;
  unit_expect_error(VGC_ERROR_FREE_FOREIGN, &local, vgc_free(&local));
  assert_int_equal(errno, EINVAL);
  assert_non_null(strstr(unit_errors.message, "outside the heap"));
}

struct report {
  enum vgc_error error;
  bool hook;
};

static void report(void *arg) {
  const struct report *wanted = arg;
  if (wanted->hook) unit_keep_errors();
  event_record(EVENT_CYCLE, 0x1234, 0x5678);
  error_report(wanted->error, (void *)0xabcdef, "what was found; what to do");
}

static void without_a_hook_a_report_aborts(void **state) {
  (void)state;
  for (enum vgc_error error = VGC_ERROR_DOUBLE_FREE; error <= VGC_ERROR_CORRUPT; error++)
    for (unsigned hook = 0; hook < 2; hook++) {
      struct report wanted = {error, hook};
      struct child_result result;
      child_run(report, &wanted, 10, &result);
      if (hook && error != VGC_ERROR_CORRUPT) {
        assert_int_equal(result.exit_code, 0);
        continue;
      }
      unit_assert_aborted(&result, "vgc: 0xabcdef: what was found; what to do\n");
      assert_non_null(strstr(result.text, " cycle 0x1234 0x5678\n")); /* what happened before */
    }
}

static void report_nothing(void *arg) {
  (void)arg;
  vgc_enable();
}

static void what_concerns_no_pointer_shows_none(void **state) {
  (void)state;
  struct child_result result;
  child_run(report_nothing, NULL, 10, &result);
  unit_assert_aborted(&result, "vgc: vgc_enable without vgc_disable; call them in pairs\n");
}

static void fail_check(void *arg) {
  (void)arg;
  CHECK(1 + 1 == 2);
  CHECK(1 + 1 == 3);
}

static void a_failed_check_names_its_condition(void **state) {
  (void)state;
  struct child_result result;
  child_run(fail_check, NULL, 10, &result);
  unit_assert_aborted(&result, "vgc: check failed: 1 + 1 == 3, at ");
  assert_non_null(strstr(result.text, "error_test.c:"));
}

UNIT(error) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, unit_teardown)
  const struct CMUnitTest tests[] = {
      TEST(hooks_are_copied_and_the_old_ones_returned),
      TEST(hooks_of_an_older_program_end_where_they_say),
      TEST(each_cycle_calls_its_hooks),
      TEST(suspended_threads_are_told_of),
      cmocka_unit_test_teardown(a_cycle_is_logged_in_one_line, unit_teardown),
      TEST(the_hooks_memory_is_returned),
      TEST(a_hook_that_returns_makes_the_call_fail),
      TEST(without_a_hook_a_report_aborts),
      TEST(what_concerns_no_pointer_shows_none),
      TEST(a_failed_check_names_its_condition),
  };
  return cmocka_run_group_tests_name("error", tests, NULL, NULL);
}
