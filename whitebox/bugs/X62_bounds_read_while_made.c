/* X62: an address is looked up while the library comes up, and the reader races for the bounds of the first arena.
 *
 * The arena holds nothing before its size is published, so the answer is right either way; but the base is read beside
 * the size, whatever that says, and nothing orders the two threads. */
#include <sched.h>

#include "bug.h"
#include "objects.h"

/* Relaxed: they tell who is how far, and order nothing. */
static _Atomic bool looked_up, is_up;

static void *look_up(void *arg) {
  must(!vgc_base_of(arg));
  store_relaxed(&looked_up, true);
  while (!load_relaxed(&is_up)) sched_yield();
  return NULL;
}

static void looked_up_while_the_library_comes_up(void **state) {
  (void)state;
  pthread_t thread;
  int local = 0;
  must(pthread_create(&thread, NULL, look_up, &local) == 0);
  while (!load_relaxed(&looked_up)) sched_yield();
  struct vgc_config wanted = config_quiet();
  assert_int_equal(vgc_init(&wanted), 0);
  store_relaxed(&is_up, true);
  must(pthread_join(thread, NULL) == 0);
  assert_null(vgc_base_of(&local));
}

BUG(X62) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(looked_up_while_the_library_comes_up, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("X62", tests, NULL, NULL);
}
