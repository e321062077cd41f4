/* The table of added roots against a plain list of what is in it. */
#include "unit.h"

enum { KEYS = 700, STEPS = 20000 };

static char bytes[KEYS];
static bool added[KEYS], pushed[KEYS];

static void push_none(void *arg, vgc_root_push *push, void *sink) {
  (void)push, (void)sink;
  pushed[(char *)arg - bytes] = true;
}

static int add(unsigned key) {
  return key % 2 ? vgc_root_add_callback(push_none, &bytes[key]) : vgc_root_add(&bytes[key % 64], key);
}

static int take_away(unsigned key) {
  return key % 2 ? vgc_root_remove_callback(push_none, &bytes[key]) : vgc_root_remove(&bytes[key % 64], key);
}

static void holds_what_was_added_and_not_removed(void **state) {
  (void)state;
  uint64_t random = 7;
  for (unsigned i = 0; i < STEPS; i++) {
    uint64_t dice = unit_random(&random) >> 20;
    unsigned key = (unsigned)(dice % KEYS);
    errno = 0;
    if (dice >> 20 & 1) {
      assert_int_equal(add(key), added[key] ? -1 : 0);
      assert_int_equal(errno, added[key] ? EEXIST : 0);
      added[key] = true;
    } else {
      assert_int_equal(take_away(key), added[key] ? 0 : -1);
      assert_int_equal(errno, added[key] ? 0 : ENOENT);
      added[key] = false;
    }
  }
  assert_int_equal(vgc_collect(), 0);
  for (unsigned key = 1; key < KEYS; key += 2) assert_int_equal(pushed[key], added[key]);
  for (unsigned key = 0; key < KEYS; key++) assert_int_equal(take_away(key), added[key] ? 0 : -1);
}

UNIT(roots) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(holds_what_was_added_and_not_removed, unit_setup, unit_teardown)};
  return cmocka_run_group_tests_name("roots", tests, NULL, NULL);
}
