/* V24: threads spin on the heap's lock, because every refill takes it and every descriptor is a system call.
 *
 * A thread that reuses what it freed takes no lock at all; one that grows takes a few for each span of fresh memory,
 * and maps nothing. */
#include "bug.h"
#include "objects.h"
#include "probe.h"

enum { OBJECTS = 4096, ROUNDS = 20 };
static void *objects[OBJECTS];

static void allocate_and_free_all(void) {
  for (unsigned i = 0; i < OBJECTS; i++) assert_non_null(objects[i] = vgc_malloc(64));
  for (unsigned i = 0; i < OBJECTS; i++) vgc_free(objects[i]);
}

static void steady_state_takes_no_lock(void **state) {
  (void)state;
  start_quiet();
  for (unsigned round = 0; round < 2; round++) allocate_and_free_all();
  unsigned long locks = fault_count(FAULT_LOCK), maps = fault_count(FAULT_RESERVE);
  for (unsigned round = 0; round < ROUNDS; round++) allocate_and_free_all();
  assert_int_equal(fault_count(FAULT_LOCK), locks);
  assert_int_equal(fault_count(FAULT_RESERVE), maps);
  for (unsigned i = 0; i < OBJECTS; i++) assert_non_null(objects[i] = vgc_malloc_noscan(2000));
  unsigned spans = (unsigned)OBJECTS / span_of((uintptr_t)objects[0])->slots + 1;
  assert_in_range(fault_count(FAULT_LOCK) - locks, 0, 4 * spans);
  assert_int_equal(fault_count(FAULT_RESERVE), maps);
}

BUG(V24) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(steady_state_takes_no_lock, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("V24", tests, NULL, NULL);
}
