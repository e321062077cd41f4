/* X90: to add or remove a root the collector looks through all of them.
 *
 * As many operations on a table of many roots cost about what they cost on a table of few. */
#include <time.h>

#include "bug.h"
#include "objects.h"
#include "probe.h"

enum { FEW = 500, MANY = 50 * FEW };

static char bytes[MANY];

static uint64_t cpu_ns(void) {
  struct timespec now;
  assert_int_equal(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now), 0);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t add_and_remove(unsigned roots, unsigned times) {
  uint64_t start = cpu_ns();
  while (times--) {
    for (unsigned i = 0; i < roots; i++) assert_int_equal(vgc_root_add(&bytes[i], 1), 0);
    for (unsigned i = 0; i < roots; i++) assert_int_equal(vgc_root_remove(&bytes[i], 1), 0);
  }
  return cpu_ns() - start;
}

static void cost_is_that_of_few(void **state) {
  (void)state;
  start_quiet();
  add_and_remove(MANY, 1); /* the table has grown */
  uint64_t few = add_and_remove(FEW, MANY / FEW);
  uint64_t many = add_and_remove(MANY, 1);
  assert_true(many < 8 * few);
}

BUG(X90) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(cost_is_that_of_few, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("X90", tests, NULL, NULL);
}
