/* V30: a thread is suspended between reading its count and writing it back, and the collector takes the count away
 * meanwhile.
 *
 * The thread then writes back what the collector has added to the total already. After the stop the totals must agree
 * with a recount of the heap. */
#include "bug.h"
#include "objects.h"
#include "probe.h"

enum { SIZE = 64, AT_ONCE = 64, OBJECTS = 2 * AT_ONCE };
static struct worker owner;
static void *objects[OBJECTS];

static void totals_agree_with_a_recount(void) {
  struct vgc_stats stats = stats_now();
  struct probe_count count = probe_recount();
  assert_int_equal(stats.live_objects, count.objects);
  assert_int_equal(stats.live_bytes, count.bytes);
}

static void suspended_count_is_not_lost(void **state) {
  (void)state;
  start_quiet();
  uint64_t before = stats_now().objects_allocated; /* and this thread has a cache */
  worker_start(&owner);
  struct batch first = {vgc_malloc, SIZE, AT_ONCE, objects}, second = {vgc_malloc, SIZE, AT_ONCE, objects + AT_ONCE};
  worker_do(&owner, batch_allocate, &first);
  struct park *window = park_arm_thread("count_between", owner.thread);
  worker_begin(&owner, batch_allocate, &second);
  park_await(window);
  assert_int_equal(vgc_collect(), 0);
  park_release(window);
  worker_finish(&owner);
  totals_agree_with_a_recount();
  assert_int_equal(stats_now().objects_allocated, before + OBJECTS);
  worker_stop(&owner);
  totals_agree_with_a_recount();
}

BUG(V30) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(suspended_count_is_not_lost, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("V30", tests, NULL, NULL);
}
