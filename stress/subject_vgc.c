/* vgc itself. */
#include "subject.h"

#include <stdio.h>
#include <string.h>
#include <vgc.h>

#include "oracle.h"

static vgc_layout_id layout;

static bool begin(void) {
  struct vgc_config config;
  vgc_config_default(&config);
  config.minimum_heap = 1 << 19; /* many cycles in a short run; VGC_MINIMUM_HEAP overrides */
  config.growth_percent = 10;    /* so that a sanitizer's data, which are roots, do not put them off */
  if (vgc_init(&config)) {
    perror("vgc_init");
    return false;
  }
  static const uint64_t pointer_words = ORACLE_POINTER_WORDS;
  layout = vgc_layout_register(
      &(struct vgc_layout){.size = ORACLE_ELEMENT, .pointer_words = &pointer_words, .name = "oracle element"});
  return layout != 0;
}

static void *allocate_scanned(size_t size, unsigned way) {
  static const char zeros[512];
  switch (way % 4) {
  case 0:
    return vgc_calloc(1, size);
  case 1:
    return vgc_realloc(NULL, size);
  case 2:
    return size <= sizeof zeros ? vgc_memdup(zeros, size) : vgc_malloc(size);
  default:
    return vgc_malloc(size);
  }
}

static void *allocate(enum subject_kind kind, size_t size, size_t alignment, unsigned way) {
  if (alignment > 8) return vgc_aligned_alloc(alignment, size);
  switch (kind) {
  case KIND_NOSCAN:
    return vgc_malloc_noscan(size);
  case KIND_TYPED:
    return vgc_malloc_typed(layout, size / ORACLE_ELEMENT);
  case KIND_UNCOLLECTABLE:
    return vgc_malloc_uncollectable(size);
  default:
    return allocate_scanned(size, way);
  }
}

static void collect(void) { (void)vgc_collect(); }
static void pause_collection(bool on) {
  if (on)
    vgc_disable();
  else
    vgc_enable();
}
static void trim(void) { (void)vgc_trim(); }

static void blocking(void (*body)(void *), void *arg) {
  vgc_blocking_enter();
  body(arg);
  vgc_blocking_leave();
}

static bool add_root(const void *start, size_t size) { return vgc_root_add(start, size) == 0; }
static void remove_root(const void *start, size_t size) { (void)vgc_root_remove(start, size); }

static void stats(struct subject_stats *out) {
  struct vgc_stats now = {.struct_size = sizeof now};
  (void)vgc_get_stats(&now);
  *out = (struct subject_stats){.cycles = now.cycles,
                                .suspensions = now.suspensions,
                                .allocated = now.objects_allocated,
                                .freed = now.objects_freed,
                                .swept = now.objects_swept,
                                .live = now.live_objects,
                                .live_bytes = now.live_bytes,
                                .heap_bytes = now.heap_bytes,
                                .peak_heap_bytes = now.peak_heap_bytes};
}

static bool set_finalizer(void *object, void (*finalizer)(void *, void *), void *arg) {
  return vgc_set_finalizer(object, finalizer, arg, VGC_ORDERED) == 0;
}
static void finalize(void) { (void)vgc_finalize(); }
static bool weak_add(void **link, void *object) { return vgc_weak_add(link, object, VGC_WEAK_SHORT) == 0; }
static void *weak_get(void **link) { return vgc_weak_get(link); }
static void weak_remove(void **link) { (void)vgc_weak_remove(link); }

const struct subject subject_real = {
    .name = "vgc",
    .can = CAN_COLLECT | CAN_INTERIOR | CAN_ZERO | CAN_ZERO_SLOT | CAN_COUNT_OBJECTS | CAN_COUNT_THREADS |
           CAN_ALLOCATE_AT_EXIT | CAN_START_C11 | CAN_PACE | CAN_FOREIGN_THREAD | CAN_ALIGN | CAN_KEEP_EXIT_RESULT |
           CAN_SCAN_THREAD_STORAGE | CAN_FINALIZE | CAN_FORGET_AT_FREE,
    .begin = begin,
    .allocate = allocate,
    .resize = vgc_realloc,
    .release = vgc_free,
    .usable = vgc_usable_size,
    .base = vgc_base_of,
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
    .set_finalizer = set_finalizer,
    .finalize = finalize,
    .weak_add = weak_add,
    .weak_get = weak_get,
    .weak_remove = weak_remove,
};
