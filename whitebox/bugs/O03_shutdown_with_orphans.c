/* O03: the last thread does not take over what ended threads have left, so that a shutdown waits for them for ever.
 *
 * A thread ends without leaving: a destructor of its last round has made it register again. It leaves its cache,
 * objects with finalizers, and some that are due. The only thread that remains shuts the library down at the first try;
 * nothing of that is called then, nor when the library has come up again. */
#include "bug.h"
#include "late_key.h"
#include "probe.h"

enum { OBJECTS = 20 };
static unsigned calls;
static pthread_key_t late;

static void count(void *object, void *arg) {
  (void)object, (void)arg;
  calls++;
}

static void make_objects(void *arg) {
  (void)arg;
  for (unsigned i = 0; i < OBJECTS; i++) must(vgc_set_finalizer(vgc_malloc(64), count, NULL, VGC_ORDERED) == 0);
}

static void destroy_late(void *value) {
  uintptr_t round = (uintptr_t)value;
  if (round < DESTRUCTOR_ROUNDS) {
    pthread_setspecific(late, (void *)(round + 1));
    return;
  }
  must(vgc_thread_detach() == 0);
  make_objects(NULL);
}

static void *end_without_leaving(void *arg) {
  must(pthread_setspecific(late, (void *)1) == 0);
  return arg;
}

static void start(void) {
  struct vgc_config given = config_quiet();
  given.finalize_on_demand = 1;
  assert_int_equal(vgc_init(&given), 0);
}

static void one_round(void) {
  pthread_t thread;
  start();
  probe_in_thread(make_objects, NULL);
  must(collect_now(COLLECT_EXPLICIT));
  assert_true(vgc_finalizers_due() > 0);
  assert_int_equal(pthread_create(&thread, NULL, end_without_leaving, NULL), 0);
  assert_int_equal(pthread_join(thread, NULL), 0);
  assert_int_equal(vgc_shutdown(), 0);
  assert_int_equal(vgc_finalizers_due(), 0);
  assert_int_equal(calls, 0);
}

static void the_last_thread_takes_over(void **state) {
  (void)state;
  late = late_key_make(destroy_late);
  one_round();
  one_round();
  start();
  assert_int_equal(vgc_finalize(), 0);
  assert_int_equal(vgc_collect(), 0);
  assert_int_equal(calls, 0);
  pthread_key_delete(late);
}

BUG(O03) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(the_last_thread_takes_over, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("O03", tests, NULL, NULL);
}
