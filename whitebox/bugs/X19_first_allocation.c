/* X19: the first allocation of the process reads the size class before the classes exist.
 *
 * The library initialises itself on the way. The object is as large as was asked for, whatever comes first. */
#include "bug.h"

static const size_t sizes[] = {1, 8, 9, 100, 1024, 1025, 5000, 32768, 32769};

static void *(*const functions[])(size_t) = {vgc_malloc, vgc_malloc_noscan, vgc_malloc_uncollectable};

struct first {
  void *(*allocate)(size_t);
  size_t size;
};

static void allocate_first(void *arg) {
  const struct first *first = arg;
  unsigned char *object = first->allocate(first->size);
  must(object);
  must(vgc_usable_size(object) >= first->size);
  memset(object, 7, first->size);
  unsigned char *after = first->allocate(first->size);
  memset(after, 9, first->size);
  for (size_t i = 0; i < first->size; i++) must(object[i] == 7);
}

static void whatever_comes_first(void **state) {
  (void)state;
  for (unsigned i = 0; i < sizeof functions / sizeof *functions; i++)
    for (unsigned j = 0; j < sizeof sizes / sizeof *sizes; j++) {
      struct first first = {functions[i], sizes[j]};
      struct child_result result;
      child_run(allocate_first, &first, 5, &result);
      assert_string_equal(result.text, "");
      assert_int_equal(result.exit_code, 0);
    }
}

BUG(X19) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(whatever_comes_first, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("X19", tests, NULL, NULL);
}
