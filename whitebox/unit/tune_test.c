/* What steers collections while the program runs: vgc_tune, vgc_reserve, and the hooks that are asked and told. */
#include "unit.h"

#define MIB ((size_t)1 << 20)

static int setup(void **state) {
  (void)state;
  struct vgc_config given = unit_config(0);
  given.minimum_heap = MIB;
  unit_start(&given);
  return 0;
}

static uint64_t cycles(void) {
  struct vgc_stats stats = {.struct_size = sizeof stats};
  assert_int_equal(vgc_get_stats(&stats), 0);
  return stats.cycles;
}

/* Of garbage; how many collections that took. */
static uint64_t allocate(size_t bytes) {
  uint64_t before = cycles();
  for (size_t i = 0; i < bytes / 1024; i++) assert_non_null(vgc_malloc_noscan(1024));
  return cycles() - before;
}

static struct vgc_config changes(void) {
  struct vgc_config given;
  vgc_config_default(&given);
  return given;
}

static void the_minimum_heap_counts_from_the_next_decision_on(void **state) {
  (void)state;
  assert_int_not_equal(allocate(16 * MIB), 0);
  struct vgc_config given = changes();
  given.minimum_heap = 64 * MIB;
  assert_int_equal(vgc_tune(&given), 0);
  assert_int_equal(allocate(48 * MIB), 0);
  given.minimum_heap = MIB;
  assert_int_equal(vgc_tune(&given), 0);
  assert_int_not_equal(allocate(16 * MIB), 0);
}

static void the_hard_limit_can_be_lowered_and_lifted(void **state) {
  (void)state;
  struct vgc_config given = changes();
  given.hard_limit = 4 * MIB;
  assert_int_equal(vgc_tune(&given), 0);
  assert_null(vgc_malloc(8 * MIB));
  assert_int_equal(vgc_reserve(8 * MIB), -1);
  assert_int_equal(errno, ENOMEM);
  given.hard_limit = SIZE_MAX / 2;
  assert_int_equal(vgc_tune(&given), 0);
  assert_non_null(vgc_malloc(8 * MIB));
}

static void growth_is_what_it_is_at_the_end_of_a_collection(void **state) {
  (void)state;
  static void *none[1];
  unit_roots(none, 1);
  void *live = vgc_malloc_uncollectable(8 * MIB);
  struct vgc_stats stats = {.struct_size = sizeof stats};
  static const unsigned percents[] = {50, 300};
  for (unsigned i = 0; i < 2; i++) {
    struct vgc_config given = changes();
    given.growth_percent = percents[i];
    assert_int_equal(vgc_tune(&given), 0);
    unit_collect();
    assert_int_equal(vgc_get_stats(&stats), 0);
    assert_in_range(stats.trigger_bytes, 8 * MIB * (100 + percents[i]) / 100 - 1024,
                    8 * MIB * (110 + percents[i]) / 100);
  }
  vgc_free(live);
}

static void a_stress_setting_counts_for_threads_that_allocate_already(void **state) {
  (void)state;
  assert_int_equal(allocate(64 * 1024), 0);
  struct vgc_config given = changes();
  given.collect_every = 1000000;
  assert_int_equal(vgc_tune(&given), 0);
  for (unsigned i = 0; i < 3; i++) assert_non_null(vgc_malloc_noscan(16)); /* the first collects, and begins to count */
  given.collect_every = 1;
  assert_int_equal(vgc_tune(&given), 0);
  uint64_t before = cycles();
  for (unsigned i = 0; i < 10; i++) assert_non_null(vgc_malloc(16));
  assert_int_equal(cycles() - before, 10);
}

static void what_cannot_change_is_refused_and_nothing_else_changes(void **state) {
  (void)state;
  fault_capture_print(true);
  struct vgc_config given = changes();
  given.minimum_heap = 64 * MIB;
  given.page_bytes = 4096;
  assert_int_equal(vgc_tune(&given), -1);
  assert_int_equal(errno, EINVAL);
  assert_non_null(strstr(fault_printed(), "vgc_config.page_bytes cannot be changed while the program runs"));
  fault_capture_print(false);
  assert_int_not_equal(allocate(16 * MIB), 0);
}

static void reserved_memory_is_used_before_the_next_collection(void **state) {
  (void)state;
  assert_int_equal(vgc_reserve(32 * MIB), 0);
  assert_int_equal(allocate(30 * MIB), 0);
  assert_int_not_equal(allocate(30 * MIB), 0);
}

/* ---- Hooks ---- */

static struct {
  bool refuse, raise;
  enum vgc_reason reason;
  unsigned asked, phases;
  enum vgc_phase phase[32];
  void *due;
} told;

static int may_collect(void *arg) {
  assert_ptr_equal(arg, &told);
  told.asked++;
  told.reason = vgc_collection_reason();
  struct vgc_config given = changes();
  given.minimum_heap = 64 * MIB;
  if (told.raise) assert_int_equal(vgc_tune(&given), 0);
  return !told.refuse;
}

static void phase(void *arg, enum vgc_phase phase) {
  (void)arg;
  assert_true(vgc_in_collection());
  if (told.phases < 32) told.phase[told.phases++] = phase;
}

static void finalizer_due(void *arg, void *object) { (void)arg, told.due = object; }

static int setup_hooks(void **state) {
  static const struct vgc_hooks hooks = {.struct_size = sizeof hooks,
                                         .arg = &told,
                                         .may_collect = may_collect,
                                         .phase = phase,
                                         .finalizer_due = finalizer_due};
  memset(&told, 0, sizeof told);
  vgc_set_hooks(&hooks, NULL);
  return setup(state);
}

static int teardown_hooks(void **state) {
  vgc_set_hooks(NULL, NULL);
  return unit_teardown(state);
}

static void a_program_that_refuses_is_not_collected(void **state) {
  (void)state;
  told.refuse = true;
  assert_int_equal(allocate(16 * MIB), 0);
  assert_int_not_equal(told.asked, 0);
  assert_int_equal(vgc_collect(), -1);
  assert_int_equal(errno, EBUSY);
  told.refuse = false;
  assert_int_equal(vgc_collect(), 0);
  assert_int_equal(cycles(), 1);
}

static void the_program_hears_why(void **state) {
  (void)state;
  assert_int_equal(vgc_collect(), 0);
  assert_int_equal(told.reason, VGC_REASON_CALL);
  assert_int_not_equal(allocate(16 * MIB), 0);
  assert_int_equal(told.reason, VGC_REASON_PACE);
  struct vgc_config given = changes();
  given.hard_limit = 8 * MIB;
  given.minimum_heap = 64 * MIB;
  assert_int_equal(vgc_tune(&given), 0);
  assert_null(vgc_malloc_noscan(16 * MIB));
  assert_int_equal(told.reason, VGC_REASON_MEMORY);
  given = changes();
  given.collect_every = 1;
  assert_int_equal(vgc_tune(&given), 0);
  assert_non_null(vgc_malloc(16));
  assert_int_equal(told.reason, VGC_REASON_STRESS);
}

static void settings_may_be_changed_when_asked(void **state) {
  (void)state;
  told.raise = true;
  assert_int_equal(allocate(32 * MIB), 1);
}

static void a_collection_goes_through_its_phases_once(void **state) {
  (void)state;
  assert_int_equal(vgc_collect(), 0);
  static const enum vgc_phase all[] = {VGC_PHASE_STOPPING, VGC_PHASE_STOPPED, VGC_PHASE_MARKED, VGC_PHASE_RECLAIMED,
                                       VGC_PHASE_RESUMING, VGC_PHASE_RESUMED, VGC_PHASE_ENDED};
  assert_int_equal(told.phases, sizeof all / sizeof *all);
  assert_memory_equal(told.phase, all, sizeof all);
  assert_false(vgc_in_collection());
}

/* Where the thread has the lock that settings are changed with: must neither wait for it nor give it away. */
static void change_everything(void) {
  struct vgc_config given = changes();
  given.minimum_heap = 2 * MIB;
  assert_int_equal(vgc_tune(&given), 0);
  assert_int_equal(vgc_reserve(MIB), 0);
  vgc_disable();
  vgc_enable();
}

static void change_in_phase(void *arg, enum vgc_phase at) {
  (void)arg;
  (void)at;
  change_everything();
}

static void settings_may_be_changed_with_the_lock(void **state) {
  (void)state;
  vgc_lock();
  change_everything();
  assert_int_equal(cycles(), 0);
  vgc_unlock();
  assert_int_equal(vgc_collect(), 0);
}

static void settings_may_be_changed_by_hooks(void **state) {
  (void)state;
  const struct vgc_hooks hooks = {.struct_size = sizeof hooks, .phase = change_in_phase};
  vgc_set_hooks(&hooks, NULL);
  for (unsigned i = 0; i < 3; i++) assert_int_equal(vgc_collect(), 0);
  assert_int_equal(cycles(), 3);
}

static void no_finalizer(void *object, void *arg) { (void)object, (void)arg; }

static void the_program_hears_of_each_object_that_is_to_be_finalized(void **state) {
  (void)state;
  static void *roots[2];
  unit_roots(roots, 2);
  roots[0] = vgc_malloc(16);
  roots[1] = vgc_malloc(16);
  void *second = roots[1];
  for (unsigned i = 0; i < 2; i++) assert_int_equal(vgc_set_finalizer(roots[i], no_finalizer, NULL, VGC_ORDERED), 0);
  roots[1] = NULL;
  unit_collect();
  assert_ptr_equal(told.due, second);
  roots[0] = NULL;
}

#define TEST(name)  cmocka_unit_test_setup_teardown(name, setup, unit_teardown)
#define HOOKS(name) cmocka_unit_test_setup_teardown(name, setup_hooks, teardown_hooks)

UNIT(tune) {
  const struct CMUnitTest tests[] = {
      TEST(the_minimum_heap_counts_from_the_next_decision_on),
      TEST(the_hard_limit_can_be_lowered_and_lifted),
      TEST(growth_is_what_it_is_at_the_end_of_a_collection),
      TEST(a_stress_setting_counts_for_threads_that_allocate_already),
      TEST(what_cannot_change_is_refused_and_nothing_else_changes),
      TEST(reserved_memory_is_used_before_the_next_collection),
      HOOKS(a_program_that_refuses_is_not_collected),
      HOOKS(the_program_hears_why),
      HOOKS(settings_may_be_changed_when_asked),
      TEST(settings_may_be_changed_with_the_lock),
      HOOKS(settings_may_be_changed_by_hooks),
      HOOKS(a_collection_goes_through_its_phases_once),
      HOOKS(the_program_hears_of_each_object_that_is_to_be_finalized),
  };
  return cmocka_run_group_tests_name("tune", tests, NULL, NULL);
}
