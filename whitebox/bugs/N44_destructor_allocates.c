/* N44: destructors of pthread keys that allocate, in every round.
 *
 * vgc's own destructor has run before the last of them; what they allocate is usable, and nothing of the thread stays
 * behind: no record, and nobody signals its id, which may be a stranger's by then. */
#include <limits.h>

#include "bug.h"

/* ThreadSanitizer's state of a thread is gone in the last round of all; vgc leaves a round earlier there. */
enum { THREADS = 8, ROUNDS = PTHREAD_DESTRUCTOR_ITERATIONS - UNDER_TSAN };

static pthread_key_t first, last;
static _Atomic unsigned calls, allocations;

/* The value counts the rounds. */
static void allocate_again(pthread_key_t key, void *value) {
  uintptr_t round = (uintptr_t)value;
  atomic_fetch_add(&calls, 1);
  char *object = vgc_malloc(48);
  if (object) {
    memset(object, 1, 48);
    atomic_fetch_add(&allocations, 1);
  }
  if (round < ROUNDS) pthread_setspecific(key, (void *)(round + 1));
}

static void destroy_first(void *value) { allocate_again(first, value); }

static void destroy_last(void *value) { allocate_again(last, value); }

static void *run(void *arg) {
  must(pthread_setspecific(first, (void *)1) == 0 && pthread_setspecific(last, (void *)1) == 0);
  return arg;
}

static void nothing_stays(void **state) {
  (void)state;
  struct vgc_stats stats = {.struct_size = sizeof stats};
  must(vgc_malloc(16));
  must(pthread_key_create(&first, destroy_first) == 0 && pthread_key_create(&last, destroy_last) == 0);
  size_t records = thread_records();
  for (unsigned i = 0; i < THREADS; i++) {
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, run, NULL), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    fault_reset(NULL);
    assert_int_equal(vgc_collect(), 0);
    assert_int_equal(fault_count(FAULT_SIGNAL), 0);
    assert_int_equal(thread_records(), records);
    assert_int_equal(vgc_get_stats(&stats), 0);
    assert_int_equal(stats.threads, 1);
  }
  assert_int_equal(calls, THREADS * 2 * ROUNDS);
  assert_int_equal(allocations, calls);
}

BUG(N44) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(nothing_stays, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("N44", tests, NULL, NULL);
}
