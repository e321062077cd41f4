/* Threads that the library does not see start: made by libc's own pthread_create, as a library that was loaded before
 * might. */
#include <dlfcn.h>
#include <pthread.h>

#include "unit.h"

static size_t records_before;

static int setup(void **state) {
  int result = unit_setup(state);
  unit_keep_errors();
  records_before = thread_records();
  return result;
}

/* Runs step(arg) in a foreign thread, to its end. */
static void in_foreign_thread(void (*step)(void *), void *arg) {
  static int (*create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
  static int (*join)(pthread_t, void **);
  if (UNDER_TSAN || UNDER_ASAN) not_applicable("a sanitizer must see each thread start");
  void *found = dlsym(RTLD_NEXT, "pthread_create");
  memcpy(&create, &found, sizeof create);
  found = dlsym(RTLD_NEXT, "pthread_join");
  memcpy(&join, &found, sizeof join);
  pthread_t thread;
  void *(*start)(void *);
  memcpy(&start, &step, sizeof start); /* its result is not looked at */
  assert_int_equal(create(&thread, NULL, start, arg), 0);
  assert_int_equal(join(thread, NULL), 0);
}

static void attach_and_detach(void *arg) {
  (void)arg;
  must(thread_self() == NULL);
  must(vgc_thread_detach() == -1 && errno == EPERM);
  must(vgc_thread_attach() == 0);
  must(thread_self() != NULL && thread_count() == 2);
  must(vgc_thread_attach() == -1 && errno == EALREADY);
  must(vgc_malloc(100) != NULL);
  must(vgc_thread_detach() == 0);
  must(thread_count() == 1);
}

static void a_foreign_thread_may_attach(void **state) {
  (void)state;
  in_foreign_thread(attach_and_detach, NULL);
  assert_int_equal(thread_records(), records_before);
  assert_int_equal(stats_now().live_objects, 1);
}

static void allocate(void *arg) {
  *(void **)arg = vgc_malloc(100);
  must(thread_self() != NULL);
}

/* Registered by its first allocation, it leaves when it ends: nobody joins it by a function of ours. */
static void its_first_allocation_registers_it(void **state) {
  (void)state;
  static void *objects[3];
  for (unsigned i = 0; i < 3; i++) in_foreign_thread(allocate, &objects[i]);
  assert_int_equal(vgc_collect(), 0);
  assert_int_equal(thread_count(), 1);
  assert_int_equal(thread_records(), records_before);
  for (unsigned i = 0; i < 3; i++) assert_true(unit_alive(objects[i]));
  memset(objects, 0, sizeof objects);
}

static void use_unregistered(void *arg) {
  char **objects = arg;
  must(vgc_base_of(objects[0] + 10) == objects[0]);
  must(vgc_usable_size(objects[0]) > 0);
  must(thread_self() == NULL);
  vgc_free(objects[0]);
  vgc_free(objects[1]);
  vgc_free(NULL);
}

static void it_may_look_up_and_free(void **state) {
  (void)state;
  char *objects[] = {vgc_malloc(100), vgc_malloc(100000)};
  in_foreign_thread(use_unregistered, objects);
  assert_false(unit_alive(objects[0]) || unit_alive(objects[1]));
  assert_int_equal(unit_errors.count, 0);
  assert_int_equal(stats_now().live_objects, 0);
  assert_int_equal(stats_now().objects_freed, 2);
}

/* ---- Without memory for another record ---- */

static void *end(void *arg) { return arg; }

static void be_refused(void *arg) {
  char **objects = arg;
  struct vgc_stats stats = {.struct_size = sizeof stats};
#define REFUSED(call) must((errno = 0, call) && errno == ENOMEM)
  REFUSED(vgc_thread_attach() == -1);
  REFUSED(vgc_malloc(16) == NULL);
  REFUSED(vgc_malloc(100000) == NULL);
  REFUSED(vgc_collect() == -1);
  REFUSED(vgc_get_stats(&stats) == -1);
  must(vgc_trim() == 0);
  vgc_blocking_enter(); /* without effect: it is not scanned anyway */
  vgc_disable();        /* which needs no record */
  vgc_enable();
  must(thread_self() == NULL);
  /* What is freed is free, whoever counts it. */
  vgc_free(objects[0]);
  vgc_free(objects[1]);
}

static void without_a_record_it_is_refused(void **state) {
  if (UNDER_TSAN || UNDER_ASAN) not_applicable("a sanitizer must see each thread start");
  char *objects[] = {vgc_malloc(100), vgc_malloc(100000)};
  pthread_t ended[200];
  unsigned count = 0;
  fault_fail(FAULT_RESERVE, 0, ~0ul);
  while (count < 200 && pthread_create(&ended[count], NULL, end, NULL) == 0) count++;
  assert_in_range(count, 1, 199);
  in_foreign_thread(be_refused, objects);
  fault_reset(state);
  for (unsigned i = 0; i < count; i++) assert_int_equal(pthread_join(ended[i], NULL), 0);
  assert_int_equal(unit_errors.count, 0);
  assert_false(unit_alive(objects[0]) || unit_alive(objects[1]));
  assert_int_equal(vgc_collect(), 0);
}

UNIT(thread) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, unit_teardown)
  const struct CMUnitTest tests[] = {
      TEST(a_foreign_thread_may_attach),
      TEST(its_first_allocation_registers_it),
      TEST(it_may_look_up_and_free),
      TEST(without_a_record_it_is_refused),
  };
  return cmocka_run_group_tests_name("thread", tests, NULL, NULL);
}
