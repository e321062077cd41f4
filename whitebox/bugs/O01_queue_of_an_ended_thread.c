/* O01: finalizers of a thread that ends before they are called are lost, or are called by two heirs.
 *
 * A thread sets finalizers, makes them due and ends. Two others call what is due, at the same time. */
#include "bug.h"
#include "probe.h"

enum { OBJECTS = 500 };
static _Atomic unsigned calls[OBJECTS];

static void count(void *object, void *arg) {
  (void)object;
  fetch_add_relaxed((_Atomic unsigned *)arg, 1u);
}

static void make_objects(void *arg) {
  (void)arg;
  for (unsigned i = 0; i < OBJECTS; i++) must(vgc_set_finalizer(vgc_malloc(16), count, &calls[i], VGC_ORDERED) == 0);
}

static void make_and_collect(void *arg) {
  make_objects(arg);
  must(collect_now(COLLECT_EXPLICIT));
}

static void finalize(void *arg) {
  (void)arg;
  vgc_finalize();
}

static void each_is_called_once(void **state) {
  (void)state;
  start_quiet();
  static struct worker workers[2];
  for (unsigned i = 0; i < 2; i++) worker_start(&workers[i]);
  for (unsigned round = 1; round <= 2; round++) {
    probe_in_thread(round == 1 ? make_objects : make_and_collect, NULL);
    must(collect_now(COLLECT_EXPLICIT));
    for (unsigned i = 0; i < 2; i++) worker_begin(&workers[i], finalize, NULL);
    for (unsigned i = 0; i < 2; i++) worker_finish(&workers[i]);
    for (unsigned i = 0; i < OBJECTS; i++) assert_int_equal(load_relaxed(&calls[i]), round);
  }
  for (unsigned i = 0; i < 2; i++) worker_stop(&workers[i]);
  assert_int_equal(vgc_finalizers_due(), 0);
}

BUG(O01) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(each_is_called_once, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("O01", tests, NULL, NULL);
}
