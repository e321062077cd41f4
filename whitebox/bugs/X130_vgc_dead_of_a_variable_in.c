/* X130: VGC_DEAD of a variable in a register does nothing.
 *
 * It stored NULL where the variable would be in memory, which an optimizing compiler drops if it is not there. What was
 * in the register stayed, and the object with it: liveness.deadlocal shows it for more compilers. */
#include "bug.h"
#include "probe.h"

static NOINLINE void *make_linked(void **link) {
  void *object = vgc_malloc(24);
  must(!vgc_weak_add(link, object, VGC_WEAK_SHORT));
  return object;
}

static NOINLINE unsigned drop_local(void) {
  void **link = vgc_malloc_noscan(sizeof *link), *object = vgc_malloc(24);
  must(!vgc_weak_add(link, object, VGC_WEAK_SHORT));
  must(vgc_weak_get(link) == object); /* after a call, so in a register that calls leave alone */
  VGC_DEAD(object);
  vgc_clear_registers();
  vgc_clear_stack();
  must(!vgc_collect());
  return vgc_weak_get(link) != NULL;
}

/* More that lives over the calls than registers which these leave alone: the variable is in memory meanwhile. */
static NOINLINE long drop_spilled(void **link, const volatile long *values) {
  void *object = make_linked(link);
  long a = values[0], b = values[1], c = values[2], d = values[3], e = values[4], f = values[5], g = values[6];
  must(vgc_weak_get(link) == object);
  must(vgc_usable_size(object) >= 24);
  vgc_poll();
  VGC_DEAD(object);
  vgc_clear_registers();
  vgc_clear_stack();
  must(!vgc_collect());
  return a + b * 3 + c * 5 + d * 7 + e * 9 + f * 11 + g * 13;
}

static void a_dead_variable_keeps_nothing(void **state) {
  (void)state;
  if (UNDER_TSAN || UNDER_ASAN) not_applicable("sanitizers keep frames of their own");
  start_quiet();
  unsigned kept = 0;
  for (unsigned i = 0; i < 20; i++) kept += drop_local();
  assert_int_equal(kept, 0);
  for (unsigned i = 0; i < 20; i++) {
    static const volatile long values[7];
    void **link = vgc_malloc_noscan(sizeof *link);
    drop_spilled(link, values);
    kept += vgc_weak_get(link) != NULL;
  }
  assert_int_equal(kept, 0);
}

BUG(X130) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(a_dead_variable_keeps_nothing, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("X130", tests, NULL, NULL);
}
