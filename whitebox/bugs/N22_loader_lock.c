/* N22: the loader's lock.
 *
 * A thread may be suspended inside dl_iterate_phdr or dlopen, holding that lock. So the collector does not take it with
 * the world stopped; and if it needs a new list of the loaded objects, it waits for the lock while all others run. */
#include <dlfcn.h>
#include <link.h>

#include "bug.h"
#include "hidden.h"
#include "meeting.h"

enum { SIZE = 1040 };

struct inside {
  struct meeting entered;
  struct meeting leave; /* or: */
  struct park *lister;  /* the collector, as it comes for the lock */
  void *object;
};

static int callback(struct dl_phdr_info *info, size_t size, void *arg) {
  (void)info, (void)size;
  struct inside *inside = arg;
  meeting_wait(&inside->entered);
  if (inside->lister) {
    park_await(inside->lister);
    park_release(inside->lister);
  } else {
    meeting_wait(&inside->leave);
  }
  /* A thread that holds the loader's lock may allocate, and so wait for locks of ours. */
  inside->object = vgc_malloc(64);
  return 1;
}

static void *iterate(void *arg) {
  dl_iterate_phdr(callback, arg);
  return NULL;
}

static void assert_running(void *unused) {
  (void)unused;
  must(!world_is_stopped());
}

static pthread_t enter(struct inside *inside) {
  pthread_t thread;
  meeting_init(&inside->entered, 2);
  meeting_init(&inside->leave, 2);
  must(pthread_create(&thread, NULL, iterate, inside) == 0);
  meeting_wait(&inside->entered);
  return thread;
}

static void stopped_inside(void **state) {
  (void)state;
  struct inside inside = {0};
  assert_int_equal(vgc_collect(), 0);
  park_arm_each("modules_before_list", assert_running, NULL);
  pthread_t thread = enter(&inside);
  for (unsigned i = 0; i < 3; i++) assert_int_equal(vgc_collect(), 0);
  meeting_wait(&inside.leave);
  assert_int_equal(pthread_join(thread, NULL), 0);
  assert_non_null(inside.object);
}

static void waited_for(void **state) {
  (void)state;
  struct inside inside = {0};
  struct hidden_control control;
  assert_int_equal(vgc_collect(), 0);
  void *module = dlopen(BUG_MODULE, RTLD_NOW);
  assert_non_null(module);
  uintptr_t hidden = hidden_make(SIZE);
  hidden_control_make(&control);
  hidden_reveal(hidden, dlsym(module, "bug_module_data"));
  stack_scrub();
  park_arm_each("modules_before_list", assert_running, NULL);
  inside.lister = park_arm_thread("modules_before_list", pthread_self());
  pthread_t thread = enter(&inside);
  assert_int_equal(vgc_collect(), 0);
  assert_int_equal(pthread_join(thread, NULL), 0);
  assert_non_null(inside.object);
  assert_true(hidden_control_died(&control));
  assert_true(hidden_alive(hidden, SIZE));
}

BUG(N22) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(stopped_inside, fault_reset, park_reset),
                                     cmocka_unit_test_setup_teardown(waited_for, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("N22", tests, NULL, NULL);
}
