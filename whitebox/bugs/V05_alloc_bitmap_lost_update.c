/* V05: two threads update one bitmap word, and one update is lost.
 *
 * The owner has read the word of free slots and is about to write it back with one more; meanwhile another thread frees
 * the neighbour. If both write that word, the neighbour stays issued for ever; the same for two frees by threads that
 * do not own the span. */
#include "bug.h"
#include "objects.h"
#include "probe.h"

static struct worker owner, other;
static void *objects[4];

static void take_all_slots(void *arg) {
  (void)arg;
  for (unsigned i = 0; i < 4; i++) must(objects[i] = vgc_malloc_noscan(64));
}

static void free_one(void *object) { vgc_free(object); }

static void nothing_is_lost(void) {
  for (unsigned i = 0; i < 4; i++) assert_null(vgc_base_of(objects[i]));
  struct vgc_stats stats = stats_now();
  struct probe_count count = probe_recount();
  assert_int_equal(stats.objects_freed, 4);
  assert_int_equal(count.objects, stats.live_objects);
}

static void setup_objects(void) {
  start_quiet();
  worker_start(&owner);
  worker_start(&other);
  worker_do(&owner, take_all_slots, NULL);
}

static void owner_and_other_free_neighbours(void **state) {
  (void)state;
  setup_objects();
  worker_do_meanwhile(&owner, free_one, objects[0], "free_before_commit", vgc_free, objects[1]);
  worker_do_meanwhile(&other, free_one, objects[2], "free_remote_before_return", vgc_free, objects[3]);
  nothing_is_lost();
  worker_stop(&other);
  worker_stop(&owner);
}

BUG(V05) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(owner_and_other_free_neighbours, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("V05", tests, NULL, NULL);
}
