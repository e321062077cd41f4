/* N44: destructors of pthread keys that allocate, in every round, before vgc's own and after it.
 *
 * What they allocate is usable, and nothing of the thread stays behind: no record, and nobody signals its id, which may
 * be a stranger's by then. So too if a destructor of the last round has detached the thread. */
#include "bug.h"
#include "late_key.h"

enum { THREADS = 8, ROUNDS = DESTRUCTOR_ROUNDS };

static pthread_key_t early, late;
static bool detaching;
static _Atomic unsigned calls;

/* The value counts the rounds. */
static void allocate_again(pthread_key_t key, void *value) {
  uintptr_t round = (uintptr_t)value;
  atomic_fetch_add(&calls, 1);
  if (round == ROUNDS && detaching) must(vgc_thread_detach() == 0);
  char *object = vgc_malloc(48);
  must(object);
  memset(object, 1, 48);
  if (round < ROUNDS) pthread_setspecific(key, (void *)(round + 1));
}

static void destroy_early(void *value) { allocate_again(early, value); }

static void destroy_late(void *value) { allocate_again(late, value); }

static void *run(void *arg) {
  must(pthread_setspecific(early, (void *)1) == 0 && pthread_setspecific(late, (void *)1) == 0);
  return arg;
}

static void nothing_stays(void) {
  struct vgc_stats stats = {.struct_size = sizeof stats};
  must(vgc_malloc(16));
  must(pthread_key_create(&early, destroy_early) == 0);
  late = late_key_make(destroy_late);
  size_t records = thread_records();
  for (unsigned i = 0; i < THREADS; i++) {
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, run, NULL), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    fault_reset(NULL);
    assert_int_equal(vgc_collect(), 0);
    assert_int_equal(fault_count(FAULT_SIGNAL), 0);
    assert_int_equal(thread_records(), records);
    assert_int_equal(vgc_get_stats(&stats), 0);
    assert_int_equal(stats.threads, 1);
  }
  assert_int_equal(atomic_exchange(&calls, 0), THREADS * 2 * ROUNDS);
  pthread_key_delete(early);
  pthread_key_delete(late);
}

static void registered_all_along(void **state) {
  (void)state;
  detaching = false;
  nothing_stays();
}

static void registered_again(void **state) {
  (void)state;
  detaching = true;
  nothing_stays();
}

BUG(N44) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(registered_all_along, fault_reset, park_reset),
                                     cmocka_unit_test_setup_teardown(registered_again, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("N44", tests, NULL, NULL);
}
