/* N21: thread-local storage.
 *
 * The only reference lies in a _Thread_local variable of the program or of a loaded module, or is the value of a
 * pthread key: of the collecting thread and of another. */
#include <dlfcn.h>

#include "bug.h"
#include "hidden.h"
#include "meeting.h"

enum { SIZE = 576, KEYS = 70, PLACES = 4 };

static _Thread_local void *variable[2];
static void **(*module_variable)(void);
static pthread_key_t keys[KEYS]; /* values of the later ones lie outside the thread's structure */

struct user {
  uintptr_t hidden[PLACES];
  struct meeting held, done;
};

static const char *const places[PLACES] = {"a thread-local variable", "a module's thread-local variable",
                                           "the first pthread key", "the last pthread key"};

static void hold(uintptr_t *hidden) {
  void *value;
  hidden_reveal(hidden[0], &variable[1]);
  hidden_reveal(hidden[1], module_variable());
  hidden_reveal(hidden[2], &value);
  must(pthread_setspecific(keys[0], value) == 0);
  hidden_reveal(hidden[3], &value);
  must(pthread_setspecific(keys[KEYS - 1], value) == 0);
  value = NULL;
  KEEP_ALIVE(&value);
}

static void check(const uintptr_t *hidden) {
  for (unsigned i = 0; i < PLACES; i++)
    if (!hidden_alive(hidden[i], SIZE)) fail_msg("an object that only %s held was reclaimed", places[i]);
}

static int load(void **state) {
  (void)state;
  void *module = dlopen(BUG_MODULE, RTLD_NOW);
  if (!module) return -1;
  void *symbol = dlsym(module, "bug_module_variable");
  memcpy(&module_variable, &symbol, sizeof module_variable);
  for (unsigned i = 0; i < KEYS; i++) must(pthread_key_create(&keys[i], NULL) == 0);
  return module_variable ? 0 : -1;
}

static void of_the_collecting_thread(void **state) {
  (void)state;
  uintptr_t hidden[PLACES];
  struct hidden_control control;
  for (unsigned i = 0; i < PLACES; i++) hidden[i] = hidden_make(SIZE);
  hidden_control_make(&control);
  hold(hidden);
  stack_scrub();
  assert_int_equal(vgc_collect(), 0);
  assert_true(hidden_control_died(&control));
  check(hidden);
}

static void *use(void *arg) {
  struct user *user = arg;
  hold(user->hidden);
  stack_scrub();
  meeting_wait(&user->held);
  meeting_wait(&user->done);
  return NULL;
}

static void of_another_thread(void **state) {
  (void)state;
  struct user user;
  struct hidden_control control;
  pthread_t thread;
  for (unsigned i = 0; i < PLACES; i++) user.hidden[i] = hidden_make(SIZE);
  hidden_control_make(&control);
  meeting_init(&user.held, 2);
  meeting_init(&user.done, 2);
  assert_int_equal(pthread_create(&thread, NULL, use, &user), 0);
  meeting_wait(&user.held);
  assert_int_equal(vgc_collect(), 0);
  assert_true(hidden_control_died(&control));
  check(user.hidden);
  meeting_wait(&user.done);
  assert_int_equal(pthread_join(thread, NULL), 0);
}

BUG(N21) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(of_the_collecting_thread, fault_reset, park_reset),
                                     cmocka_unit_test_setup_teardown(of_another_thread, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("N21", tests, load, NULL);
}
