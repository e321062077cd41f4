/* X85: at a fork another thread stands between a step and its count.
 *
 * The child has the step but will never count it: its statistics are wrong for good, and below zero once a collection
 * finds the object. */
#include "bug.h"
#include "probe.h"

enum { SIZE = 64, LARGE = 100000 };

static void *object;

static void allocate(void *size) { object = vgc_malloc(*(size_t *)size); }
static void discard(void *unused) {
  (void)unused;
  vgc_free(object);
}

static void compare(void *unused) {
  (void)unused;
  for (unsigned round = 0; round < 2; round++) {
    struct vgc_stats stats = stats_now();
    struct probe_count count = probe_recount();
    must(stats.live_objects == count.objects && stats.live_bytes == count.bytes);
    must(stats.objects_allocated < 1000 && stats.objects_freed <= stats.objects_allocated &&
         stats.bytes_freed <= stats.bytes_allocated);
    must(vgc_collect() == 0);
  }
}

/* Forks while the thread stands at the point in that step. */
static void fork_at(const char *point, struct worker *worker, void (*step)(void *), void *arg) {
  struct child_result result;
  struct park *window = park_arm_thread(point, worker->thread);
  worker_begin(worker, step, arg);
  park_await(window);
  child_run(compare, NULL, 20, &result);
  park_release(window);
  worker_finish(worker);
  if (result.exit_code != 0) print_error("%s: %s", point, result.text);
  assert_int_equal(result.exit_code, 0);
}

static void child_counts_right(void **state) {
  (void)state;
  if (UNDER_TSAN) not_applicable("ThreadSanitizer's runtime does not follow a fork of many threads");
  static size_t small = SIZE, large = LARGE;
  static struct worker first, second;
  start_quiet();
  worker_start(&first);
  worker_start(&second);
  fork_at("span_refill_between", &first, allocate, &small);
  fork_at("free_after_commit", &first, discard, NULL);
  worker_do(&first, allocate, &small);
  fork_at("free_remote_returned", &second, discard, NULL);
  fork_at("large_after_commit", &first, allocate, &large);
  worker_stop(&first);
  worker_stop(&second);
}

BUG(X85) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(child_counts_right, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("X85", tests, NULL, NULL);
}
