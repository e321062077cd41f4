/* X91: check level 3 takes a thread's work in a blocking region for damage.
 *
 * The thread reads into an array on its stack while the world is stopped, as it may, between the two markers: what was
 * there before had kept an object, what comes looks like a pointer. */
#include "bug.h"
#include "hidden.h"
#include "meeting.h"

enum { SIZE = 160 };

static struct meeting held, done;
static uintptr_t before, after;
static void *volatile *words;

static void *run(void *arg) {
  void *array[2] = {NULL, NULL};
  hidden_reveal(before, &array[0]);
  words = array;
  vgc_blocking_enter();
  meeting_wait(&held);
  meeting_wait(&done);
  vgc_blocking_leave();
  KEEP_ALIVE(array);
  return arg;
}

static void reads(void *unused) {
  (void)unused;
  words[0] = NULL;
  hidden_reveal(after, (void *)(uintptr_t)&words[1]);
}

static void refuse(void *arg, enum vgc_error error, const void *ptr, const char *message) {
  (void)arg, (void)ptr, (void)message;
  must(error != VGC_ERROR_CORRUPT);
}

static void nothing_is_damaged(void **state) {
  (void)state;
  struct vgc_config wanted = config_quiet();
  wanted.check_level = 3;
  assert_int_equal(vgc_init(&wanted), 0);
  vgc_set_hooks(&(struct vgc_hooks){.struct_size = sizeof(struct vgc_hooks), .error = refuse}, NULL);
  before = hidden_make(SIZE);
  after = hidden_make(SIZE);
  meeting_init(&held, 2);
  meeting_init(&done, 2);
  pthread_t thread;
  assert_int_equal(pthread_create(&thread, NULL, run, NULL), 0);
  meeting_wait(&held);
  struct park *between = park_arm_call("mark_after_roots", reads, NULL);
  assert_int_equal(vgc_collect(), 0);
  assert_true(park_reached(between));
  meeting_wait(&done);
  assert_int_equal(pthread_join(thread, NULL), 0);
  assert_true(hidden_alive(before, SIZE));
}

BUG(X91) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(nothing_is_damaged, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("X91", tests, NULL, NULL);
}
