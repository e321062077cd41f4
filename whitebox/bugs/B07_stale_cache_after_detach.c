/* B07: a thread that allocates again after it has detached.
 *
 * It may not go on with the cache that it gave back, which is another thread's by then: it registers anew, and so is
 * stopped and scanned. */
#include "bug.h"
#include "meeting.h"

enum { SIZE = 272 };

struct returner {
  uintptr_t hidden;
  struct cache *cache;
  struct meeting detached, taken, held, done;
};

static void *detach_and_return(void *arg) {
  struct returner *returner = arg;
  must(vgc_malloc(SIZE) && vgc_thread_detach() == 0);
  meeting_wait(&returner->detached);
  meeting_wait(&returner->taken);
  uint64_t *volatile held = vgc_malloc(SIZE);
  must(held);
  held[0] = 4711;
  returner->cache = cache_current;
  returner->hidden = ~(uintptr_t)held;
  meeting_wait(&returner->held);
  meeting_wait(&returner->done);
  must(vgc_base_of(held) == held && held[0] == 4711);
  return NULL;
}

static void take(void *arg) {
  must(vgc_malloc(SIZE));
  *(struct cache **)arg = cache_current;
}

static void registers_anew(void **state) {
  (void)state;
  struct returner returner = {0};
  struct worker worker;
  struct cache *taken;
  struct vgc_stats stats = {.struct_size = sizeof stats};
  meeting_init(&returner.detached, 2);
  meeting_init(&returner.taken, 2);
  meeting_init(&returner.held, 2);
  meeting_init(&returner.done, 2);
  worker_start(&worker);
  pthread_t thread;
  assert_int_equal(pthread_create(&thread, NULL, detach_and_return, &returner), 0);
  meeting_wait(&returner.detached);
  worker_do(&worker, take, &taken);
  meeting_wait(&returner.taken);
  meeting_wait(&returner.held);
  assert_ptr_not_equal(returner.cache, taken);
  assert_int_equal(vgc_get_stats(&stats), 0);
  assert_int_equal(stats.threads, 3);
  assert_int_equal(vgc_collect(), 0);
  meeting_wait(&returner.done);
  assert_int_equal(pthread_join(thread, NULL), 0);
  worker_stop(&worker);
}

BUG(B07) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(registers_anew, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("B07", tests, NULL, NULL);
}
