/* P08: shutdown returns before everything is given back.
 *
 * The library comes up, is used in every way, by threads too, and goes down, several times. From the second time on
 * nothing that a round maps outlives it, and the next round starts from zero. */
#include "bug.h"
#include "objects.h"
#include "probe.h"

#include <errno.h>

enum { ROUNDS = 4 };
static void *range[4];

static void use_everything(void *arg) {
  (void)arg;
  for (size_t size = 1; size < 200000; size = size * 3 / 2 + 1) {
    must(vgc_malloc(size));
    must(vgc_malloc_noscan(size));
    must(vgc_malloc_uncollectable(size));
  }
}

static void nothing_push(void *arg, vgc_root_push *push, void *sink) { (void)arg, (void)push, (void)sink; }

static unsigned long mapped(void) { return fault_count(FAULT_RESERVE) - fault_count(FAULT_RELEASE); }

static void one_round(void) {
  struct vgc_config given = config_quiet();
  given.arena_bytes = 256 * 1024;
  given.mark_stack = 16;
  assert_int_equal(vgc_init(&given), 0);
  struct vgc_stats fresh = stats_now();
  assert_int_equal(fresh.objects_allocated + fresh.cycles + fresh.heap_bytes, 0);
  use_everything(NULL);
  for (unsigned i = 0; i < 3; i++) probe_in_thread(use_everything, NULL);
  assert_int_equal(vgc_root_add(range, sizeof range), 0);
  assert_int_equal(vgc_root_add_callback(nothing_push, range), 0);
  assert_int_equal(vgc_collect(), 0);
  void *object = vgc_malloc(64);
  assert_true(stats_now().arenas > 1);
  assert_int_equal(vgc_shutdown(), 0);
  assert_null(vgc_base_of(object));
  assert_int_equal(load_acquire(&arenas_count), 0);
  assert_null(cache_all());
  assert_int_equal(vgc_shutdown(), -1);
  assert_int_equal(errno, EPERM);
}

static void shutdown_gives_everything_back(void **state) {
  (void)state;
  one_round();
  unsigned long lasting = mapped(); /* tables of threads stay with the process */
  for (unsigned round = 1; round < ROUNDS; round++) {
    one_round();
    assert_int_equal(mapped(), lasting);
  }
}

BUG(P08) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(shutdown_gives_everything_back, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("P08", tests, NULL, NULL);
}
