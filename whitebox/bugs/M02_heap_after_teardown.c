/* M02: the heap after a thread has left, on its way out.
 *
 * A destructor of the last round detaches the thread. What it allocates and frees after that works, and what its stack
 * then holds is live. */
#include "bug.h"
#include "late_key.h"
#include "meeting.h"

static pthread_key_t key;
static struct meeting held, done;
static _Atomic unsigned round_number;
static _Atomic bool left_before;

static void destroy(void *object) {
  if (atomic_fetch_add(&round_number, 1) + 1 < DESTRUCTOR_ROUNDS) {
    pthread_setspecific(key, object);
    return;
  }
  must(vgc_thread_detach() == 0);
  left_before = !thread_self();
  vgc_free(object);
  uint64_t *volatile late = vgc_malloc(160);
  must(late);
  late[0] = 815;
  meeting_wait(&held);
  meeting_wait(&done);
  must(vgc_base_of(late) == late && late[0] == 815);
  vgc_free(late);
}

static void *run(void *arg) {
  void *object = vgc_malloc_uncollectable(160);
  must(object && pthread_setspecific(key, object) == 0);
  return arg;
}

static void works(void **state) {
  (void)state;
  struct vgc_stats stats = {.struct_size = sizeof stats};
  pthread_t thread;
  must(vgc_malloc(16));
  meeting_init(&held, 2);
  meeting_init(&done, 2);
  must(pthread_key_create(&key, destroy) == 0);
  assert_int_equal(pthread_create(&thread, NULL, run, NULL), 0);
  meeting_wait(&held);
  assert_int_equal(vgc_get_stats(&stats), 0);
  assert_int_equal(stats.threads, 2);
  assert_int_equal(stats.objects_freed, 1);
  assert_int_equal(vgc_collect(), 0);
  meeting_wait(&done);
  assert_int_equal(pthread_join(thread, NULL), 0);
  assert_int_equal(vgc_get_stats(&stats), 0);
  assert_int_equal(stats.objects_freed, 2);
  assert_true(left_before);
}

BUG(M02) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(works, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("M02", tests, NULL, NULL);
}
