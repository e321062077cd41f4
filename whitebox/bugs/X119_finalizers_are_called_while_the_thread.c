/* X119: finalizers are called while the thread is between vgc_lock and vgc_unlock.
 *
 * Who allocates calls what another thread's collection has made due, with no lock held, as the manual says. Between the
 * two the thread had that of collections, and a finalizer that took it, as it may, ended the program. */
#include "bug.h"
#include "probe.h"

enum { COUNT = 100 };

static bool locked;
static unsigned calls, under_lock;

static void finalizer(void *object, void *arg) {
  (void)object, (void)arg;
  calls++;
  under_lock += locked;
}

static void drop_some(void *unused) {
  (void)unused;
  for (unsigned i = 0; i < COUNT; i++) must(!vgc_set_finalizer(vgc_malloc(16), finalizer, NULL, VGC_UNORDERED));
}

static void collect(void *unused) {
  (void)unused;
  must(!vgc_collect());
}

/* Enough for new spans. */
static void allocate(void) {
  for (unsigned i = 0; i < 5000; i++) must(vgc_malloc(64) != NULL);
}

static void they_wait_for_its_end(void **state) {
  (void)state;
  struct worker collector;
  start_quiet();
  worker_start(&collector);
  probe_in_thread(drop_some, NULL);
  struct park *window = park_arm("finalize_taken"); /* the first; the others are due */
  worker_begin(&collector, collect, NULL);
  park_await(window);
  vgc_lock();
  locked = true;
  allocate();
  locked = false;
  vgc_unlock();
  assert_int_equal(under_lock, 0);
  allocate();
  assert_true(calls > COUNT / 2);
  park_release(window);
  worker_finish(&collector);
  worker_stop(&collector);
  assert_int_equal(calls, COUNT);
}

BUG(X119) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(they_wait_for_its_end, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("X119", tests, NULL, NULL);
}
