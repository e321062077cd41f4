/* P11: the account of bytes includes a header that an object does not have.
 *
 * For every kind and size, small and large, the bytes that the statistics call live are the bytes of the slots that a
 * recount finds in use; when all is freed, none are left. */
#include "bug.h"
#include "objects.h"
#include "probe.h"

static void account_agrees(void *(*allocate)(size_t), size_t size) {
  struct vgc_stats before = stats_now();
  void *object = allocate(size);
  assert_non_null(object);
  struct vgc_stats after = stats_now();
  assert_int_equal(after.live_objects - before.live_objects, 1);
  assert_int_equal(after.live_bytes - before.live_bytes, vgc_usable_size(object));
  assert_int_equal(after.bytes_allocated - before.bytes_allocated, vgc_usable_size(object));
  struct probe_count count = probe_recount();
  assert_int_equal(after.live_objects, count.objects);
  assert_int_equal(after.live_bytes, count.bytes);
  if (size % 3 == 0) vgc_free(object);
}

static void bytes_are_those_of_slots(void **state) {
  (void)state;
  start_quiet();
  void *(*const kinds[])(size_t) = {vgc_malloc, vgc_malloc_noscan, vgc_malloc_uncollectable};
  for (unsigned kind = 0; kind < 3; kind++)
    for (size_t size = 0; size < 200000; size = size * 9 / 8 + 1) account_agrees(kinds[kind], size);
  void *large = vgc_malloc(1000000);
  uint64_t live = stats_now().live_bytes;
  vgc_free(large);
  assert_int_equal(live - stats_now().live_bytes,
                   (1000000 + config.page_bytes - 1) / config.page_bytes * config.page_bytes);
}

BUG(P11) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(bytes_are_those_of_slots, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("P11", tests, NULL, NULL);
}
