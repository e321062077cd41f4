/* With helpers or without: what has been faster, and how often the other way is tried. */
#include "unit.h"

#define MIB ((size_t)1 << 20)

static const uint64_t cheap = 1000000, dear = 2000000;

static int setup(void **state) {
  (void)state;
  mark_choice_reset();
  return 0;
}

/* Cycles until one is marked the other way than `usual`, that one not counted, if that costs so much for each MiB. */
static unsigned cycles_between_trials(bool usual, uint64_t cost, uint64_t cost_of_trial) {
  for (unsigned cycles = 0; cycles < 1000; cycles++) {
    bool together = mark_choice_together();
    mark_choice_learn(together, together == usual ? cost : cost_of_trial, MIB);
    if (together != usual) return cycles;
  }
  return 1000;
}

static void helpers_are_tried_at_once(void **state) {
  (void)state;
  assert_true(mark_choice_together());
  mark_choice_learn(false, cheap, MIB); /* the cycle after which they were hired */
  assert_true(mark_choice_together());
}

static void expect_ever_more_seldom(bool usual) {
  static const unsigned cycles[] = {8, 16, 32, 64, 64, 64};
  for (unsigned i = 0; i < sizeof cycles / sizeof *cycles; i++)
    assert_int_equal(cycles_between_trials(usual, cheap, dear), cycles[i] - 1);
}

static void the_slower_way_is_tried_ever_more_seldom(void **state) {
  mark_choice_learn(false, dear, MIB);
  mark_choice_learn(true, cheap, MIB);
  expect_ever_more_seldom(true);
  setup(state);
  mark_choice_learn(false, dear, MIB);
  mark_choice_learn(true, cheap, MIB);
  assert_int_equal(cycles_between_trials(true, dear, cheap), 7);
  expect_ever_more_seldom(false);
}

static void helpers_that_never_paid_are_tried_again(void **state) {
  (void)state;
  mark_choice_learn(false, cheap, MIB);
  mark_choice_learn(true, dear, MIB);
  assert_int_equal(cycles_between_trials(false, cheap, dear), 15);
  assert_int_equal(cycles_between_trials(false, dear, cheap), 31);
  assert_int_equal(cycles_between_trials(true, cheap, dear), 7);
}

static void it_counts_what_a_byte_costs(void **state) {
  (void)state;
  mark_choice_learn(false, cheap, MIB);
  mark_choice_learn(true, dear, 4 * MIB);
  assert_true(mark_choice_together());
}

/* One slow cycle, of a busy machine, is not taken for the rule at the next trial. */
static void of_the_usual_way_the_mean_counts(void **state) {
  (void)state;
  mark_choice_learn(false, dear, MIB);
  mark_choice_learn(true, cheap, MIB);
  mark_choice_learn(true, 4 * cheap, MIB);
  assert_int_equal(cycles_between_trials(true, cheap, dear), 7);
  assert_true(mark_choice_together());
}

/* Marked alone for want of helpers: it says what that costs, if nothing else does. */
static void who_was_not_asked_teaches_once(void **state) {
  (void)state;
  mark_choice_learn(false, cheap, MIB);
  mark_choice_learn(false, 100 * dear, MIB);
  assert_true(mark_choice_together());
  mark_choice_learn(true, dear, MIB);
  assert_int_equal(cycles_between_trials(false, cheap, dear), 15);
  for (unsigned i = 0; i < 100; i++) mark_choice_learn(false, 100 * dear, MIB);
  assert_int_equal(cycles_between_trials(false, cheap, dear), 31);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

UNIT(mark_choice) {
  const struct CMUnitTest tests[] = {
      TEST(helpers_are_tried_at_once),
      TEST(the_slower_way_is_tried_ever_more_seldom),
      TEST(helpers_that_never_paid_are_tried_again),
      TEST(it_counts_what_a_byte_costs),
      TEST(who_was_not_asked_teaches_once),
      TEST(of_the_usual_way_the_mean_counts),
  };
  return cmocka_run_group_tests_name("mark_choice", tests, NULL, NULL);
}
