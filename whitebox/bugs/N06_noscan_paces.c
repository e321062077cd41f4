/* N06: pointer-free allocation never asks whether a collection is due.
 *
 * A stream of byte buffers, all garbage at once, must be collected on the way like any other garbage. */
#include "bug.h"

enum { MIB = 1 << 20, STREAM = 64 * MIB };

static void stream(void *size) {
  for (size_t done = 0; done < STREAM; done += *(size_t *)size) must(vgc_malloc_noscan(*(size_t *)size));
}

static void noscan_stream_is_collected(void **state) {
  (void)state;
  struct vgc_config wanted;
  vgc_config_default(&wanted);
  wanted.minimum_heap = MIB;
  assert_int_equal(vgc_init(&wanted), 0);
  size_t sizes[] = {4096, 100000};
  for (unsigned i = 0; i < 2; i++) {
    uint64_t before = stats_now().cycles;
    stream(&sizes[i]);
    struct vgc_stats after = stats_now();
    assert_in_range(after.cycles - before, 3, 1000);
    assert_in_range(after.peak_heap_bytes, 0, 16 * MIB);
  }
}

BUG(N06) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(noscan_stream_is_collected, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("N06", tests, NULL, NULL);
}
