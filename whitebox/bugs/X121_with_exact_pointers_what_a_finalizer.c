/* X121: with exact pointers what a finalizer's argument points into is not kept.
 *
 * There words of static data name objects by their starts alone, and the arguments of finalizers were scanned as such.
 * An argument may point anywhere into its object, as the manual says; the finalizer used memory of another. */
#include "bug.h"
#include "probe.h"

enum { COUNT = 50 };

static uintptr_t arguments[COUNT];
static void *objects[COUNT];

static void finalizer(void *object, void *arg) { (void)object, (void)arg; }

static void set(void *unused) {
  (void)unused;
  for (unsigned i = 0; i < COUNT; i++) {
    char *argument = vgc_malloc(64);
    arguments[i] = hide(argument);
    must(objects[i] = vgc_malloc(16));
    must(!vgc_set_finalizer(objects[i], finalizer, argument + 16, VGC_UNORDERED));
  }
}

static void arguments_are_kept(void **state) {
  (void)state;
  struct vgc_config given = config_quiet();
  given.exact_pointers = 1;
  assert_int_equal(vgc_init(&given), 0);
  probe_in_thread(set, NULL);
  must(!vgc_collect());
  for (unsigned i = 0; i < COUNT; i++) assert_true(probe_alive(arguments[i]));
}

BUG(X121) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(arguments_are_kept, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("X121", tests, NULL, NULL);
}
