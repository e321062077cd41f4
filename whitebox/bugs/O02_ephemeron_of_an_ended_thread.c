/* O02: an ephemeron that a thread left behind is not looked at, and its value is collected while it can be reached.
 *
 * A thread makes an ephemeron and ends. Key and ephemeron are held elsewhere; the value only by them. */
#include "bug.h"
#include "probe.h"

static void *volatile key;
static struct vgc_ephemeron *ephemeron;
static uintptr_t value;

static void make_ephemeron(void *arg) {
  (void)arg;
  void *object = vgc_malloc(16);
  key = vgc_malloc(16);
  ephemeron = vgc_ephemeron_new(key, object);
  must(ephemeron);
  value = hide(object);
}

/* In a thread of its own: what it has seen is on no stack afterwards. */
static void look(void *same) { *(bool *)same = vgc_ephemeron_value(ephemeron) == reveal(value); }

static void a_value_outlives_the_thread(void **state) {
  (void)state;
  start_quiet();
  probe_in_thread(make_ephemeron, NULL);
  assert_int_equal(vgc_collect(), 0);
  assert_true(probe_alive(value));
  bool same = false;
  probe_in_thread(look, &same);
  assert_true(same);
  key = NULL;
  assert_int_equal(vgc_collect(), 0);
  assert_null(vgc_ephemeron_value(ephemeron));
  assert_false(probe_alive(value));
}

BUG(O02) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(a_value_outlives_the_thread, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("O02", tests, NULL, NULL);
}
