/* D01: one bit of metadata for each 16 bytes, whatever the size of the objects.
 *
 * A span's descriptor grows with the number of its objects: three bits each beside a fixed part. */
#include "bug.h"

enum { FIXED_BYTES = 320 };

static void every_class(void **state) {
  (void)state;
  static const size_t page_sizes[] = {1024, 8192, 65536};
  for (unsigned i = 0; i < sizeof page_sizes / sizeof *page_sizes; i++) {
    struct vgc_config wanted = config_quiet();
    wanted.page_bytes = page_sizes[i];
    assert_int_equal(vgc_init(&wanted), 0);
    for (unsigned class_index = 0; class_index < SIZECLASS_COUNT; class_index++) {
      const struct sizeclass *entry = &sizeclass_table[class_index];
      assert_in_range(entry->lines * PLATFORM_CACHE_LINE, 1, FIXED_BYTES + entry->slots * 3 / 8);
    }
    assert_int_equal(vgc_shutdown(), 0);
  }
}

/* Beside the descriptors the page map and the run tags: 20 bytes for each page. */
static void as_the_statistics_tell(void **state) {
  (void)state;
  struct vgc_config wanted = config_quiet();
  assert_int_equal(vgc_init(&wanted), 0);
  static const size_t sizes[] = {64, 1024, 8192, 32768};
  for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    enum { BYTES = 4 << 20 };
    must(vgc_malloc_noscan(sizes[i]));
    uint64_t before = stats_now().metadata_bytes;
    for (size_t bytes = 0; bytes < BYTES; bytes += sizes[i]) must(vgc_malloc_noscan(sizes[i]));
    uint64_t grown = stats_now().metadata_bytes - before;
    assert_in_range(grown, 0, BYTES / sizes[i] * 3 / 8 + BYTES / 8192 * (20 + FIXED_BYTES));
  }
}

BUG(D01) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(every_class, fault_reset, park_reset),
                                     cmocka_unit_test_setup_teardown(as_the_statistics_tell, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("D01", tests, NULL, NULL);
}
