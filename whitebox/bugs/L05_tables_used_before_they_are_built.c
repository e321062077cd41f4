/* L05: the loser of a race for first use goes on with tables that the winner has not built.
 *
 * One thread initialises the library and stands in the middle of it. Another asks for it meanwhile: it waits, and then
 * finds everything in place. */
#include "bug.h"

#include <sched.h>

static struct worker winner, loser;

static void use_first(void *arg) {
  (void)arg;
  must(init_ensure());
  must(load_acquire(&arenas_count) != 0);
  must(sizeclass_table[SIZECLASS_COUNT - 1].slots != 0);
  void *object = vgc_malloc(64);
  must(object && vgc_base_of(object) == object);
}

static void loser_waits_for_the_winner(void **state) {
  (void)state;
  worker_start(&winner);
  worker_start(&loser);
  struct park *window = park_arm_thread("arena_before_publish", winner.thread);
  worker_begin(&winner, use_first, NULL);
  park_await(window);
  unsigned long locks = fault_count(FAULT_LOCK);
  worker_begin(&loser, use_first, NULL);
  /* It has come to the lock that the winner holds, and cannot pass. */
  while (fault_count(FAULT_LOCK) == locks) sched_yield();
  park_release(window);
  worker_finish(&winner);
  worker_finish(&loser);
  worker_stop(&winner);
  worker_stop(&loser);
}

BUG(L05) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(loser_waits_for_the_winner, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("L05", tests, NULL, NULL);
}
