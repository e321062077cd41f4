/* X40: a remote free looks at the span after it has returned the slot.
 *
 * With the last slot back the span may end, and its descriptor and its pages may serve another class a moment later:
 * what the free does to them then is done to another's. */
#include "bug.h"
#include "probe.h"

enum { FREED_SIZE = 1024, KEPT_SIZE = 512 };

static uintptr_t object;
static struct span *span;
static void *kept;

static void make(void *arg) {
  (void)arg;
  void *made = vgc_malloc(FREED_SIZE);
  span = span_of((uintptr_t)made);
  object = hide(made);
}

static void counted_where_it_was(void **state) {
  (void)state;
  errors_record();
  start_quiet();
  static struct worker owner, other;
  worker_start(&owner);
  worker_start(&other);
  worker_do(&owner, make, NULL);
  struct park *window = park_arm_thread("free_remote_returned", other.thread);
  worker_begin(&other, free_hidden, &object);
  park_await(window);
  worker_stop(&owner);
  assert_int_equal(span_state(span), SPAN_NONE);
  kept = vgc_malloc(KEPT_SIZE);
  assert_ptr_equal(span_of((uintptr_t)kept), span);
  park_release(window);
  worker_finish(&other);
  memset(kept, 1, KEPT_SIZE); /* under AddressSanitizer: it is not poisoned */
  struct vgc_stats stats = stats_now();
  assert_int_equal(stats.bytes_freed, FREED_SIZE);
  assert_int_equal(stats.live_bytes, KEPT_SIZE);
  assert_int_equal(errors_count(), 0);
  worker_stop(&other);
}

BUG(X40) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(counted_where_it_was, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("X40", tests, NULL, NULL);
}
