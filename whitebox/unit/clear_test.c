/* What dead frames have left on the stack. */
#include "unit.h"

#define NOT_WATCHED __attribute__((noinline, no_sanitize("address", "thread", "undefined")))

enum { DEEP = 64 * 1024, MARK = 0xa5 };

/* Leaves its frame full of marks. */
static NOT_WATCHED void leave_marks(void) {
  volatile char frame[DEEP], *start = frame;
  for (unsigned i = 0; i < DEEP; i++) start[i] = (char)MARK;
  OPAQUE(start);
}

/* Marks that a frame as large finds where it begins. */
static NOT_WATCHED unsigned count_marks(void) {
  volatile char frame[DEEP], *start = frame;
  OPAQUE(start);
  unsigned count = 0;
  for (unsigned i = 0; i < DEEP; i++) count += start[i] == (char)MARK;
  return count;
}

static void a_collection_clears_the_dead_stack(void **state) {
  (void)state;
  leave_marks();
  assert_true(count_marks() > DEEP / 2); /* they can be seen */
  leave_marks();
  vgc_clear_stack();
  assert_true(count_marks() < 100);
  leave_marks();
  assert_int_equal(vgc_collect(), 0);
  assert_true(count_marks() < DEEP / 2);
}

/* Bytes of the longest run of zeros in such a frame. */
static NOT_WATCHED unsigned longest_cleared(void) {
  volatile char frame[DEEP], *start = frame;
  OPAQUE(start);
  unsigned longest = 0, run = 0;
  for (unsigned i = 0; i < DEEP; i++) {
    run = start[i] ? 0 : run + 1;
    if (run > longest) longest = run;
  }
  return longest;
}

static void a_fresh_span_clears_some(void **state) {
  (void)state;
  leave_marks();
  assert_true(longest_cleared() < 500);
  leave_marks();
  clear_stack_piece();
  assert_true(longest_cleared() >= 900);
  if (platform_sanitizer_runtime()) return; /* larger frames than these come after it */
  leave_marks();
  (void)!vgc_malloc(3000); /* none of this size before */
  assert_true(longest_cleared() >= 500);
  assert_true(count_marks() > DEEP / 2);
}

/* Clearing uses no more of the stack than was used before. */
/* Swept, and used again. */
static void a_span_from_central_clears_some(void **state) {
  (void)state;
  if (platform_sanitizer_runtime()) not_applicable("its runtime's frames are larger than what is cleared");
  static void *kept[100];
  for (unsigned i = 0; i < 500; i++) {
    void *object = vgc_malloc(3000);
    if (i % 5 == 0) kept[i / 5] = object;
  }
  unit_collect();
  struct vgc_stats before = stats_now();
  unsigned cleared = 0;
  for (unsigned i = 0; i < 50; i++) {
    leave_marks();
    (void)!vgc_malloc(3000);
    cleared += longest_cleared() >= 500;
  }
  assert_true(cleared >= 3);
  assert_int_equal(stats_now().heap_bytes, before.heap_bytes);
  memset(kept, 0, sizeof kept);
}

static void the_stack_does_not_grow(void **state) {
  (void)state;
  uintptr_t here = (uintptr_t)__builtin_frame_address(0), low = thread_self()->stack_low;
  leave_marks();
  assert_int_equal(vgc_collect(), 0);
  uintptr_t before = platform_resident_low(low, here);
  for (unsigned i = 0; i < 50; i++) assert_int_equal(vgc_collect(), 0);
  assert_true(platform_resident_low(low, here) + 8192 >= before); /* but for a signal's frame */
}

static void *at_the_end(void *depth) {
  volatile char frame[1024];
  frame[0] = 0;
  if ((uintptr_t)depth) return at_the_end((void *)((uintptr_t)depth - 1));
  vgc_clear_stack();
  clear_stack_piece();
  return (void *)(uintptr_t)frame[0];
}

/* Near the end of a small stack, and away from a thread's own, nothing is touched. */
static void small_stacks_are_left_alone(void **state) {
  (void)state;
  for (uintptr_t depth = 0; depth < 90; depth += 10) {
    pthread_t thread;
    pthread_attr_t attributes;
    assert_int_equal(pthread_attr_init(&attributes), 0);
    assert_int_equal(pthread_attr_setstacksize(&attributes, 128 * 1024), 0);
    assert_int_equal(pthread_create(&thread, &attributes, at_the_end, (void *)depth), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    pthread_attr_destroy(&attributes);
  }
}

UNIT(clear) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, unit_setup, unit_teardown)
  const struct CMUnitTest tests[] = {
      TEST(a_collection_clears_the_dead_stack), TEST(a_fresh_span_clears_some),
      TEST(a_span_from_central_clears_some),    TEST(the_stack_does_not_grow),
      TEST(small_stacks_are_left_alone),
  };
  return cmocka_run_group_tests_name("clear", tests, NULL, NULL);
}
