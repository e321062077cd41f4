/* X94: hooks are overwritten while a thread is about to call one.
 *
 * It holds what was in force when it looked. The program sets others, twice and more: what the thread holds stays. */
#include "bug.h"

enum { SETS = 80 };

static void *none(void *arg, size_t size) { return (void)arg, (void)size, NULL; }

static void set(void *arg) {
  vgc_set_hooks(&(struct vgc_hooks){.struct_size = sizeof(struct vgc_hooks), .arg = arg, .out_of_memory = none}, NULL);
}

static void what_a_reader_holds_stays(void **state) {
  (void)state;
  static char args[SETS];
  const struct vgc_hooks *held[SETS];
  for (unsigned i = 0; i < SETS; i++) {
    set(&args[i]);
    held[i] = hooks_get();
  }
  for (unsigned i = 0; i < SETS; i++) assert_ptr_equal(held[i]->arg, &args[i]);
  /* The same again takes no memory again. */
  fault_fail(FAULT_RESERVE, 0, ~0ul);
  for (unsigned i = 0; i < SETS; i++) {
    set(&args[i]);
    assert_ptr_equal(hooks_get(), held[i]);
  }
  assert_int_equal(fault_failed(FAULT_RESERVE), 0);
  /* Without memory those in force stay. */
  fault_capture_print(true);
  set(args + SETS);
  assert_ptr_equal(hooks_get(), held[SETS - 1]);
  assert_non_null(strstr(fault_printed(), "no memory to keep the hooks"));
}

BUG(X94) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(what_a_reader_holds_stays, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("X94", tests, NULL, NULL);
}
