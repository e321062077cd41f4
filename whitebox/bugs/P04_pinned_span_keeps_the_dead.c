/* P04: an object that is found dead while its span is in use is passed over, and nobody comes back for it.
 *
 * A thread holds one object of a span for good, so that its own stack pins the span at every collection. The others of
 * that span are collected all the same, and their slots are issued again. */
#include "bug.h"
#include "probe.h"

enum { OBJECTS = 40, SIZE = 200, STALE = 4 };
static uintptr_t hidden[OBJECTS];

static __attribute__((noinline)) void make_objects(void) {
  for (unsigned i = 0; i < OBJECTS; i++) {
    void *object = vgc_malloc(SIZE);
    must(object);
    hidden[i] = hide(object);
  }
}

static unsigned alive(void) {
  unsigned count = 0;
  for (unsigned i = 0; i < OBJECTS; i++) count += probe_alive(hidden[i]);
  return count;
}

/* With the one object on the stack of this very frame. */
static void hold_one(void *after) {
  make_objects();
  void *volatile kept = reveal(hidden[OBJECTS / 2]);
  vgc_clear_stack();
  must(vgc_collect() == 0);
  *(unsigned *)after = alive();
  must(kept == reveal(hidden[OBJECTS / 2]) && probe_alive(hidden[OBJECTS / 2]));
}

static void its_neighbours_are_collected(void **state) {
  (void)state;
  start_quiet();
  static struct worker worker;
  worker_start(&worker);
  unsigned after = OBJECTS;
  worker_do(&worker, hold_one, &after);
  assert_in_range(after, 1, 1 + STALE);
  worker_stop(&worker);
}

BUG(P04) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(its_neighbours_are_collected, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("P04", tests, NULL, NULL);
}
