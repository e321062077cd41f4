/* O08: a thread leaves the registry, and only then gives its spans back: a collection in between finds spans whose
 * owner no stop reaches, and nobody else can use them.
 *
 * The thread is held right after it has left. Its spans are everybody's by then: what it left is collected, and the
 * slots are issued to another thread. */
#include "bug.h"
#include "probe.h"

enum { SIZE = 512, OBJECTS = 128 };

static uintptr_t hidden[OBJECTS];
static void *fresh[4 * OBJECTS];

static void *make_objects(void *arg) {
  for (unsigned i = 0; i < OBJECTS; i++) hidden[i] = hide(vgc_malloc(SIZE));
  return arg;
}

static bool among_the_dead(const void *object) {
  for (unsigned i = 0; i < OBJECTS; i++)
    if (reveal(hidden[i]) == object) return true;
  return false;
}

static void its_spans_are_not_its_own(void **state) {
  (void)state;
  start_quiet();
  struct park *window = park_arm("thread_exit_after_deregister");
  pthread_t thread;
  must(pthread_create(&thread, NULL, make_objects, NULL) == 0);
  park_await(window);
  unsigned owned = 0, again = 0;
  for (unsigned i = 0; i < OBJECTS; i++) {
    const struct span *span = span_of((uintptr_t)reveal(hidden[i]));
    owned += span && load_relaxed(&span->owner);
  }
  must(vgc_collect() == 0);
  for (unsigned i = 0; i < 4 * OBJECTS; i++) again += among_the_dead(fresh[i] = vgc_malloc(SIZE));
  park_release(window);
  must(pthread_join(thread, NULL) == 0);
  assert_int_equal(owned, 0);
  assert_in_range(again, OBJECTS / 2, OBJECTS);
}

BUG(O08) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(its_spans_are_not_its_own, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("O08", tests, NULL, NULL);
}
