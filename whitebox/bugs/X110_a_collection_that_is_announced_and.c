/* X110: a collection that is announced and then not made is never said to be over.
 *
 * cycle_start is called before it is known that the loaded objects must be listed first, which is done with no lock
 * held. Meanwhile collections may be disabled, or another thread's may serve; then no phase followed. A program that
 * takes itself for collecting in between, as the layer of libgc's names does, did so for good: it set no finalizers. */
#include <errno.h>

#include "bug.h"

static struct { unsigned starts, ends, stops; } seen;

static void cycle_start(void *arg) { (void)arg, seen.starts++; }
static void phase(void *arg, enum vgc_phase phase) {
  (void)arg;
  seen.ends += phase == VGC_PHASE_ENDED;
  seen.stops += phase == VGC_PHASE_STOPPING;
}

static int disable_meanwhile(void *arg, const char *name, const void *start, size_t size) {
  (void)name, (void)start, (void)size;
  bool *disabled = arg;
  if (!*disabled) vgc_disable();
  *disabled = true;
  return 1;
}

static void each_start_has_its_end(void **state) {
  (void)state;
  static const struct vgc_hooks hooks = {.struct_size = sizeof hooks, .cycle_start = cycle_start, .phase = phase};
  bool disabled = false;
  vgc_set_hooks(&hooks, NULL);
  vgc_root_set_filter(disable_meanwhile, &disabled);
  assert_int_equal(vgc_collect(), -1);
  assert_int_equal(errno, EBUSY);
  assert_true(disabled);
  assert_int_equal(seen.starts, seen.ends);
  assert_int_equal(seen.stops, 0);
  vgc_enable();
  assert_int_equal(vgc_collect(), 0);
  assert_int_not_equal(seen.starts, 0);
  assert_int_equal(seen.starts, seen.ends);
  vgc_root_set_filter(NULL, NULL);
  vgc_set_hooks(NULL, NULL);
}

BUG(X110) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(each_start_has_its_end, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("X110", tests, NULL, NULL);
}
