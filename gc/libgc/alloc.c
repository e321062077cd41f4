/* Allocation: plain, pointer-free, uncollectable, aligned, in lists; and what is known of an object. */
#include <string.h>

#include "layer.h"

/* ---- Plain ---- */

void *GC_malloc(size_t bytes) {
  layer_ensure();
  return vgc_malloc(layer_size(bytes));
}

void *GC_malloc_atomic(size_t bytes) {
  layer_ensure();
  return vgc_malloc_noscan(layer_size(bytes));
}

/* What else the program promises about such objects lets the collector ignore words; it need not. */
void *GC_malloc_ignore_off_page(size_t bytes) { return GC_malloc(bytes); }
void *GC_malloc_atomic_ignore_off_page(size_t bytes) { return GC_malloc_atomic(bytes); }
void *GC_malloc_stubborn(size_t bytes) { return GC_malloc(bytes); }
void GC_change_stubborn(const void *ptr) { (void)ptr; }
void GC_end_stubborn_change(const void *ptr) { (void)ptr; }

void GC_ptr_store_and_dirty(void *place, const void *value) { *(const void **)place = value; }

/* What is no power of two stands for the next one, as in malloc.h. */
void *GC_memalign(size_t alignment, size_t bytes) {
  size_t power = 16; /* every object's */
  while (power < alignment && power <= SIZE_MAX / 2) power *= 2;
  if (power == 16) return GC_malloc(bytes);
  layer_ensure();
  return vgc_aligned_alloc(power, layer_size(bytes));
}

int GC_posix_memalign(void **result, size_t alignment, size_t bytes) {
  if (alignment < sizeof(void *) || (alignment & (alignment - 1))) return EINVAL;
  void *ptr = GC_memalign(alignment, bytes);
  if (!ptr) return ENOMEM;
  *result = ptr;
  return 0;
}

char *GC_strdup(const char *string) {
  if (!string) return NULL;
  size_t bytes = strlen(string) + 1;
  char *copy = GC_malloc_atomic(bytes);
  return copy ? memcpy(copy, string, bytes) : NULL;
}

char *GC_strndup(const char *string, size_t most) {
  size_t bytes = strnlen(string, most);
  char *copy = GC_malloc_atomic(bytes + 1);
  if (!copy) return NULL;
  memcpy(copy, string, bytes);
  copy[bytes] = 0;
  return copy;
}

/* ---- Uncollectable: counted, for programs that read the count ---- */

static void *counted(void *ptr) {
  if (ptr) __atomic_fetch_add(&GC_non_gc_bytes, vgc_usable_size(ptr), __ATOMIC_RELAXED);
  return ptr;
}

static void uncount(const void *ptr) {
  struct vgc_object object = {.struct_size = sizeof object};
  if (!GET(GC_non_gc_bytes) || vgc_inspect(ptr, &object) || !object.uncollectable) return;
  GC_word before = GET(GC_non_gc_bytes), less;
  do less = before > object.size ? before - object.size : 0;
  while (!__atomic_compare_exchange_n(&GC_non_gc_bytes, &before, less, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
}

void *GC_malloc_uncollectable(size_t bytes) {
  layer_ensure();
  return counted(vgc_malloc_uncollectable(layer_size(bytes)));
}

void *GC_malloc_atomic_uncollectable(size_t bytes) {
  layer_ensure();
  return counted(vgc_malloc_uncollectable_noscan(layer_size(bytes)));
}

/* ---- Free and realloc ---- */

void GC_free(void *ptr) {
  if (UNLIKELY(GET(GC_non_gc_bytes)) && ptr) uncount(ptr);
  vgc_free(ptr);
}

void *GC_realloc(void *ptr, size_t bytes) {
  if (!ptr) return GC_malloc(bytes);
  if (!bytes) {
    GC_free(ptr);
    return NULL;
  }
  size_t size = layer_size(bytes), before = GET(GC_non_gc_bytes) ? vgc_usable_size(ptr) : 0;
  struct vgc_object object = {.struct_size = sizeof object};
  bool uncollectable = before && !vgc_inspect(ptr, &object) && object.uncollectable;
  bool fills = layer_will_fill(true); /* a finalizer that vgc calls may come here, too */
  char *moved = vgc_realloc(ptr, size);
  layer_will_fill(fills);
  if (!moved) return NULL;
  /* What the layer adds is given up, too; behind it vgc clears. What GC_oom_fn gives may be smaller. */
  if (moved == ptr || vgc_usable_size(moved) >= size) memset(moved + bytes, 0, size - bytes);
  if (uncollectable) __atomic_fetch_add(&GC_non_gc_bytes, vgc_usable_size(moved) - before, __ATOMIC_RELAXED);
  return moved;
}

/* ---- Lists ---- */

#define LIST_BYTES 4096u

void GC_generic_malloc_many(size_t bytes, int kind, void **result) {
  layer_ensure();
  void *list = layer_malloc_kind(bytes, kind);
  *result = list;
  if (!list) return;
  *(void **)list = NULL;
  /* A list holds what it links, so of kinds whose first word is not followed it has one element. */
  if (!layer_kind_follows_links(kind)) return;
  size_t most = bytes ? LIST_BYTES / bytes : LIST_BYTES / 16;
  for (size_t i = 1; i < most; i++) {
    void *next = layer_malloc_kind(bytes, kind);
    if (!next) break;
    *(void **)next = list;
    *result = list = next;
  }
}

void *GC_malloc_many(size_t bytes) {
  layer_ensure();
  void *list;
  GC_generic_malloc_many(layer_size(bytes), GC_I_NORMAL, &list);
  return list;
}

/* ---- What is known of an object ---- */

void *GC_base(void *ptr) { return vgc_base_of(ptr); }

int GC_is_heap_ptr(const void *ptr) { return vgc_base_of(ptr) != NULL; }

size_t GC_size(const void *ptr) { return vgc_usable_size(ptr); }

void *GC_clear_stack(void *arg) {
  vgc_clear_stack();
  return arg;
}

void GC_noop1(GC_word word) { __asm__ volatile("" : : "r"(word)); }
