/* X105: a collection leaves the last few hundred bytes of the used stack as they are, where dead words keep objects.
 *
 * Whatever the distance from a frame to the page in which the used stack ends, nothing of it is left. */
#include "bug.h"

#define NOT_WATCHED __attribute__((noinline, no_sanitize("address", "thread", "undefined")))

enum { PAGE = 4096, DEPTH = 48 * 1024, LEFT = 64, MARK = 0xa5 };

/* Fills the stack down to `low` with marks. */
static NOT_WATCHED void leave_marks(uintptr_t low) {
  volatile char *frame = __builtin_alloca(DEPTH + PAGE), *end = frame + DEPTH;
  OPAQUE(frame);
  for (volatile char *at = (volatile char *)low; at < end; at++) *at = (char)MARK;
}

static NOT_WATCHED unsigned count_marks(uintptr_t low) {
  unsigned count = 0;
  for (const volatile char *at = (const volatile char *)low; at < (const volatile char *)low + 2 * PAGE; at++)
    count += *at == (char)MARK;
  return count;
}

/* Its stack has never been used below. */
static void *clear_from(void *distance) {
  uintptr_t here = (uintptr_t)__builtin_frame_address(0);
  must(vgc_malloc(16) != NULL);
  uintptr_t low = (here - DEPTH) & ~(uintptr_t)(PAGE - 1);
  volatile char *hold = __builtin_alloca((size_t)(uintptr_t)distance);
  OPAQUE(hold);
  leave_marks(low);
  must(count_marks(low) > PAGE);
  vgc_clear_stack();
  return (void *)(uintptr_t)count_marks(low);
}

static void nothing_is_left(void **state) {
  (void)state;
  struct vgc_config given = config_quiet();
  assert_int_equal(vgc_init(&given), 0);
  if (platform_sanitizer_runtime()) not_applicable("the frames of a sanitizer are larger, and elsewhere");
  for (size_t distance = 16; distance < PAGE; distance += 256) {
    pthread_t thread;
    void *left;
    assert_int_equal(pthread_create(&thread, NULL, clear_from, (void *)distance), 0);
    assert_int_equal(pthread_join(thread, &left), 0);
    assert_in_range((uintptr_t)left, 0, LEFT);
  }
}

BUG(X105) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(nothing_is_left, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("X105", tests, NULL, NULL);
}
