/* Up and down, again and again, and every way in which it is refused. */
#include "unit.h"

static const uint64_t words[] = {1};
static void *roots[2];

static int teardown(void **state) {
  signal(SIGUSR1, SIG_DFL);
  return unit_teardown(state);
}

/* Uses every part, so that every table exists. */
static void use_everything(void) {
  vgc_layout_id layout = vgc_layout_register(&(struct vgc_layout){.size = 8, .pointer_words = words});
  unit_roots(roots, 2);
  for (unsigned i = 0; i < 500; i++) {
    void **object = vgc_malloc(i * 20);
    if (i) *object = roots[0];
    roots[0] = object;
    assert_non_null(vgc_malloc_noscan(i));
    assert_non_null(vgc_malloc_typed(layout, i));
  }
  assert_non_null(vgc_malloc_uncollectable(100));
  assert_int_equal(vgc_root_add(roots, sizeof roots), 0);
  assert_int_equal(vgc_collect(), 0);
  roots[0] = NULL;
}

static void it_comes_and_goes_again_and_again(void **state) {
  (void)state;
  unsigned mappings = 0;
  size_t bytes = 0;
  struct vgc_config quiet = unit_config(0);
  for (unsigned round = 0; round < 30; round++) {
    unit_start(&quiet);
    use_everything();
    struct vgc_stats stats = stats_now();
    assert_int_equal(stats.cycles, 1); /* nothing of an earlier life is counted */
    assert_true(stats.objects_allocated > 1500 && stats.objects_allocated < 1510);
    assert_int_equal(vgc_shutdown(), 0);
    if (round != 1) continue; /* by then libc has its buffers, the process its layouts */
    mappings = unit_mappings();
    bytes = unit_mapped_bytes();
  }
  assert_in_range(unit_mappings(), mappings - 1, mappings + 1); /* registered layouts stay */
  if (!UNDER_TSAN && !UNDER_ASAN) assert_in_range(unit_mapped_bytes(), bytes - (256 << 10), bytes + (256 << 10));
}

static void first_use_initialises(void **state) {
  (void)state;
  void *object = vgc_malloc(16);
  assert_non_null(object);
  errno = 0;
  assert_int_equal(vgc_init(NULL), -1);
  assert_int_equal(errno, EALREADY);
  assert_true(unit_alive(object));
  assert_int_equal(vgc_shutdown(), 0);
  assert_int_equal(vgc_thread_detach(), 0);
  assert_int_equal(vgc_thread_attach(), 0);
  assert_int_equal(vgc_init(NULL), -1);
  assert_int_equal(vgc_shutdown(), 0);
  assert_int_equal(vgc_init(NULL), 0);
}

static void what_is_down_cannot_be_shut_down(void **state) {
  (void)state;
  errno = 0;
  assert_int_equal(vgc_shutdown(), -1);
  assert_int_equal(errno, EPERM);
  assert_int_equal(vgc_init(NULL), 0);
  assert_int_equal(vgc_shutdown(), 0);
  assert_int_equal(vgc_shutdown(), -1);
}

static void nothing(void *arg) { (void)arg; }

static void other_threads_keep_it_up(void **state) {
  (void)state;
  assert_int_equal(vgc_init(NULL), 0);
  struct worker worker;
  worker_start(&worker);
  worker_do(&worker, nothing, NULL);
  for (unsigned detached = 0; detached < 2; detached++) {
    if (detached) assert_int_equal(vgc_thread_detach(), 0); /* then the worker is the only one */
    errno = 0;
    assert_int_equal(vgc_shutdown(), -1);
    assert_int_equal(errno, EBUSY);
  }
  assert_int_equal(vgc_thread_attach(), 0);
  worker_stop(&worker);
  assert_int_equal(vgc_shutdown(), 0);
}

/* ---- From within a collection ---- */

static struct { int start, start_errno, end, end_errno; } from_hook;

static void shut_down_at_start(void *arg) {
  (void)arg;
  from_hook.start = vgc_shutdown();
  from_hook.start_errno = errno;
}

static void shut_down_at_end(void *arg, const struct vgc_stats *stats) {
  (void)arg, (void)stats;
  from_hook.end = vgc_shutdown();
  from_hook.end_errno = errno;
}

static void a_collection_keeps_it_up(void **state) {
  (void)state;
  for (unsigned level = 1; level <= 2; level++) {
    struct vgc_config given = unit_config(0);
    given.check_level = level;
    unit_start(&given);
    const struct vgc_hooks hooks = {
        .struct_size = sizeof hooks, .cycle_start = shut_down_at_start, .cycle_end = shut_down_at_end};
    vgc_set_hooks(&hooks, NULL);
    void *object = vgc_malloc_uncollectable(100);
    assert_int_equal(vgc_collect(), 0);
    assert_int_equal(from_hook.start, -1);
    assert_int_equal(from_hook.start_errno, EBUSY);
    assert_int_equal(from_hook.end, -1);
    assert_int_equal(from_hook.end_errno, EBUSY);
    assert_true(unit_alive(object));
    vgc_set_hooks(NULL, NULL);
    assert_int_equal(vgc_shutdown(), 0);
  }
}

/* ---- The suspend signal ---- */

static void handler(int signal) { (void)signal; }

static void the_programs_handler_is_respected(void **state) {
  (void)state;
  struct vgc_config given = unit_config(0);
  given.suspend_signal = SIGUSR1;
  unsigned mappings = unit_mappings();
  signal(SIGUSR1, handler);
  errno = 0;
  fault_capture_print(true);
  assert_int_equal(vgc_init(&given), -1);
  assert_int_equal(errno, EBUSY);
  assert_non_null(strstr(fault_printed(), "VGC_SUSPEND_SIGNAL: signal 10 has a handler of the program's"));
  fault_reset(NULL);
  struct sigaction action;
  assert_int_equal(sigaction(SIGUSR1, NULL, &action), 0);
  assert_true(action.sa_handler == handler);
  assert_int_equal(unit_mappings(), mappings);
  signal(SIGUSR1, SIG_IGN);
  unit_start(&given);
  assert_int_equal(vgc_shutdown(), 0);
  assert_int_equal(sigaction(SIGUSR1, NULL, &action), 0);
  assert_true(action.sa_handler == SIG_IGN); /* ours is gone; a signal may still be on its way */
  given.suspend_signal = SIGKILL;            /* cannot be handled */
  errno = 0;
  assert_int_equal(vgc_init(&given), -1);
  assert_int_equal(errno, EINVAL);
}

static void a_replaced_handler_stays_the_programs(void **state) {
  (void)state;
  struct vgc_config given = unit_config(0);
  given.suspend_signal = SIGUSR1;
  unit_start(&given);
  signal(SIGUSR1, handler);
  assert_int_equal(vgc_shutdown(), 0);
  struct sigaction action;
  assert_int_equal(sigaction(SIGUSR1, NULL, &action), 0);
  assert_true(action.sa_handler == handler);
}

/* ---- Without memory ---- */

/* Every reservation refused from the k-th on: it fails cleanly until k is as many as it needs. */
static void without_memory_it_fails_and_leaves_nothing(void **state) {
  (void)state;
  unsigned mappings = unit_mappings(), needed = 0;
  for (unsigned k = 0;; k++) {
    fault_reset(state);
    fault_fail(FAULT_RESERVE, k, ~0ul);
    errno = 0;
    if (vgc_init(NULL) == 0) {
      needed = k;
      break;
    }
    assert_int_equal(errno, ENOMEM);
    assert_int_equal(unit_mappings(), mappings);
    assert_null(arena_of((uintptr_t)&k));
    errno = 0;
    assert_null(vgc_malloc(16)); /* tries again, and fails again */
    assert_int_equal(errno, ENOMEM);
    assert_int_equal(vgc_shutdown(), -1);
  }
  assert_in_range(needed, 4, 20);
  fault_reset(state);
  use_everything();
  assert_int_equal(vgc_shutdown(), 0);
}

/* A single refusal: a smaller arena, or a failure. */
static void a_single_refusal_is_overcome_or_reported(void **state) {
  (void)state;
  for (unsigned k = 0; k < 12; k++) {
    fault_reset(state);
    fault_fail(FAULT_RESERVE, k, 1);
    errno = 0;
    if (vgc_init(NULL) == 0) {
      fault_reset(state);
      use_everything();
      assert_int_equal(vgc_shutdown(), 0);
    } else {
      assert_int_equal(errno, ENOMEM);
    }
  }
}

UNIT(init) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_teardown(it_comes_and_goes_again_and_again, teardown),
      cmocka_unit_test_teardown(first_use_initialises, teardown),
      cmocka_unit_test_teardown(what_is_down_cannot_be_shut_down, teardown),
      cmocka_unit_test_teardown(other_threads_keep_it_up, teardown),
      cmocka_unit_test_teardown(a_collection_keeps_it_up, teardown),
      cmocka_unit_test_teardown(the_programs_handler_is_respected, teardown),
      cmocka_unit_test_teardown(a_replaced_handler_stays_the_programs, teardown),
      cmocka_unit_test_teardown(without_memory_it_fails_and_leaves_nothing, teardown),
      cmocka_unit_test_teardown(a_single_refusal_is_overcome_or_reported, teardown),
  };
  return cmocka_run_group_tests_name("init", tests, NULL, NULL);
}
