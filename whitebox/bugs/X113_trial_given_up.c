/* X113: the slower number of markers is tried now and then. Under a pause limit such a cycle is given up, and said
 * nothing: so it was tried again at every cycle, all of them were given up, and the heap grew without bound.
 *
 * A hook gives up what is marked without helpers, as a limit would that only helpers keep. */
#include "bug.h"
#include "objects.h"

enum { OBJECTS = 1000, CYCLES = 120 };

static void *volatile keep[OBJECTS];

static int without_helpers(void *arg) {
  (void)arg;
  return mark_markers() == 1;
}

/* As if helpers had been found to be cheap, and still nothing that is really measured were dear beside that. */
static void prefer_helpers(void) {
  static const uint64_t hour = UINT64_C(3600000000000);
  mark_choice_reset();
  mark_choice_learn(false, 2 * hour, 1 << 20);
  for (unsigned i = 0; i < 2; i++) {
    must(mark_choice_together());
    mark_choice_learn(true, hour, 1 << 20);
  }
}

static void most_collections_end(void **state) {
  (void)state;
  struct vgc_config wanted = config_quiet();
  wanted.minimum_heap = 1;
  assert_int_equal(vgc_init(&wanted), 0);
  if (config.mark_workers == 1) not_applicable("one processor: there are no helpers by default");
  vgc_disable();
  for (unsigned i = 0; i < OBJECTS; i++) must(keep[i] = vgc_malloc(100));
  vgc_enable();
  assert_int_equal(vgc_collect(), 0);
  assert_true(mark_team_helpers() > 0);
  prefer_helpers();
  const struct vgc_hooks hooks = {.struct_size = sizeof hooks, .give_up = without_helpers};
  vgc_set_hooks(&hooks, NULL);
  for (unsigned i = 0; i < CYCLES; i++) vgc_collect();
  struct vgc_stats stats = stats_now();
  assert_int_equal(stats.cycles + stats.cycles_given_up, CYCLES + 1);
  assert_true(stats.cycles_given_up > 0);
  /* A third is the most, where each other cycle seems dear because the machine is busy. */
  assert_true(stats.cycles_given_up < CYCLES / 2);
}

BUG(X113) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(most_collections_end, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("X113", tests, NULL, NULL);
}
