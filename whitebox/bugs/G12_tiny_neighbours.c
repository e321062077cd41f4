/* G12: an object is so small that it shares what is kept about it with a neighbour.
 *
 * Of objects of four bytes every second one stays for ever. The others are finalized all the same, each with its own
 * argument. */
#include "bug.h"
#include "probe.h"

enum { OBJECTS = 64 };
static void *volatile kept[OBJECTS];
static unsigned calls[OBJECTS];

static void count(void *object, void *arg) {
  (void)object;
  ++*(unsigned *)arg;
}

static void make_objects(void *arg) {
  (void)arg;
  for (unsigned i = 0; i < OBJECTS; i++) {
    void *object = vgc_malloc(4);
    must(vgc_set_finalizer(object, count, &calls[i], VGC_ORDERED) == 0);
    kept[i] = i % 2 ? object : NULL;
  }
}

static void each_is_finalized_by_itself(void **state) {
  (void)state;
  start_quiet();
  probe_in_thread(make_objects, NULL);
  assert_int_equal(vgc_collect(), 0);
  for (unsigned i = 0; i < OBJECTS; i++) assert_int_equal(calls[i], i % 2 == 0);
  for (unsigned i = 0; i < OBJECTS; i++) kept[i] = NULL;
  assert_int_equal(vgc_collect(), 0);
  for (unsigned i = 0; i < OBJECTS; i++) assert_int_equal(calls[i], 1);
}

BUG(G12) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(each_is_finalized_by_itself, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("G12", tests, NULL, NULL);
}
