/* V06: the search for a free slot begins behind a hint and never comes back to what lies before it.
 *
 * A span is full but for one slot, wherever that slot lies; the next allocation must get it, and a span without any
 * must not give one. */
#include "bug.h"
#include "objects.h"
#include "probe.h"

enum { OBJECTS = 4096 };
static void *objects[OBJECTS];

static void last_free_slot_is_found(void **state) {
  (void)state;
  start_quiet();
  objects[0] = vgc_malloc_noscan(8);
  const struct span *span = span_of((uintptr_t)objects[0]);
  assert_in_range(span->slots, 128, OBJECTS);
  for (unsigned i = 1; i < span->slots; i++) {
    objects[i] = vgc_malloc_noscan(8);
    assert_ptr_equal(span_of((uintptr_t)objects[i]), span);
  }
  uint64_t heap = stats_now().heap_bytes;
  for (unsigned step = 0; step < 2u * span->words; step++) {
    unsigned word = step < span->words ? span->words - 1 - step : step - span->words;
    void *free = objects[word * 64 + (step * 7) % 64];
    vgc_free(free);
    assert_ptr_equal(vgc_malloc_noscan(8), free);
  }
  assert_int_equal(stats_now().heap_bytes, heap);
  void *next = vgc_malloc_noscan(8);
  assert_ptr_not_equal(span_of((uintptr_t)next), span);
}

BUG(V06) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(last_free_slot_is_found, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("V06", tests, NULL, NULL);
}
