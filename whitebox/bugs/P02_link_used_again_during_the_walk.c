/* P02: a list's link is a word that others write again as soon as the entry counts as taken.
 *
 * An owner walks the spans that were returned to it. It has taken the first, and before it goes on another thread
 * returns one more slot to that span, which puts it into the list anew. The second span must still be found. */
#include "bug.h"
#include "objects.h"
#include "probe.h"

enum { SLOTS_MAX = 512 };
static struct worker owner, other;
static void *objects[3 * SLOTS_MAX], *again[3];
static uint64_t spans_before;
static unsigned slots;

static void fill_two_spans(void *arg) {
  (void)arg;
  must(objects[0] = vgc_malloc_noscan(64));
  slots = span_of((uintptr_t)objects[0])->slots;
  must(slots <= SLOTS_MAX);
  for (unsigned i = 1; i < 3 * slots; i++) must(objects[i] = vgc_malloc_noscan(64));
}

static void allocate_three(void *arg) {
  (void)arg;
  for (unsigned i = 0; i < 3; i++) must(again[i] = vgc_malloc_noscan(64));
}

static void free_one(void *object) { vgc_free(object); }
static void free_beside(void *object) { worker_do(&other, free_one, object); }

static void walk_goes_on_where_it_was(void **state) {
  (void)state;
  start_quiet();
  worker_start(&owner);
  worker_start(&other);
  worker_do(&owner, fill_two_spans, NULL);
  assert_in_range(slots, 65, SLOTS_MAX);
  spans_before = stats_now().heap_bytes;
  void *const freed[3] = {objects[slots], objects[0], objects[slots - 1]};
  vgc_free(freed[0]); /* the second span first, so that the first leads the list */
  vgc_free(freed[1]);
  struct park *window = park_arm_call("cache_returned_cleared", free_beside, freed[2]);
  worker_do(&owner, allocate_three, NULL);
  park_await(window);
  for (unsigned i = 0; i < 3; i++) assert_true(among(freed[i], again, 3));
  assert_int_equal(stats_now().heap_bytes, spans_before);
  worker_stop(&other);
  worker_stop(&owner);
}

BUG(P02) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(walk_goes_on_where_it_was, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("P02", tests, NULL, NULL);
}
