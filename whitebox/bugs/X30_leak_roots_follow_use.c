/* X30: what a leak checker is told of.
 *
 * It reads, at exit, all memory that it was told may hold pointers to the program's other memory. That must be the part
 * of the heap that is in use, or every program under AddressSanitizer ends by reading 64 GiB of nothing. */
#include "bug.h"

enum { REGIONS = 64, SIZE = 4096, OBJECTS = 3000 };

struct region {
  uintptr_t hidden; /* the complement of its start, which would hold the first object of the heap */
  size_t size;      /* 0: unused */
};
static struct region regions[REGIONS];

#if !UNDER_ASAN
/* The library finds these as it finds LeakSanitizer's. */
void __lsan_register_root_region(const void *start, size_t size);
void __lsan_unregister_root_region(const void *start, size_t size);

void __lsan_register_root_region(const void *start, size_t size) {
  for (unsigned i = 0; i < REGIONS; i++)
    if (!regions[i].size) {
      regions[i] = (struct region){~(uintptr_t)start, size};
      return;
    }
  must(false && "more regions than an arena's size has doublings");
}

void __lsan_unregister_root_region(const void *start, size_t size) {
  for (unsigned i = 0; i < REGIONS; i++)
    if (regions[i].hidden == ~(uintptr_t)start && regions[i].size == size) {
      regions[i] = (struct region){0};
      return;
    }
  must(false && "a region that was never registered");
}
#endif

static size_t known(void) {
  size_t bytes = 0;
  for (unsigned i = 0; i < REGIONS; i++) bytes += regions[i].size;
  return bytes;
}

static bool knows(const void *object) {
  for (unsigned i = 0; i < REGIONS; i++)
    if ((uintptr_t)object - ~regions[i].hidden < regions[i].size) return true;
  return false;
}

static void in_proportion(void **state) {
  (void)state;
  if (UNDER_ASAN) not_applicable("LeakSanitizer itself has the functions that this test defines");
  static void *objects[OBJECTS];
  for (unsigned i = 0; i < OBJECTS; i++) {
    assert_non_null(objects[i] = vgc_malloc(SIZE));
    assert_true(knows(objects[i]));
    if (i % 100) continue;
    struct vgc_stats stats = {.struct_size = sizeof stats};
    assert_int_equal(vgc_get_stats(&stats), 0);
    assert_true(known() <= 3 * (stats.heap_bytes + stats.free_bytes));
  }
  assert_int_equal(vgc_shutdown(), 0);
  assert_int_equal(known(), 0);
}

BUG(X30) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(in_proportion, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("X30", tests, NULL, NULL);
}
