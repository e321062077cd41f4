/* M14: the library is unloaded while threads have a value for its key; its destructor is called where nothing is
 * mapped.
 *
 * A process loads the shared library, uses it in a thread, and unloads it while that thread goes on. The thread ends,
 * and so does another that is started afterwards: the library has stayed. */
#include <dlfcn.h>

#include "bug.h"

enum { DEADLINE_S = 20 };

typedef void *allocate(size_t);
static pthread_barrier_t used, unloaded;

static void *use_and_wait(void *function) {
  allocate *allocate_object;
  memcpy(&allocate_object, &function, sizeof function);
  must(allocate_object(64));
  pthread_barrier_wait(&used);
  pthread_barrier_wait(&unloaded);
  return NULL;
}

static void load_and_unload(void *arg) {
  (void)arg;
  pthread_t thread;
  void *library = dlopen(BUG_SHARED, RTLD_NOW | RTLD_LOCAL);
  if (!library) fprintf(stderr, "%s\n", dlerror());
  must(library);
  void *function = dlsym(library, "vgc_malloc");
  must(function);
  must(pthread_barrier_init(&used, NULL, 2) == 0 && pthread_barrier_init(&unloaded, NULL, 2) == 0);
  must(pthread_create(&thread, NULL, use_and_wait, function) == 0);
  pthread_barrier_wait(&used);
  must(dlclose(library) == 0);
  pthread_barrier_wait(&unloaded);
  must(pthread_join(thread, NULL) == 0);
}

static void threads_end_after_it(void **state) {
  (void)state;
  static struct child_result result;
  child_run(load_and_unload, NULL, DEADLINE_S, &result);
  if (result.timed_out || result.signal || result.exit_code)
    fail_msg("a thread after dlclose: exit %d, signal %d\n%s", result.exit_code, result.signal, result.text);
}

BUG(M14) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(threads_end_after_it, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("M14", tests, NULL, NULL);
}
