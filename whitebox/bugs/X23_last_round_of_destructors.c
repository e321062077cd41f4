/* X23: an object that only a destructor of a thread's last round will touch.
 *
 * The key's value, and what the thread's own variables refer to, stay alive until then, whatever keys the program has
 * and whenever it made them. */
#include "bug.h"
#include "hidden.h"
#include "late_key.h"
#include "meeting.h"

enum { SIZE = 304 };

static pthread_key_t before, after; /* in each round, the destructor of `before` runs first */
static _Thread_local void *own;
static uintptr_t value, variable;
static struct meeting waiting, collected;
static _Atomic unsigned first_rounds, second_rounds;

static void reveal_value(void) {
  void *object;
  hidden_reveal(value, &object);
  must(pthread_setspecific(after, object) == 0);
}

static void destroy_before(void *arg) {
  if (atomic_fetch_add(&first_rounds, 1) + 1 < DESTRUCTOR_ROUNDS) {
    must(pthread_setspecific(before, arg) == 0);
    return;
  }
  meeting_wait(&waiting);
  meeting_wait(&collected);
}

static void destroy_after(void *arg) {
  if (atomic_fetch_add(&second_rounds, 1) + 1 < DESTRUCTOR_ROUNDS) {
    must(pthread_setspecific(after, arg) == 0);
    return;
  }
  must((uintptr_t)arg == ~value && vgc_base_of(arg) == arg);
  must((uintptr_t)own == ~variable && vgc_base_of(own) == own);
}

static void *run(void *arg) {
  hidden_reveal(variable, &own);
  reveal_value();
  must(pthread_setspecific(before, &before) == 0);
  return arg;
}

static void alive_in_the_last_round(pthread_key_t (*make)(void (*)(void *))) {
  struct hidden_control control;
  must(vgc_malloc(16));
  before = make(destroy_before);
  after = make(destroy_after);
  assert_true(before < after);
  meeting_init(&waiting, 2);
  meeting_init(&collected, 2);
  first_rounds = second_rounds = 0;
  value = hidden_make(SIZE);
  variable = hidden_make(SIZE);
  hidden_control_make(&control);
  pthread_t thread;
  assert_int_equal(pthread_create(&thread, NULL, run, NULL), 0);
  meeting_wait(&waiting);
  assert_int_equal(vgc_collect(), 0);
  bool died = hidden_control_died(&control), kept = hidden_alive(value, SIZE) && hidden_alive(variable, SIZE);
  meeting_wait(&collected);
  assert_int_equal(pthread_join(thread, NULL), 0);
  assert_true(died);
  assert_true(kept);
  assert_int_equal(second_rounds, DESTRUCTOR_ROUNDS);
  pthread_key_delete(before);
  pthread_key_delete(after);
}

static pthread_key_t early_key_make(void (*destructor)(void *)) {
  pthread_key_t key;
  must(pthread_key_create(&key, destructor) == 0);
  return key;
}

static void early_keys(void **state) {
  (void)state;
  alive_in_the_last_round(early_key_make);
}

static void late_keys(void **state) {
  (void)state;
  alive_in_the_last_round(late_key_make);
}

BUG(X23) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(early_keys, fault_reset, park_reset),
                                     cmocka_unit_test_setup_teardown(late_keys, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("X23", tests, NULL, NULL);
}
