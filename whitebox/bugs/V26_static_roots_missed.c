/* V26: an object that only a static table names is swept.
 *
 * Initialised data, zero-initialised data (which has no bytes in the file), a table that the loader relocates and then
 * protects, and a large zeroed array: each holds the only pointer to an object through several collections. */
#include "bug.h"
#include "objects.h"
#include "probe.h"

#include <sys/mman.h>

enum { PLACES = 5, FAR = 100000 };

static void *initialised[2] = {&initialised, NULL};
static void *zeroed;
static void *far_away[FAR];
/* Relocated by the loader, so it lies in a writable segment although nobody may write to it later. */
static void *const protected_table[2] = {&initialised, &zeroed};
static _Thread_local void *of_thread;

static uintptr_t hidden[PLACES];

static void protect(const volatile void *place, int access) {
  uintptr_t page = (uintptr_t)place & ~(uintptr_t)4095;
  must(mprotect((void *)page, (uintptr_t)place + sizeof(void *) - page, access) == 0);
}

static __attribute__((noinline)) void fill_place(void *volatile *place, unsigned i) {
  *place = vgc_malloc(48);
  must(*place);
  hidden[i] = hide(*place);
}

static void static_tables_are_roots(void **state) {
  (void)state;
  start_quiet();
  void *volatile *table = (void *volatile *)(uintptr_t)&protected_table[1];
  OPAQUE(table);
  fill_place(&initialised[1], 0);
  fill_place(&zeroed, 1);
  fill_place(&far_away[FAR - 1], 2);
  fill_place(&of_thread, 3);
  protect(table, PROT_READ | PROT_WRITE);
  fill_place(table, 4);
  protect(table, PROT_READ);
  stack_scrub();
  for (unsigned cycle = 0; cycle < 8; cycle++) {
    assert_int_equal(vgc_collect(), 0);
    for (unsigned i = 0; i < PLACES; i++) assert_true(probe_alive(hidden[i]));
  }
}

BUG(V26) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(static_tables_are_roots, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("V26", tests, NULL, NULL);
}
