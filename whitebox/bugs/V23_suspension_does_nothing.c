/* V23: a port has no thread handles, so a stop skips every thread and the collector runs beside the program.
 *
 * Each registered thread has a handle of its own, and a collection suspends every one of them. */
#include "bug.h"
#include "objects.h"

enum { THREADS = 3 };
static struct worker workers[THREADS];
static int ids[THREADS];

static void tell_id(void *id) {
  must(thread_self());
  *(int *)id = thread_self()->tid;
  must(*(int *)id == gettid());
}

static unsigned standing;

static void count_standing(void *arg) {
  (void)arg;
  for (const struct thread *thread = thread_first(); thread; thread = thread->next)
    standing += thread != thread_self() && thread->position == &thread->stopped &&
                load_acquire(&thread->stop_epoch) == world_epoch();
}

static void every_thread_is_suspended(void **state) {
  (void)state;
  assert_non_null(vgc_malloc(64));
  for (unsigned i = 0; i < THREADS; i++) {
    worker_start(&workers[i]);
    worker_do(&workers[i], tell_id, &ids[i]);
    assert_true(ids[i] > 0 && ids[i] != gettid());
    for (unsigned j = 0; j < i; j++) assert_int_not_equal(ids[i], ids[j]);
  }
  park_arm_call("collect_stopped", count_standing, NULL);
  assert_int_equal(vgc_collect(), 0);
  assert_int_equal(standing, THREADS);
  assert_int_equal(stats_now().suspensions, THREADS);
  for (unsigned i = 0; i < THREADS; i++) worker_stop(&workers[i]);
}

BUG(V23) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(every_thread_is_suspended, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("V23", tests, NULL, NULL);
}
