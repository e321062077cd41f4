/* V09: a free that meets a refill is lost.
 *
 * A thread takes a span from central and folds the slots that others returned to it; between its look at the word and
 * its clearing of it another slot of the same word is returned. That slot must not stay issued for ever. */
#include "bug.h"
#include "objects.h"
#include "probe.h"

enum { SLOTS_MAX = 1024 };
static void *objects[SLOTS_MAX];
static struct worker other;

static void fill_one_span(void *arg) {
  unsigned *slots = arg;
  must(objects[0] = vgc_malloc_noscan(64));
  *slots = span_of((uintptr_t)objects[0])->slots;
  for (unsigned i = 1; i < *slots; i++) must(objects[i] = vgc_malloc_noscan(64));
}

static void free_one(void *object) { vgc_free(object); }
static void free_beside(void *object) { worker_do(&other, free_one, object); }

static void returned_during_the_fold_is_not_lost(void **state) {
  (void)state;
  start_quiet();
  unsigned slots = 0;
  probe_in_thread(fill_one_span, &slots); /* exits: the span is central's, exhausted */
  worker_start(&other);
  vgc_free(objects[0]);
  struct park *window = park_arm_call("span_fold_between", free_beside, objects[1]);
  void *again[2] = {vgc_malloc_noscan(64), NULL};
  park_await(window);
  again[1] = vgc_malloc_noscan(64);
  assert_ptr_equal(again[0], objects[0]);
  assert_ptr_equal(again[1], objects[1]);
  assert_int_equal(probe_recount().objects, stats_now().live_objects);
  assert_int_equal(stats_now().live_objects, slots);
  worker_stop(&other);
}

BUG(V09) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(returned_during_the_fold_is_not_lost, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("V09", tests, NULL, NULL);
}
