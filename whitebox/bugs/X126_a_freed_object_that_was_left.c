/* X126: a freed object that was left to the collector may be resized.
 *
 * An object that a link has named is not freed at once; freed again, it is told of. A resize in place gave it back as
 * good, and one that moved it told of a double free, but gave a copy. */
#include <errno.h>

#include "bug.h"
#include "probe.h"

static void a_freed_object_is_not_resized(void **state) {
  (void)state;
  start_quiet();
  errors_record();
  for (size_t size = 64; size <= 1 << 20; size *= 128) {
    void **link = vgc_malloc_noscan(sizeof *link);
    void *object = vgc_malloc(size);
    must(!vgc_weak_add(link, object, VGC_WEAK_SHORT));
    assert_ptr_equal(vgc_realloc(object, size - 8), object);
    vgc_free(object);
    unsigned before = errors_count();
    for (unsigned i = 1; i <= 2; i++) {
      errno = 0;
      assert_null(vgc_realloc(object, i * size - 8));
      assert_int_equal(errno, EINVAL);
      assert_int_equal(errors_count(), before + i);
      assert_int_equal(errors_last(), VGC_ERROR_DOUBLE_FREE);
    }
  }
}

BUG(X126) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(a_freed_object_is_not_resized, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("X126", tests, NULL, NULL);
}
