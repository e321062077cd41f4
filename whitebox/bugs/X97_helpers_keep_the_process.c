/* X97: the library's own threads keep a process alive whose program has ended.
 *
 * The main thread leaves by pthread_exit, and so does the last other thread; then the process ends by itself, with 0,
 * unless some thread is left. */
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "bug.h"

static void *volatile keep[1000]; /* volatile: nobody reads it but the collector */

static void hire(void) {
  must(vgc_init(&(struct vgc_config){
           .struct_size = sizeof(struct vgc_config), .mark_workers = 3, .minimum_heap = 1, .trim_ms = 1000}) == 0);
  for (unsigned i = 0; i < 1000; i++) must(keep[i] = vgc_malloc(100));
  must(vgc_collect() == 0);
  must(mark_team_helpers() == 2);
}

static void *other(void *main_thread) {
  must(pthread_join(*(pthread_t *)main_thread, NULL) == 0);
  must(vgc_collect() == 0);
  must(mark_team_helpers() == 2);
  return NULL;
}

/* Before AddressSanitizer looks for what a fork left behind. */
static void leave(void) { _exit(0); }

static void end_by_exit_of_each_thread(void *unused) {
  static pthread_t self, thread;
  (void)unused;
  must(atexit(leave) == 0);
  hire();
  self = pthread_self();
  must(pthread_create(&thread, NULL, other, &self) == 0);
  pthread_exit(NULL);
}

static void the_process_ends(void **state) {
  (void)state;
  if (UNDER_TSAN) not_applicable("ThreadSanitizer's own thread keeps such a process");
  struct child_result result;
  child_run(end_by_exit_of_each_thread, NULL, 5, &result);
  if (result.exit_code != 0) print_error("signal %d: %s", result.signal, result.text);
  assert_int_equal(result.signal, 0);
  assert_int_equal(result.exit_code, 0);
}

BUG(X97) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(the_process_ends, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("X97", tests, NULL, NULL);
}
