/* With helpers or without: what has been faster, and how often the other way is tried. */
#include "unit.h"

#define MIB ((size_t)1 << 20)

static const uint64_t cheap = 1000000, dear = 2000000;

static int setup(void **state) {
  (void)state;
  mark_choice_reset();
  return 0;
}

static void marked(bool together, uint64_t cost) {
  assert_int_equal(mark_choice_together(), together);
  mark_choice_learn(together, cost, MIB);
}

/* Twice, and the first time, when helpers are cold, says nothing. */
static void marked_together(uint64_t cost) {
  marked(true, 1000 * dear);
  marked(true, cost);
}

/* Alone, as long as there are no helpers, then together. */
static void begin(uint64_t alone, uint64_t together) {
  mark_choice_learn(false, alone, MIB);
  marked_together(together);
}

/* Cycles of the usual way until the other one is tried, if each costs so much for each MiB. */
static unsigned cycles_between_trials(bool usual, uint64_t cost, uint64_t cost_of_trial) {
  unsigned cycles = 0;
  for (; mark_choice_together() == usual; cycles++) {
    assert_true(cycles < 1000);
    mark_choice_learn(usual, cost, MIB);
  }
  if (usual) {
    mark_choice_learn(false, cost_of_trial, MIB);
    return cycles;
  }
  mark_choice_learn(true, 1000 * dear, MIB);
  marked(true, cost_of_trial);
  return cycles;
}

static void helpers_are_tried_at_once(void **state) {
  (void)state;
  assert_true(mark_choice_together());
  mark_choice_learn(false, cheap, MIB); /* the cycle after which they were hired */
  assert_true(mark_choice_together());
}

static void the_slower_way_is_tried_ever_more_seldom(void **state) {
  static const unsigned cycles[] = {8, 16, 32, 64, 128, 128};
  for (unsigned usual = 0; usual < 2; usual++) {
    setup(state);
    begin(dear, cheap);
    uint64_t cost = usual ? cheap : cheap / 2;
    if (!usual) assert_int_equal(cycles_between_trials(true, cheap, cost), 7);
    for (unsigned i = 0; i < sizeof cycles / sizeof *cycles; i++)
      assert_int_equal(cycles_between_trials(usual, cost, dear), cycles[i] - 1);
  }
}

static void helpers_that_never_paid_are_tried_again(void **state) {
  (void)state;
  begin(cheap, dear);
  assert_int_equal(cycles_between_trials(false, cheap, dear), 15);
  assert_int_equal(cycles_between_trials(false, dear / 4 * 3 - 1, cheap), 31);
  assert_int_equal(cycles_between_trials(true, cheap, dear), 7);
}

static void it_counts_what_a_byte_costs(void **state) {
  (void)state;
  mark_choice_learn(false, cheap, MIB);
  marked(true, dear);
  assert_true(mark_choice_together());
  mark_choice_learn(true, dear, 4 * MIB);
  assert_true(mark_choice_together());
}

/* Marked alone for want of helpers: it says what that costs, if nothing else does. */
static void who_was_not_asked_teaches_once(void **state) {
  (void)state;
  mark_choice_learn(false, cheap, MIB);
  mark_choice_learn(false, 100 * dear, MIB);
  marked_together(dear);
  for (unsigned i = 0; i < 100; i++) mark_choice_learn(false, 100 * dear, MIB);
  assert_int_equal(cycles_between_trials(false, cheap, dear), 15);
}

/* One slow cycle, of a busy machine, is not taken for the rule. */
static void of_the_usual_way_the_mean_counts(void **state) {
  (void)state;
  begin(dear, cheap);
  marked(true, 100 * cheap);
  assert_int_equal(cycles_between_trials(true, cheap, dear), 6);
  assert_true(mark_choice_together());
}

static void in_another_heap_the_other_way_is_tried_at_once(void **state) {
  (void)state;
  begin(cheap, 2 * cheap);
  assert_int_equal(cycles_between_trials(false, cheap, dear), 15);
  for (unsigned i = 0; i < 3; i++) marked(false, cheap);
  marked(false, 4 * cheap);
  marked(false, 4 * cheap);
  assert_int_equal(cycles_between_trials(false, 4 * cheap, cheap), 0);
  assert_int_equal(cycles_between_trials(true, cheap, dear), 7);
}

/* ---- Cycles that are given up ---- */

static void given_up(bool together) {
  assert_int_equal(mark_choice_together(), together);
  mark_choice_give_up(together);
}

/* Under a limit that only one way keeps; the other one, of helpers, also when they are cold. */
static void a_trial_that_is_given_up_is_lost(void **state) {
  static const unsigned cycles[] = {8, 16, 32, 64, 128, 128};
  for (unsigned usual = 0; usual < 2; usual++) {
    setup(state);
    begin(dear, cheap);
    uint64_t cost = usual ? cheap : cheap / 2;
    if (!usual) assert_int_equal(cycles_between_trials(true, cheap, cost), 7);
    for (unsigned i = 0; i < sizeof cycles / sizeof *cycles; i++) {
      for (unsigned cycle = 1; cycle < cycles[i]; cycle++) marked(usual, cost);
      given_up(!usual);
      if (!usual) given_up(true);
    }
  }
}

static void helpers_may_be_given_up_at_first(void **state) {
  (void)state;
  mark_choice_learn(false, dear, MIB);
  given_up(true);
  given_up(true);
  for (unsigned cycle = 1; cycle < 16; cycle++) marked(false, dear);
  marked_together(cheap);
  marked(true, cheap);
}

/* Whatever it costs: nobody knows what the better way would have. */
static void what_is_given_up_twice_is_not_better(void **state) {
  for (unsigned usual = 0; usual < 2; usual++) {
    setup(state);
    begin(usual ? dear : cheap, usual ? cheap : dear);
    given_up(usual);
    given_up(usual);
    if (usual)
      marked(false, 10 * dear);
    else
      marked_together(10 * dear);
    for (unsigned cycle = 1; cycle < 8; cycle++) marked(!usual, 10 * dear);
    given_up(usual);
  }
}

static void once_is_a_chance(void **state) {
  (void)state;
  begin(dear, cheap);
  given_up(true);
  marked(true, cheap);
  given_up(true);
  marked(true, cheap);
  assert_true(mark_choice_together());
}

/* Both are tried in turn until one is finished. */
static void nothing_may_do(void **state) {
  (void)state;
  begin(dear, cheap);
  for (unsigned i = 0; i < 100; i++) {
    given_up(true);
    given_up(true);
    given_up(false);
    if (i % 2)
      marked(true, cheap); /* cold */
    else
      given_up(true);
  }
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
      TEST(in_another_heap_the_other_way_is_tried_at_once),
      TEST(a_trial_that_is_given_up_is_lost),
      TEST(helpers_may_be_given_up_at_first),
      TEST(what_is_given_up_twice_is_not_better),
      TEST(once_is_a_chance),
      TEST(nothing_may_do),
  };
  return cmocka_run_group_tests_name("mark_choice", tests, NULL, NULL);
}
