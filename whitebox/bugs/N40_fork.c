/* N40: fork while other threads hold locks and are at work.
 *
 * The child has one thread. It must find no lock held by a thread that it does not have, drop the others' records, and
 * be able to allocate, free and collect. */
#include "bug.h"
#include "forked.h"

enum { SIZE = 208, DEADLINE_S = 4 };

static void *kept[200];

static void use_heap(void *unused) {
  (void)unused;
  struct vgc_stats stats = {.struct_size = sizeof stats};
  must(thread_records() == 1);
  for (unsigned round = 0; round < 3; round++) {
    for (unsigned i = 0; i < 200; i++) must((kept[i] = vgc_malloc(SIZE)));
    must((kept[0] = vgc_malloc(100000)));
    must(vgc_collect() == 0);
    for (unsigned i = 0; i < 200; i += 2) {
      vgc_free(kept[i]);
      kept[i] = NULL;
    }
  }
  must(vgc_get_stats(&stats) == 0);
  must(stats.threads == 1 && stats.cycles >= 3);
}

/* Takes a lock by what allocating needs. */
static void allocate_small(void *unused) {
  (void)unused;
  must(vgc_malloc(SIZE));
}

static void allocate_large(void *unused) {
  (void)unused;
  must(vgc_malloc(300000));
}

static void *nothing(void *arg) { return arg; }

static void start_thread(void *unused) {
  (void)unused;
  pthread_t thread;
  must(pthread_create(&thread, NULL, nothing, NULL) == 0 && pthread_join(thread, NULL) == 0);
}

static void class_lock(void **state) {
  (void)state;
  forked_while_at("central_take_before_unlock", allocate_small, use_heap);
}

static void pages_lock(void **state) {
  (void)state;
  forked_while_at("span_before_publish", allocate_large, use_heap);
}

static void registry_lock(void **state) {
  (void)state;
  forked_while_at("thread_before_running", start_thread, use_heap);
}

/* The others' objects go with them, the forking thread's stay. */
static void dead_peers(void **state) {
  (void)state;
  struct worker workers[3];
  struct child_result result;
  for (unsigned i = 0; i < 3; i++) {
    worker_start(&workers[i]);
    worker_do(&workers[i], allocate_small, NULL);
  }
  child_run(use_heap, NULL, DEADLINE_S, &result);
  for (unsigned i = 0; i < 3; i++) worker_stop(&workers[i]);
  if (result.timed_out || result.exit_code != 0) fail_msg("%s", result.text);
}

BUG(N40) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(class_lock, fault_reset, park_reset),
                                     cmocka_unit_test_setup_teardown(pages_lock, fault_reset, park_reset),
                                     cmocka_unit_test_setup_teardown(registry_lock, fault_reset, park_reset),
                                     cmocka_unit_test_setup_teardown(dead_peers, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("N40", tests, NULL, NULL);
}
