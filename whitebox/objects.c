#include "objects.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "test.h"

static _Atomic unsigned errors;
static _Atomic int last_error;

static void record(void *arg, enum vgc_error error, const void *ptr, const char *message) {
  (void)arg, (void)ptr, (void)message;
  atomic_fetch_add(&errors, 1);
  atomic_store(&last_error, (int)error);
}

void errors_record(void) {
  const struct vgc_hooks hooks = {.struct_size = sizeof hooks, .error = record};
  atomic_store(&errors, 0);
  atomic_store(&last_error, VGC_ERROR_NONE);
  vgc_set_hooks(&hooks, NULL);
}

unsigned errors_count(void) { return atomic_load(&errors); }
enum vgc_error errors_last(void) { return (enum vgc_error)atomic_load(&last_error); }

struct vgc_stats stats_now(void) {
  struct vgc_stats stats = {.struct_size = sizeof stats};
  must(vgc_get_stats(&stats) == 0);
  return stats;
}

struct vgc_config config_quiet(void) {
  struct vgc_config config;
  vgc_config_default(&config);
  config.minimum_heap = (size_t)1 << 40;
  return config;
}

__attribute__((noinline)) uintptr_t hide(const void *ptr) { return ~(uintptr_t)ptr; }
__attribute__((noinline)) void *reveal(uintptr_t hidden) { return (void *)~hidden; }

/* Not instrumented: AddressSanitizer may put an instrumented function's locals elsewhere. */
__attribute__((noinline, no_sanitize_address)) void stack_scrub(void) {
  char room[32768];
  memset(room, 0, sizeof room);
  __asm__ volatile("" : : "r"(room) : "memory");
}

void scrub_stack(void *unused) {
  (void)unused;
  stack_scrub();
}

static int compare(const void *left, const void *right) {
  uintptr_t a = *(const uintptr_t *)left, b = *(const uintptr_t *)right;
  return a < b ? -1 : a > b;
}

bool all_distinct(void *const *objects, size_t count) {
  uintptr_t *sorted = malloc((count + 1) * sizeof *sorted);
  must(sorted);
  for (size_t i = 0; i < count; i++) sorted[i] = (uintptr_t)objects[i];
  qsort(sorted, count, sizeof *sorted, compare);
  bool distinct = true;
  for (size_t i = 1; i < count; i++) distinct &= sorted[i] != sorted[i - 1];
  free(sorted);
  return distinct;
}

bool among(const void *ptr, void *const *objects, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (objects[i] == ptr) return true;
  return false;
}

void batch_allocate(void *batch) {
  const struct batch *wanted = batch;
  for (size_t i = 0; i < wanted->count; i++) must(wanted->objects[i] = wanted->allocate(wanted->size));
}

void free_hidden(void *hidden) { vgc_free(reveal(*(uintptr_t *)hidden)); }
