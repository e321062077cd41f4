#include "debug.h"

#include <string.h>

#include "kinds.h"

bool debug_used;

#define HEADER_BYTES sizeof(struct debug_header)
#define SEAL_BYTES   sizeof(GC_word)
#define PATTERN      UINT64_C(0x5bd1e9955bd1e995)
#define FREED        UINT64_C(0xdeadbeefdeadbeef)
_Static_assert(HEADER_BYTES % 16 == 0, "the object is aligned as others");

const size_t GC_debug_header_size = HEADER_BYTES;
size_t GC_get_debug_header_size(void) { return HEADER_BYTES; }

/* No two objects have the same, so a copied header is none, nor is one that an object of another size has left in
 * pointer-free memory. */
static GC_word guard_of(const struct debug_header *header, size_t bytes) {
  return PATTERN ^ (GC_word)header ^ bytes * UINT64_C(0x9e3779b97f4a7c15);
}

static GC_word seal_of(const struct debug_header *header) {
  GC_word words[] = {(GC_word)header->file, header->line, header->size}, seal = PATTERN ^ (GC_word)header;
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) seal = (seal ^ words[i]) * UINT64_C(0x9e3779b97f4a7c15);
  return seal;
}

static char *end_of(const struct debug_header *header) { return (char *)(uintptr_t)(header + 1) + header->size; }

struct debug_object debug_look(const void *object, size_t bytes) {
  const struct debug_header *header = object;
  struct debug_object known = {.is_one = false};
  if (bytes < HEADER_BYTES + SEAL_BYTES) return known;
  GC_word guard = __atomic_load_n(&header->guard, __ATOMIC_ACQUIRE); /* release: finish */
  known.freed = guard == ~guard_of(header, bytes);
  known.is_one = known.freed || guard == guard_of(header, bytes);
  if (!known.is_one) return known;
  GC_word seal = seal_of(header), end = ~seal;
  known.size = bytes - HEADER_BYTES - SEAL_BYTES;
  if (header->size <= known.size) memcpy(&end, end_of(header), sizeof end);
  bool front = header->seal[0] == seal && header->seal[1] == seal;
  known.smashed = !front ? "in front of its start" : end != seal && !known.freed ? "behind its end" : NULL;
  if (header->seal[0] != seal && header->seal[1] != seal && end != seal) return known; /* what is sealed may be wrong */
  known.file = header->file;
  known.line = header->line;
  known.size = header->size;
  return known;
}

/* What the program was given, if it is a debugging object. */
static struct debug_object look_at(const void *ptr) {
  const char *object = vgc_base_of(ptr);
  if (!object || (const char *)ptr != object + HEADER_BYTES) return (struct debug_object){.is_one = false};
  return debug_look(object, vgc_usable_size(object));
}

static struct debug_header *header_of(void *ptr) { return (struct debug_header *)ptr - 1; }

static void report(const char *function, const void *ptr, const struct debug_object *known, const char *what,
                   const char *where) {
  if (known->file)
    GC_err_printf("%s: object %p (%s:%lu, size %zu) is %s%s\n", function, ptr, known->file, (unsigned long)known->line,
                  known->size, what, where);
  else
    GC_err_printf("%s: object %p (made at an unknown place) is %s%s\n", function, ptr, what, where);
}

/* ---- Allocation ---- */

/* So that pointers behind the header count where not all do. */
static void begin(void) {
  if (LIKELY(GET(debug_used))) return;
  layer_ensure();
  vgc_displacement_add(HEADER_BYTES);
  SET(debug_used, true);
}

/* Before anything else is written: a collection may stop the thread at any store, and looks at what has a guard. */
static void set_guard(struct debug_header *header, GC_word guard) {
  SET(header->guard, guard);
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* With what is around the object; no such memory can be had, if that overflows. */
static size_t whole(size_t size) {
  size_t bytes;
  return __builtin_add_overflow(size, HEADER_BYTES + SEAL_BYTES, &bytes) ? SIZE_MAX : bytes;
}

static void *finish(struct debug_header *header, size_t size, const char *file, int line) {
  if (!header) {
    GC_err_printf("out of memory for a debugging object (%s:%d, size %zu)\n", file ? file : "unknown", line, size);
    return NULL;
  }
  size_t bytes = vgc_usable_size(header);
  if (bytes < whole(size)) return header; /* what GC_oom_fn gives instead of memory */
  set_guard(header, 0);                   /* pointer-free memory may hold an earlier object's */
  header->file = file;
  header->line = (GC_word)line;
  header->size = size;
  GC_word seal = header->seal[0] = header->seal[1] = seal_of(header);
  memcpy(end_of(header), &seal, sizeof seal);
  __atomic_store_n(&header->guard, guard_of(header, bytes), __ATOMIC_RELEASE); /* acquire: debug_look */
  return header + 1;
}

static void *allocate(void *(*function)(size_t), size_t size, const char *file, int line) {
  begin();
  return finish(function(whole(size)), size, file, line);
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
  void **ptr = finish(layer_malloc_kind(whole(size), GC_gcj_debug_kind), size, s, i);
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

/* ---- Free and realloc: what is wrong is reported, and the program goes on ---- */

/* Of what is no debugging object. False: of another allocator of this library's, or foreign, for that to judge. */
static bool is_refused(const char *function, const void *ptr) {
  const void *object = vgc_base_of(ptr);
  void *low, *high;
  vgc_heap_bounds(&low, &high);
  if (object == ptr || (const char *)ptr < (char *)low || (const char *)ptr >= (char *)high) return false;
  GC_err_printf("%s: %p has no debugging information: it is freed already, or no object's start\n", function, ptr);
  return true;
}

/* Where the collector will take it, it stays until then, as freed: nobody else's object is there if it is freed again.
 */
static void release(struct debug_header *header) {
  size_t bytes;
  int kind = GC_get_kind_and_size(header, &bytes);
  if (GET(GC_find_leak) || (kind != KIND_NORMAL && kind != KIND_POINTER_FREE)) {
    SET(header->guard, 0);
    GC_free(header);
    return;
  }
  GC_register_finalizer_no_order(header, NULL, NULL, NULL, NULL);
  set_guard(header, ~guard_of(header, bytes));
  GC_word *words = (GC_word *)(header + 1);
  for (size_t i = 0; i < (bytes - HEADER_BYTES) / sizeof *words; i++) words[i] = FREED;
}

void GC_debug_free(void *ptr) {
  if (!ptr) return;
  struct debug_object known = look_at(ptr);
  if (!known.is_one) {
    if (!is_refused("GC_debug_free", ptr)) GC_free(ptr);
    return;
  }
  if (known.freed) {
    report("GC_debug_free", ptr, &known, "freed already", "");
    return;
  }
  if (known.smashed) report("GC_debug_free", ptr, &known, "overwritten ", known.smashed);
  release(header_of(ptr));
}

void *GC_debug_realloc(void *ptr, size_t size, GC_EXTRA_PARAMS) {
  if (!ptr) return GC_debug_malloc(size, s, i);
  struct debug_object known = look_at(ptr);
  if (!known.is_one) return is_refused("GC_debug_realloc", ptr) ? GC_debug_malloc(size, s, i) : GC_realloc(ptr, size);
  if (!size) {
    GC_debug_free(ptr);
    return NULL;
  }
  void *moved = debug_malloc_kind(size, GC_get_kind_and_size(header_of(ptr), NULL), s, i);
  if (!moved) return NULL;
  memcpy(moved, ptr, size < known.size ? size : known.size);
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
  if (!look_at(ptr).is_one) {
    plain(ptr, finalizer, arg, old, old_arg);
    return;
  }
  struct closure *closure = finalizer ? GC_malloc(sizeof *closure) : NULL;
  if (finalizer && !closure) return;
  if (closure) *closure = (struct closure){finalizer, arg};
  GC_finalization_proc before = NULL;
  void *before_arg = NULL;
  plain(header_of(ptr), finalizer ? call : NULL, closure, &before, &before_arg);
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
