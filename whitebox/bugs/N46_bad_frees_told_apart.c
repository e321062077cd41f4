/* N46: the free of an interior or stale pointer clears another object's slot.
 *
 * Each kind of bad pointer is told by its name, nothing changes, and no address is issued twice afterwards. */
#include "bug.h"

#include <sys/mman.h>

enum { SIZE = 512, COUNT = 128 };

static void *objects[COUNT];
static int global;

static void refused(void *ptr, enum vgc_error error) {
  unsigned before = errors_count();
  vgc_free(ptr);
  assert_int_equal(errors_count(), before + 1);
  assert_int_equal(errors_last(), error);
}

static void refused_from_a_worker(void *ptr) { vgc_free(*(void **)ptr); }

static void each_kind_is_refused(void **state) {
  (void)state;
  errors_record();
  char *small = vgc_malloc(SIZE), *large = vgc_malloc(100000), *freed = vgc_malloc(SIZE), *gone = vgc_malloc(100000);
  void *unmapped = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memset(small, 7, SIZE);
  vgc_free(freed);
  vgc_free(gone);
  int local;
  refused(small + 8, VGC_ERROR_FREE_INTERIOR);
  refused(small + SIZE - 1, VGC_ERROR_FREE_INTERIOR);
  refused(large + 4096, VGC_ERROR_FREE_INTERIOR);
  refused(large + 65536, VGC_ERROR_FREE_INTERIOR);
  refused(freed, VGC_ERROR_DOUBLE_FREE);
  refused(gone, VGC_ERROR_FREE_STALE);
  refused(&local, VGC_ERROR_FREE_FOREIGN);
  refused(&global, VGC_ERROR_FREE_FOREIGN);
  refused(unmapped, VGC_ERROR_FREE_FOREIGN);
  refused((void *)8, VGC_ERROR_FREE_FOREIGN);
  refused((void *)UINTPTR_MAX, VGC_ERROR_FREE_FOREIGN);
  for (unsigned i = 0; i < SIZE; i++) assert_int_equal(small[i], 7);
  struct batch batch = {vgc_malloc, SIZE, COUNT, objects};
  batch_allocate(&batch);
  assert_false(among(small, objects, COUNT));
  assert_true(all_distinct(objects, COUNT));
  vgc_free(small);
  vgc_free(large);
}

static void from_another_thread_too(void **state) {
  (void)state;
  errors_record();
  char *small = vgc_malloc(SIZE), *interior = small + 8;
  static struct worker worker;
  worker_start(&worker);
  worker_do(&worker, refused_from_a_worker, &interior);
  assert_int_equal(errors_last(), VGC_ERROR_FREE_INTERIOR);
  worker_do(&worker, refused_from_a_worker, &small);
  assert_int_equal(errors_count(), 1);
  worker_do(&worker, refused_from_a_worker, &small);
  assert_int_equal(errors_last(), VGC_ERROR_DOUBLE_FREE);
  assert_int_equal(errors_count(), 2);
  worker_stop(&worker);
}

BUG(N46) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(each_kind_is_refused, fault_reset, park_reset),
                                     cmocka_unit_test_setup_teardown(from_another_thread_too, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("N46", tests, NULL, NULL);
}
