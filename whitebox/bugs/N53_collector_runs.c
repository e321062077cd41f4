/* N53: everything passes because the collector never ran.
 *
 * With the default configuration, started by the first allocation, a program that makes garbage in two threads sees
 * collections, and each stops the threads beside the collecting one. */
#include "bug.h"

enum { STEPS = 64, STEP_BYTES = 1 << 18, SIZE = 256, LIVE = 64, CYCLES = 3 };

struct object {
  uintptr_t value[SIZE / sizeof(uintptr_t)];
};

static struct object *live[2][LIVE];

/* Values are checked, not only presence: a slot that was swept and used again looks healthy. */
static void churn(void *mine) {
  struct object **slots = mine;
  for (unsigned i = 0; i < STEP_BYTES / SIZE; i++) {
    struct object **slot = &slots[i % LIVE];
    if (*slot) must((*slot)->value[0] == (uintptr_t)slot && (*slot)->value[7] == ~(uintptr_t)slot);
    *slot = vgc_malloc(sizeof **slot);
    (*slot)->value[0] = (uintptr_t)slot;
    (*slot)->value[7] = ~(uintptr_t)slot;
  }
}

static void garbage_is_collected(void **state) {
  (void)state;
  static struct worker workers[2];
  for (unsigned i = 0; i < 2; i++) worker_start(&workers[i]);
  for (unsigned step = 0; step < STEPS; step++) {
    for (unsigned i = 0; i < 2; i++) worker_begin(&workers[i], churn, live[i]);
    for (unsigned i = 0; i < 2; i++) worker_finish(&workers[i]);
  }
  struct vgc_stats stats = stats_now();
  assert_in_range(stats.cycles, CYCLES, 1000);
  assert_true(stats.suspensions >= 2 * stats.cycles);
  assert_true(stats.objects_swept > 0);
  assert_in_range(stats.peak_heap_bytes, 0, 2 * STEPS * STEP_BYTES / 2);
  for (unsigned i = 0; i < 2; i++) worker_stop(&workers[i]);
}

BUG(N53) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(garbage_is_collected, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("N53", tests, NULL, NULL);
}
