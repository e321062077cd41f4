/* X129: an unreachable finalizer does not keep those waiting that its object reaches.
 *
 * It comes after all who reach its object; but what its own object reaches, which it may use, was finalized in the same
 * collection, and so were cycles, of which none can be the first. */
#include "bug.h"
#include "probe.h"

static unsigned number, when[3];

static void finalizer(void *object, void *arg) { (void)object, *(unsigned *)arg = number; }

static void make(void *unused) {
  (void)unused;
  void **first = vgc_malloc(16), **second = vgc_malloc(16), **cycle = vgc_malloc(16);
  first[0] = second;
  cycle[0] = cycle;
  must(!vgc_set_finalizer(first, finalizer, &when[0], VGC_UNREACHABLE));
  must(!vgc_set_finalizer(second, finalizer, &when[1], VGC_ORDERED));
  must(!vgc_set_finalizer(cycle, finalizer, &when[2], VGC_UNREACHABLE));
}

static void what_it_reaches_comes_later(void **state) {
  (void)state;
  start_quiet();
  probe_in_thread(make, NULL);
  for (number = 1; number <= 3; number++) must(!vgc_collect());
  assert_int_equal(when[0], 1);
  assert_int_equal(when[1], 2);
  assert_int_equal(when[2], 0);
}

BUG(X129) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(what_it_reaches_comes_later, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("X129", tests, NULL, NULL);
}
