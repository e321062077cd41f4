/* V04: a page-map entry of an existing arena shows a descriptor that is not filled in yet.
 *
 * A thread makes a span in an arena that all know; another looks up every page without a lock meanwhile. Each entry is
 * either empty or names a span that covers the page. */
#include "bug.h"
#include "probe.h"

static struct worker reader;

static void look_up_all(void *arg) {
  (void)arg;
  for (size_t page = 0; page < arenas[0].used_pages; page++) {
    uintptr_t address = arenas[0].base + (page << arenas[0].page_shift);
    const struct span *span = span_of(address);
    must(!span || address - span->base < (uintptr_t)span->pages << arenas[0].page_shift);
  }
}

static void read_beside(void *arg) { worker_do(&reader, look_up_all, arg); }

static void entry_shows_whole_descriptors_only(void **state) {
  (void)state;
  start_quiet();
  worker_start(&reader);
  struct park *window = park_arm_call("span_half_made", read_beside, NULL);
  char *object = vgc_malloc(64);
  assert_non_null(object);
  park_await(window);
  look_up_all(NULL);
  assert_ptr_equal(vgc_base_of(object + 63), object);
  worker_stop(&reader);
}

BUG(V04) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(entry_shows_whole_descriptors_only, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("V04", tests, NULL, NULL);
}
