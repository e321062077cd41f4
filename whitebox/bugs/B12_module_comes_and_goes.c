/* B12: objects that are loaded or unloaded between the list of them and the scan.
 *
 * What is gone is not read; what has come is scanned. */
#include <dlfcn.h>

#include "bug.h"
#include "hidden.h"

enum { SIZE = 1200, DEADLINE_S = 20 };

struct load {
  uintptr_t hidden;
  void *module;
};

/* In the collector, which already has its list. */
static void load_and_hold(void *arg) {
  struct load *load = arg;
  must((load->module = dlopen(BUG_MODULE, RTLD_NOW)));
  void *data = dlsym(load->module, "bug_module_data");
  must(data);
  hidden_reveal(load->hidden, data);
}

static void unload(void *module) { must(dlclose(module) == 0); }

static void comes(void **state) {
  (void)state;
  struct hidden_control control;
  assert_int_equal(vgc_collect(), 0);
  struct load load = {.hidden = hidden_make(SIZE)};
  hidden_control_make(&control);
  park_arm_call("collect_before_locks", load_and_hold, &load);
  assert_int_equal(vgc_collect(), 0);
  assert_true(hidden_control_died(&control));
  assert_true(hidden_alive(load.hidden, SIZE));
  assert_int_equal(dlclose(load.module), 0);
}

static void collect_over_unload(void *unused) {
  (void)unused;
  void *module = dlopen(BUG_MODULE, RTLD_NOW);
  must(module);
  must(vgc_collect() == 0);
  park_arm_call("collect_before_locks", unload, module);
  must(vgc_collect() == 0);
  must(vgc_collect() == 0);
}

static void goes(void **state) {
  (void)state;
  struct child_result result;
  child_run(collect_over_unload, NULL, DEADLINE_S, &result);
  if (result.timed_out || result.exit_code != 0)
    fail_msg("a collection over dlclose: exit %d, signal %d\n%s", result.exit_code, result.signal, result.text);
}

BUG(B12) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(comes, fault_reset, park_reset),
                                     cmocka_unit_test_setup_teardown(goes, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("B12", tests, NULL, NULL);
}
