/* V17: the table of what the collector tracks is full, and the next span is handed out untracked.
 *
 * A heap of many small arenas: every object is found again by address, survives a collection with its contents, and the
 * memory of all comes back when they are freed. */
#include "bug.h"
#include "objects.h"

enum { OBJECTS = 128, BYTES = 60 * 1024 };
static unsigned *objects[OBJECTS];

static void every_span_is_tracked(void **state) {
  (void)state;
  struct vgc_config given = config_quiet();
  given.arena_bytes = 256 * 1024;
  assert_int_equal(vgc_init(&given), 0);
  for (unsigned i = 0; i < OBJECTS; i++) {
    assert_non_null(objects[i] = vgc_malloc(BYTES));
    objects[i][BYTES / 8] = i;
    assert_ptr_equal(vgc_base_of((char *)objects[i] + BYTES - 1), objects[i]);
  }
  struct vgc_stats full = stats_now();
  assert_in_range(full.arenas, 4, ARENA_MAX);
  assert_in_range(full.heap_bytes, OBJECTS * BYTES, 2 * OBJECTS * BYTES);
  assert_int_equal(vgc_collect(), 0);
  for (unsigned i = 0; i < OBJECTS; i++) {
    assert_int_equal(objects[i][BYTES / 8], i);
    vgc_free(objects[i]);
  }
  assert_int_equal(stats_now().live_objects, 0);
}

BUG(V17) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(every_span_is_tracked, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("V17", tests, NULL, NULL);
}
