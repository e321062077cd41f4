/* X22: a thread that registers again after the last turn of vgc's key.
 *
 * Nothing of vgc may run in it in a further round: ThreadSanitizer has taken its own state of the thread down by then.
 * The thread's death is noticed, and it is reaped. */
#include "bug.h"
#include "late_key.h"

static pthread_key_t key;
static _Atomic bool again;

/* The value counts the rounds. */
static void destroy(void *value) {
  uintptr_t round = (uintptr_t)value;
  if (round < DESTRUCTOR_ROUNDS) {
    pthread_setspecific(key, (void *)(round + 1));
    return;
  }
  must(vgc_thread_detach() == 0 && !thread_self());
  must(vgc_malloc(48) && thread_self());
  again = true;
}

static void *run(void *arg) {
  must(pthread_setspecific(key, (void *)1) == 0);
  return arg;
}

static void register_again(void *unused) {
  (void)unused;
  struct vgc_stats stats = {.struct_size = sizeof stats};
  must(vgc_malloc(16));
  size_t records = thread_records();
  key = late_key_make(destroy);
  pthread_t thread;
  must(pthread_create(&thread, NULL, run, NULL) == 0);
  must(pthread_join(thread, NULL) == 0);
  must(again);
  must(vgc_get_stats(&stats) == 0 && stats.threads == 1);
  must(thread_records() == records);
}

static void no_further_turn(void **state) {
  (void)state;
  struct child_result result;
  child_run(register_again, NULL, 20, &result);
  if (result.exit_code != 0) print_message("%s\n", result.text);
  assert_int_equal(result.exit_code, 0);
}

BUG(X22) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(no_further_turn)};
  return cmocka_run_group_tests_name("X22", tests, NULL, NULL);
}
