/* V21: a thread that is registered already registers again.
 *
 * The collector then sees another thread with the collector's own id, or one whose handler answers for the wrong
 * record, and waits for ever. A thread has one record, whatever it does first: allocate, attach, initialise. */
#include "bug.h"
#include "objects.h"

#include <errno.h>

static struct worker worker;

static unsigned own_records(void) {
  unsigned records = 0;
  thread_registry_lock();
  for (const struct thread *thread = thread_first(); thread; thread = thread->next)
    records += thread->tid == platform_thread_id();
  thread_registry_unlock();
  return records;
}

static void register_in_every_way(void *arg) {
  (void)arg;
  must(vgc_malloc(64));
  must(own_records() == 1);
  must(vgc_thread_attach() == -1 && errno == EALREADY);
  must(vgc_init(NULL) == -1 && errno == EALREADY);
  must(own_records() == 1);
  must(vgc_thread_detach() == 0);
  must(own_records() <= 1); /* one may wait for the joiner */
  must(vgc_malloc(64));     /* registers by itself */
  must(vgc_thread_attach() == -1 && errno == EALREADY);
  must(own_records() == 1);
}

static void thread_has_one_record(void **state) {
  (void)state;
  register_in_every_way(NULL);
  worker_start(&worker);
  worker_do(&worker, register_in_every_way, NULL);
  assert_int_equal(stats_now().threads, 2);
  assert_int_equal(vgc_collect(), 0);
  assert_int_equal(stats_now().suspensions, 1);
  worker_stop(&worker);
  assert_int_equal(stats_now().threads, 1);
}

BUG(V21) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(thread_has_one_record, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("V21", tests, NULL, NULL);
}
