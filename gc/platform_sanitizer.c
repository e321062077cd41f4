/* Sanitizers are found when the program runs, through weak symbols, so that a release build of the library works in a
 * program that is built with one. */
#include "platform.h"

#define WEAK __attribute__((weak))

extern void __lsan_register_root_region(const void *start, size_t size) WEAK;
extern void __lsan_unregister_root_region(const void *start, size_t size) WEAK;
extern void *__asan_get_current_fake_stack(void) WEAK;
extern void *__asan_addr_is_in_fake_stack(void *fake_stack, void *address, void **low, void **high) WEAK;
extern void __asan_init(void) WEAK;
extern void __tsan_init(void) WEAK;
extern void __tsan_acquire(void *address) WEAK;
extern unsigned __tsan_atomic32_load(const volatile void *address, int order) WEAK;

void platform_leak_root(void *start, size_t size) {
  if (__lsan_register_root_region) __lsan_register_root_region(start, size);
}

void platform_leak_root_forget(void *start, size_t size) {
  if (__lsan_unregister_root_region) __lsan_unregister_root_region(start, size);
}

bool platform_sanitizer_runtime(void) { return __asan_init || __tsan_init; }

bool platform_defers_signals(void) { return __tsan_init != NULL; }

void platform_poll(void) {
  static const int word;
  /* ThreadSanitizer delivers what it has deferred at each atomic operation that it sees. */
  if (__tsan_atomic32_load) __tsan_atomic32_load(&word, 0);
}

void(platform_edge_release)(void *address) {
  if (__tsan_release) __tsan_release(address);
}

void(platform_edge_acquire)(void *address) {
  if (__tsan_acquire) __tsan_acquire(address);
}

void *platform_fake_stack(void) { return __asan_get_current_fake_stack ? __asan_get_current_fake_stack() : NULL; }

bool platform_fake_frame(void *fake_stack, uintptr_t word, uintptr_t *low, uintptr_t *high) {
  if (!fake_stack || !__asan_addr_is_in_fake_stack) return false;
  void *begin, *end;
  if (!__asan_addr_is_in_fake_stack(fake_stack, (void *)word, &begin, &end)) return false;
  *low = (uintptr_t)begin;
  *high = (uintptr_t)end;
  return true;
}
