/* X99: the scan of a thread's static block reaches beyond it.
 *
 * What lies beside may be another thread's stack, which goes while it is scanned: a crash, seldom. The loader knows how
 * large the block is, with the thread's structure. */
#include <dlfcn.h>
#include <string.h>

#include "bug.h"

static uintptr_t low, high;

static void note(void *context, uintptr_t range_low, uintptr_t range_high) {
  uintptr_t thread_pointer = *(const uintptr_t *)context;
  if (thread_pointer < range_low || thread_pointer >= range_high) return;
  low = range_low;
  high = range_high;
}

static void no_more_than_the_block(void **state) {
  (void)state;
  void (*loader_tells)(size_t * size, size_t * alignment);
  void *symbol = dlsym(RTLD_DEFAULT, "_dl_get_tls_static_info");
  if (!symbol) not_applicable("the loader does not tell how large the static block is");
  memcpy(&loader_tells, &symbol, sizeof loader_tells);
  size_t size, alignment;
  loader_tells(&size, &alignment);
  struct platform_modules *modules = platform_modules_list(NULL, NULL);
  uintptr_t thread_pointer = platform_thread_pointer();
  platform_storage(modules, thread_pointer, 0, 0, note, &thread_pointer);
  assert_true(low < thread_pointer && thread_pointer < high);
  assert_true(high - low <= size);
  platform_modules_release(modules);
}

BUG(X99) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(no_more_than_the_block, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("X99", tests, NULL, NULL);
}
