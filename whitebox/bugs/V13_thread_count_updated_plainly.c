/* V13: the number of live threads is written under a lock and read without it, both plainly.
 *
 * Threads leave while another reads the count and synchronizes with none of them. The count comes back to one, and the
 * race detector has nothing to say. */
#include "bug.h"
#include "probe.h"

#include <sched.h>

enum { THREADS = 4 };
static pthread_barrier_t born, leave;

static void *live(void *arg) {
  must(vgc_malloc(64));
  pthread_barrier_wait(&born);
  pthread_barrier_wait(&leave);
  return arg;
}

static void count_is_read_without_a_lock(void **state) {
  (void)state;
  start_quiet();
  pthread_barrier_init(&born, NULL, THREADS + 1);
  pthread_barrier_init(&leave, NULL, THREADS + 1);
  pthread_t threads[THREADS];
  for (unsigned i = 0; i < THREADS; i++) assert_int_equal(pthread_create(&threads[i], NULL, live, NULL), 0);
  pthread_barrier_wait(&born);
  assert_int_equal(thread_count(), THREADS + 1);
  pthread_barrier_wait(&leave);
  /* Nothing but the count itself tells this thread that the others have gone. */
  while (thread_count() != 1) sched_yield();
  for (unsigned i = 0; i < THREADS; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
  assert_int_equal(thread_count(), 1);
}

BUG(V13) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(count_is_read_without_a_lock, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("V13", tests, NULL, NULL);
}
