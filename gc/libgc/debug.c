#include "debug.h"

#include <string.h>

#include "kinds.h"

bool debug_used;

#define HEADER_BYTES sizeof(struct debug_header)
#define GUARD_BYTES  sizeof(GC_word)
#define PATTERN      UINT64_C(0x5bd1e9955bd1e995)

const size_t GC_debug_header_size = HEADER_BYTES;
size_t GC_get_debug_header_size(void) { return HEADER_BYTES; }

/* What stands at both ends: no two objects have the same, so a copied header is none. */
static GC_word guard_of(const struct debug_header *header) { return PATTERN ^ (GC_word)header; }

static char *end_of(const struct debug_header *header) { return (char *)(uintptr_t)(header + 1) + header->size; }

const struct debug_header *debug_header_at(const void *object, size_t bytes) {
  const struct debug_header *header = object;
  if (bytes < HEADER_BYTES + GUARD_BYTES || header->guard != guard_of(header)) return NULL;
  return header->size <= bytes - HEADER_BYTES - GUARD_BYTES ? header : NULL;
}

bool debug_is_smashed(const struct debug_header *header) {
  GC_word guard = guard_of(header);
  return memcmp(end_of(header), &guard, sizeof guard) != 0;
}

/* The header of what the program was given, or NULL: it is no debugging object. */
static struct debug_header *header_of(const void *ptr) {
  void *object = vgc_base_of(ptr);
  if (!object || (const char *)ptr != (const char *)object + HEADER_BYTES) return NULL;
  return (struct debug_header *)(uintptr_t)debug_header_at(object, vgc_usable_size(object));
}

/* ---- Allocation ---- */

/* So that pointers behind the header count where not all do. */
static void begin(void) {
  if (LIKELY(GET(debug_used))) return;
  layer_ensure();
  vgc_displacement_add(HEADER_BYTES);
  SET(debug_used, true);
}

static void *finish(struct debug_header *header, size_t size, const char *file, int line) {
  if (!header) return NULL;
  header->file = file;
  header->line = (GC_word)line;
  header->size = size;
  GC_word guard = guard_of(header);
  memcpy(end_of(header), &guard, sizeof guard);
  SET(header->guard, guard);
  return header + 1;
}

static void *allocate(void *(*function)(size_t), size_t size, const char *file, int line) {
  size_t bytes;
  begin();
  if (__builtin_add_overflow(size, HEADER_BYTES + GUARD_BYTES, &bytes)) bytes = SIZE_MAX;
  return finish(function(bytes), size, file, line);
}

#define DEFINE(name)                                                                                                   \
  void *GC_debug_##name(size_t size, GC_EXTRA_PARAMS) { return allocate(GC_##name, size, s, i); }
DEFINE(malloc)
DEFINE(malloc_atomic)
DEFINE(malloc_uncollectable)
DEFINE(malloc_atomic_uncollectable)
DEFINE(malloc_ignore_off_page)
DEFINE(malloc_atomic_ignore_off_page)
DEFINE(malloc_stubborn)

static void *debug_malloc_kind(size_t size, int kind, const char *file, int line) {
  switch (kind) {
  case KIND_POINTER_FREE:
    return GC_debug_malloc_atomic(size, file, line);
  case KIND_UNCOLLECTABLE:
    return GC_debug_malloc_uncollectable(size, file, line);
  case KIND_UNCOLLECTABLE_POINTER_FREE:
    return GC_debug_malloc_atomic_uncollectable(size, file, line);
  default:
    return GC_debug_malloc(size, file, line);
  }
}

void *GC_debug_generic_or_special_malloc(size_t size, int kind, GC_EXTRA_PARAMS) {
  return debug_malloc_kind(size, kind, s, i);
}

void *GC_debug_malloc_replacement(size_t size) { return GC_debug_malloc(size, "unknown", 0); }

/* With a mark procedure that knows of the header. */
void *GC_debug_gcj_malloc(size_t size, void *type, GC_EXTRA_PARAMS) {
  begin();
  struct debug_header *header = layer_malloc_kind(HEADER_BYTES + size + GUARD_BYTES, GC_gcj_debug_kind);
  void **ptr = finish(header, size, s, i);
  if (ptr) *ptr = type;
  return ptr;
}

char *GC_debug_strdup(const char *string, GC_EXTRA_PARAMS) {
  if (!string) return NULL;
  size_t bytes = strlen(string) + 1;
  char *copy = GC_debug_malloc_atomic(bytes, s, i);
  return copy ? memcpy(copy, string, bytes) : NULL;
}

char *GC_debug_strndup(const char *string, size_t most, GC_EXTRA_PARAMS) {
  size_t bytes = strnlen(string, most);
  char *copy = GC_debug_malloc_atomic(bytes + 1, s, i);
  if (!copy) return NULL;
  memcpy(copy, string, bytes);
  copy[bytes] = 0;
  return copy;
}

/* ---- Free and realloc ---- */

void GC_debug_free(void *ptr) {
  if (!ptr) return;
  struct debug_header *header = header_of(ptr);
  if (!header) { /* of another allocator of this library's */
    GC_free(ptr);
    return;
  }
  if (debug_is_smashed(header))
    GC_err_printf("GC_debug_free: object %p (%s:%lu, size %lu) is overwritten behind its end\n", ptr, header->file,
                  (unsigned long)header->line, (unsigned long)header->size);
  SET(header->guard, 0);
  GC_free(header);
}

void *GC_debug_realloc(void *ptr, size_t size, GC_EXTRA_PARAMS) {
  if (!ptr) return GC_debug_malloc(size, s, i);
  struct debug_header *header = header_of(ptr);
  if (!header) return GC_realloc(ptr, size);
  if (!size) {
    GC_debug_free(ptr);
    return NULL;
  }
  void *moved = debug_malloc_kind(size, GC_get_kind_and_size(header, NULL), s, i);
  if (!moved) return NULL;
  memcpy(moved, ptr, size < header->size ? size : header->size);
  GC_debug_free(ptr);
  return moved;
}

void *GC_debug_realloc_replacement(void *ptr, size_t size) { return GC_debug_realloc(ptr, size, "unknown", 0); }

/* ---- Stores and displacements ---- */

void GC_debug_change_stubborn(const void *ptr) { (void)ptr; }
void GC_debug_end_stubborn_change(const void *ptr) { (void)ptr; }

void GC_debug_ptr_store_and_dirty(void *place, const void *value) {
  *(void **)GC_is_visible(place) = GC_is_valid_displacement((void *)(uintptr_t)value);
}

void GC_debug_register_displacement(size_t displacement) {
  GC_register_displacement(displacement);
  GC_register_displacement(displacement + HEADER_BYTES);
}

/* ---- Finalizers: of the whole object, called with what the program knows ---- */

struct closure {
  GC_finalization_proc finalizer;
  void *arg;
};

static void call(void *object, void *arg) {
  const struct closure *closure = arg;
  closure->finalizer((char *)object + HEADER_BYTES, closure->arg);
}

typedef void registration(void *, GC_finalization_proc, void *, GC_finalization_proc *, void **);

static void set(registration *plain, void *ptr, GC_finalization_proc finalizer, void *arg, GC_finalization_proc *old,
                void **old_arg) {
  struct debug_header *header = header_of(ptr);
  if (!header) {
    plain(ptr, finalizer, arg, old, old_arg);
    return;
  }
  struct closure *closure = finalizer ? GC_malloc(sizeof *closure) : NULL;
  if (finalizer && !closure) return;
  if (closure) *closure = (struct closure){finalizer, arg};
  GC_finalization_proc before = NULL;
  void *before_arg = NULL;
  plain(header, finalizer ? call : NULL, closure, &before, &before_arg);
  const struct closure *wrapped = before == call ? before_arg : NULL;
  if (old) *old = wrapped ? wrapped->finalizer : before;
  if (old_arg) *old_arg = wrapped ? wrapped->arg : before_arg;
}

#define DEFINE_FINALIZER(suffix)                                                                                       \
  void GC_debug_register_finalizer##suffix(void *ptr, GC_finalization_proc finalizer, void *arg,                       \
                                           GC_finalization_proc *old, void **old_arg) {                                \
    set(GC_register_finalizer##suffix, ptr, finalizer, arg, old, old_arg);                                             \
  }
DEFINE_FINALIZER()
DEFINE_FINALIZER(_ignore_self)
DEFINE_FINALIZER(_no_order)
DEFINE_FINALIZER(_unreachable)
