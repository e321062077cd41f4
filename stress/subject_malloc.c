/* glibc's malloc: nothing is collected, so every program frees what it drops; shows faults of the programs themselves.
 */
#include "subject.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

static bool begin(void) { return true; }

static void *allocate(enum subject_kind kind, size_t size, size_t alignment, unsigned way) {
  (void)way;
  if (alignment > 8) {
    void *object = NULL;
    if (posix_memalign(&object, alignment, size)) return NULL;
    return memset(object, 0, size);
  }
  return kind == KIND_NOSCAN ? malloc(size) : calloc(1, size);
}

static size_t usable(const void *object) { return malloc_usable_size((void *)(uintptr_t)object); }
static void *base(const void *interior) {
  (void)interior;
  return NULL;
}
static void collect(void) {}
static void pause_collection(bool on) { (void)on; }
static void trim(void) { malloc_trim(0); }
static void blocking(void (*body)(void *), void *arg) { body(arg); }
static bool add_root(const void *start, size_t size) {
  (void)start;
  (void)size;
  return true;
}
static void remove_root(const void *start, size_t size) {
  (void)start;
  (void)size;
}
static void stats(struct subject_stats *out) { *out = (struct subject_stats){0}; }

const struct subject subject_real = {
    .name = "malloc",
    .can = CAN_ALLOCATE_AT_EXIT | CAN_FOREIGN_THREAD | CAN_ALIGN | CAN_KEEP_EXIT_RESULT | CAN_SCAN_THREAD_STORAGE,
    .begin = begin,
    .allocate = allocate,
    .resize = realloc,
    .release = free,
    .usable = usable,
    .base = base,
    .collect = collect,
    .pause = pause_collection,
    .trim = trim,
    .blocking = blocking,
    .add_root = add_root,
    .remove_root = remove_root,
    .stats = stats,
    .create = pthread_create,
    .join = pthread_join,
    .detach = pthread_detach,
    .leave = pthread_exit,
};
