/* The public allocation functions. */
#include <errno.h>
#include <string.h>

#include "collect.h"
#include "config.h"
#include "error.h"
#include "fast.h"
#include "large.h"
#include "layout.h"
#include "mark.h"
#include "platform.h"
#include "special.h"
#include "vgc.h"

/* They begin at a cache line: where they lie by chance is worth a twentieth. */
#define FAST __attribute__((aligned(PLATFORM_CACHE_LINE)))

static NOINLINE void *allocate_bigger(enum kind kind, size_t size) {
  if (size <= SIZECLASS_SMALL_MAX) return cache_allocate(kind, sizeclass_of(size), size);
  void *ptr = large_allocate(kind, size, 1);
  return ptr ? ptr : hooks_out_of_memory(size);
}

static ALWAYS_INLINE void *allocate(enum kind kind, size_t size) {
  if (UNLIKELY(size > SIZECLASS_TABLE_MAX)) return allocate_bigger(kind, size);
  return cache_allocate(kind, sizeclass_of_tabled(size), size);
}

FAST void *vgc_malloc(size_t size) { return allocate(KIND_SCAN, size); }
FAST void *vgc_malloc_noscan(size_t size) { return allocate(KIND_NOSCAN, size); }
void *vgc_malloc_uncollectable(size_t size) { return allocate(KIND_UNCOLLECTABLE, size); }
void *vgc_malloc_uncollectable_noscan(size_t size) { return allocate(KIND_UNCOLLECTABLE_NOSCAN, size); }
FAST void vgc_free(void *ptr) { cache_free(ptr); }

void *vgc_calloc(size_t count, size_t size) {
  size_t bytes;
  if (UNLIKELY(__builtin_mul_overflow(count, size, &bytes))) return hooks_out_of_memory(SIZE_MAX);
  return allocate(KIND_SCAN, bytes);
}

/* A class of slots that are multiples of the alignment; spans begin at pages. */
static size_t aligned_slot(size_t alignment, size_t size) {
  if (size < alignment) size = alignment;
  if (alignment > config.page_bytes || size > SIZECLASS_SMALL_MAX) return 0;
  for (unsigned i = sizeclass_of(size); i < SIZECLASS_COUNT; i++)
    if (sizeclass_table[i].size % alignment == 0) return sizeclass_table[i].size;
  return 0;
}

static void *allocate_aligned(enum kind kind, size_t alignment, size_t size) {
  if (alignment <= 16) return allocate(kind, size < alignment ? alignment : size);
  if (!cache_ensure()) return hooks_out_of_memory(size);
  size_t slot = aligned_slot(alignment, size);
  if (slot) return allocate(kind, slot);
  void *ptr = large_allocate(kind, size ? size : 1, alignment);
  return ptr ? ptr : hooks_out_of_memory(size);
}

void *vgc_aligned_alloc(size_t alignment, size_t size) {
  if (!alignment || alignment & (alignment - 1)) {
    errno = EINVAL;
    return NULL;
  }
  return allocate_aligned(KIND_SCAN, alignment, size);
}

void *vgc_memdup(const void *source, size_t size) {
  void *copy = allocate(KIND_SCAN, size);
  return copy ? memcpy(copy, source, size) : NULL;
}

char *vgc_strdup(const char *string) {
  size_t size = strlen(string) + 1;
  void *copy = allocate(KIND_NOSCAN, size);
  return copy ? memcpy(copy, string, size) : NULL;
}

/* ---- Typed ---- */

/* The slot's last word names the layout; until it is written it is zero, which scans conservatively. */
static void *name_layout(char *ptr, vgc_layout_id id, size_t bytes, size_t size) {
  *(uintptr_t *)(void *)(ptr + size - sizeof(uintptr_t)) = id;
  platform_poison(ptr + bytes, size - bytes);
  return ptr;
}

static void *allocate_unzeroed(vgc_layout_id id, size_t bytes, size_t size) {
  char *ptr = large_allocate_as(KIND_TYPED, false, size, 1);
  if (!ptr) ptr = hooks_out_of_memory(size);
  return ptr ? name_layout(ptr, id, bytes, size) : NULL;
}

static void *allocate_typed(vgc_layout_id id, size_t bytes) {
  size_t size;
  if (__builtin_add_overflow(bytes, sizeof(uintptr_t), &size)) return hooks_out_of_memory(SIZE_MAX);
  if (!cache_ensure()) return hooks_out_of_memory(size);
  if (size <= SIZECLASS_SMALL_MAX) size = sizeclass_table[sizeclass_of(size)].size;
  if (size > SIZECLASS_SMALL_MAX) size = (size + config.page_bytes - 1) & ~(config.page_bytes - 1);
  if (size < bytes) return hooks_out_of_memory(bytes);
  if (layout_of(id)->scan == VGC_SCAN_NONE && size > SIZECLASS_SMALL_MAX) return allocate_unzeroed(id, bytes, size);
  char *ptr = allocate(KIND_TYPED, size);
  return ptr ? name_layout(ptr, id, bytes, size) : NULL;
}

void *vgc_malloc_typed(vgc_layout_id id, size_t count) {
  const struct layout *layout = layout_of(id);
  if (!layout || layout_is_kind(layout)) {
    errno = EINVAL;
    return NULL;
  }
  size_t bytes;
  if (__builtin_mul_overflow(layout->words * sizeof(uintptr_t), count, &bytes)) return hooks_out_of_memory(SIZE_MAX);
  return allocate_typed(id, bytes);
}

void *vgc_malloc_kind(vgc_layout_id id, size_t size) {
  const struct layout *layout = layout_of(id);
  if (!layout || !layout_is_kind(layout)) {
    errno = EINVAL;
    return NULL;
  }
  return allocate_typed(id, size);
}

/* ---- Looking up ---- */

/* Whether an object begins there. */
static bool object_begins_at(const void *ptr, struct span_object *object) {
  return span_object_at((uintptr_t)ptr, object) && object->base == (uintptr_t)ptr;
}

static size_t usable(const struct span_object *object) {
  return object->kind == KIND_TYPED ? object->bytes - sizeof(uintptr_t) : object->bytes;
}

size_t vgc_usable_size(const void *ptr) {
  struct span_object object;
  if (!object_begins_at(ptr, &object)) return 0;
  /* Who asks may use it. */
  platform_unpoison(ptr, usable(&object));
  return usable(&object);
}

void *vgc_base_of(const void *ptr) {
  struct span_object object;
  return span_object_at((uintptr_t)ptr, &object) ? (void *)object.base : NULL;
}

vgc_layout_id vgc_kind_of(const void *ptr) {
  struct span_object object;
  if (!object_begins_at(ptr, &object) || object.kind != KIND_TYPED) return 0;
  vgc_layout_id id = layout_id_at(object.base + usable(&object));
  const struct layout *layout = layout_of(id);
  return layout && layout_is_kind(layout) ? id : 0;
}

int vgc_inspect(const void *ptr, struct vgc_object *known) {
  struct span_object object;
  if (!known || known->struct_size < sizeof *known || !object_begins_at(ptr, &object)) {
    errno = EINVAL;
    return -1;
  }
  known->size = usable(&object);
  known->kind = vgc_kind_of(ptr);
  known->uncollectable = kind_is_uncollectable(object.kind);
  known->scanned = !kind_is_noscan(object.kind) && (!known->kind || layout_of(known->kind)->scan != VGC_SCAN_NONE);
  return 0;
}

int vgc_is_reached(const void *ptr) {
  struct span_object object;
  if (!object_begins_at(ptr, &object)) return 0;
  return !collect_knows() || mark_reached(ptr);
}

/* ---- Realloc ---- */

static void *allocate_like(const struct span_object *object, size_t size) {
  if (object->kind != KIND_TYPED) return allocate(object->kind, size);
  return allocate_typed(layout_id_at(object->base + usable(object)), size);
}

static void *resize_in_place(const struct span_object *object, char *ptr, size_t size) {
  platform_unpoison(ptr, usable(object));
  /* What the program gave up must retain nothing, and must be zero if it asks for it again. */
  if (!kind_is_noscan(object->kind)) memset(ptr + size, 0, usable(object) - size);
  platform_poison(ptr + size, usable(object) - size);
  return ptr;
}

/* An object that was freed, but left to the collector for a link that has named it. */
static bool is_left_over(const void *ptr) {
  if (LIKELY(load_loose(&span_of((uintptr_t)ptr)->starts)) || collect_here()) return false;
  special_lock();
  bool freed = special_is_freed(ptr);
  special_unlock();
  return freed;
}

void *vgc_realloc(void *ptr, size_t size) {
  if (!ptr) return allocate(KIND_SCAN, size);
  if (!size) {
    cache_free(ptr);
    return NULL;
  }
  struct span_object object;
  if (UNLIKELY(!object_begins_at(ptr, &object) || is_left_over(ptr))) {
    cache_free_error(ptr, span_of((uintptr_t)ptr));
    return NULL;
  }
  size_t before = usable(&object);
  if (size <= before && size >= before / 2) return resize_in_place(&object, ptr, size);
  void *fresh = allocate_like(&object, size);
  if (!fresh) return NULL;
  platform_unpoison(ptr, before);
  memcpy(fresh, ptr, before < size ? before : size);
  cache_free(ptr);
  return fresh;
}

void vgc_heap_bounds(void **low, void **high) {
  uintptr_t least = UINTPTR_MAX, most = 0;
  uint32_t count = load_acquire(&arenas_count); /* acquire: arena_add's release of the entries */
  for (uint32_t i = 0; i < count; i++) {
    uintptr_t base = load_relaxed(&arenas[i].base), end = base + load_relaxed(&arenas[i].bytes);
    if (base < least) least = base;
    if (end > most) most = end;
  }
  *low = (void *)(most ? least : 0);
  *high = (void *)most;
}
