/* Ranks, checked from level 2 on. */
#include "unit.h"

static struct lock low = LOCK_INITIALIZER(LOCK_INIT, 0), registry = LOCK_INITIALIZER(LOCK_REGISTRY, 0),
                   first = LOCK_INITIALIZER(LOCK_CENTRAL, 1), second = LOCK_INITIALIZER(LOCK_CENTRAL, 2),
                   high = LOCK_INITIALIZER(LOCK_PAGES, 0);

static int checking_off(void **state) {
  (void)state;
  lock_set_checking(false);
  return 0;
}

static void rising_order_is_fine(void **state) {
  (void)state;
  lock_set_checking(true);
  struct lock *const order[] = {&low, &registry, &first, &second, &high};
  for (unsigned i = 0; i < 5; i++) {
    lock_acquire(order[i]);
    assert_int_equal(lock_depth(), i + 1);
  }
  for (unsigned i = 0; i < 5; i++) lock_assert_held(order[i]);
  /* Released in any order. */
  static const unsigned released[] = {2, 4, 0, 1, 3};
  for (unsigned i = 0; i < 5; i++) {
    lock_release(order[released[i]]);
    assert_int_equal(lock_depth(), 4 - i);
  }
}

static void without_checking_nothing_is_counted(void **state) {
  (void)state;
  lock_acquire(&high);
  lock_acquire(&low);
  assert_int_equal(lock_depth(), 0);
  lock_assert_held(&registry);
  lock_release(&low);
  lock_release(&high);
}

/* Taken unchecked, released checked, and the other way round: initialisation turns checking on while it holds one. */
static void checking_may_begin_and_end_under_a_lock(void **state) {
  (void)state;
  lock_acquire(&low);
  lock_set_checking(true);
  lock_acquire(&registry);
  lock_release(&registry);
  lock_release(&low);
  lock_acquire(&high);
  lock_set_checking(false);
  lock_release(&high);
  assert_int_equal(lock_depth(), 0);
}

struct pair {
  struct lock *held, *wanted;
};

static void take_both(void *arg) {
  const struct pair *pair = arg;
  lock_set_checking(true);
  lock_acquire(pair->held);
  lock_acquire(pair->wanted);
}

static void falling_order_is_reported(void **state) {
  (void)state;
  static const struct pair pairs[] = {{&registry, &low}, {&high, &first}, {&second, &first}, {&high, &low}};
  for (unsigned i = 0; i < sizeof pairs / sizeof *pairs; i++) {
    struct pair pair = pairs[i];
    struct child_result result;
    char text[64];
    snprintf(text, sizeof text, "holds lock %d.%u takes lock %d.%u", (int)pair.held->rank, pair.held->index,
             (int)pair.wanted->rank, pair.wanted->index);
    child_run(take_both, &pair, 10, &result);
    unit_assert_aborted(&result, text);
  }
}

static void rely_on_a_lock(void *arg) {
  lock_set_checking(true);
  lock_acquire(&low);
  lock_assert_held(arg);
}

static void a_missing_lock_is_reported(void **state) {
  (void)state;
  struct child_result result;
  char text[64];
  snprintf(text, sizeof text, "lock %d.0 is not held by the thread that relies on it", (int)LOCK_PAGES);
  child_run(rely_on_a_lock, &high, 10, &result);
  unit_assert_aborted(&result, text);
}

UNIT(lock) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_teardown(rising_order_is_fine, checking_off),
      cmocka_unit_test_teardown(without_checking_nothing_is_counted, checking_off),
      cmocka_unit_test_teardown(checking_may_begin_and_end_under_a_lock, checking_off),
      cmocka_unit_test_teardown(falling_order_is_reported, checking_off),
      cmocka_unit_test_teardown(a_missing_lock_is_reported, checking_off),
  };
  return cmocka_run_group_tests_name("lock", tests, NULL, NULL);
}
