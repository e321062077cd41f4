/* L06: pauses are measured with a clock that stands still between two ticks, and come out as nothing.
 *
 * While a hundred microseconds pass, the library's clock sees them pass, every time. */
#include "bug.h"
#include "objects.h"

#include <time.h>

enum { SPAN_NS = 100 * 1000, ROUNDS = 30 };

static uint64_t true_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void clock_sees_microseconds(void **state) {
  (void)state;
  for (unsigned round = 0; round < ROUNDS; round++) {
    uint64_t start = platform_now_ns();
    for (uint64_t begin = true_now(); true_now() - begin < SPAN_NS;) {
    }
    assert_true(platform_now_ns() - start >= SPAN_NS);
  }
  assert_int_equal(vgc_collect(), 0);
  assert_true(stats_now().pause_ns_last > 0);
}

BUG(L06) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(clock_sees_microseconds, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("L06", tests, NULL, NULL);
}
