/* X98: a helper that leaves without having worked is waited for by those who have nothing left to scan.
 *
 * There is no memory for its stack. The collector, which counted on it, must see that it is alone. */
#include <semaphore.h>

#include "bug.h"
#include "objects.h"

static void *keep[1000];
static sem_t joined, asleep;

static void tell(void *semaphore) { sem_post(semaphore); }

static void await(void *semaphore) {
  while (sem_wait(semaphore) != 0) continue;
}

/* The helper stays where it has joined until the collector sleeps for want of work. */
static void meet(void *unused) {
  (void)unused;
  sem_post(&joined);
  await(&asleep);
}

static void marking_ends(void **state) {
  (void)state;
  sem_init(&joined, 0, 0);
  sem_init(&asleep, 0, 0);
  struct vgc_config wanted = config_quiet();
  wanted.mark_workers = 2;
  wanted.minimum_heap = 1;
  assert_int_equal(vgc_init(&wanted), 0);
  vgc_disable();
  for (unsigned i = 0; i < 1000; i++) must(keep[i] = vgc_malloc(100));
  vgc_enable();
  assert_int_equal(vgc_collect(), 0);
  assert_int_equal(mark_team_helpers(), 1);
  park_arm_call("mark_team_joined", meet, NULL);
  park_arm_call("mark_after_roots", await, &joined);
  park_arm_call("mark_team_waits", tell, &asleep);
  fault_fail(FAULT_RESERVE, 0, ~0ul);
  assert_int_equal(vgc_collect(), 0);
  assert_true(fault_failed(FAULT_RESERVE) > 0);
  fault_reset(state);
  for (unsigned i = 0; i < 1000; i++) assert_ptr_equal(vgc_base_of(keep[i]), keep[i]);
}

BUG(X98) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(marking_ends, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("X98", tests, NULL, NULL);
}
