/* Kinds, mark procedures, descriptors and typed memory: gc_mark.h, gc_typed.h, gc_gcj.h. */
#include <stdlib.h>
#include <string.h>

#include "kinds.h"

#define KINDS       64u
#define WORD_BITS   64u
#define BITMAP_BITS (WORD_BITS - GC_DS_TAG_BITS)

/* A number is claimed by adding to the count, relaxed: who has the allocation lock may wait for no mutex, for forks
 * take it after these. Who has the number reads the entry, which is complete before the number is given. */
static struct kind kinds[KINDS];
static unsigned kinds_count = KINDS_BUILT_IN;
static GC_mark_proc procedures[GC_MAX_MARK_PROCS];
static unsigned procedures_count = GC_RESERVED_MARK_PROCS;

/* ---- Marking ---- */

/* No procedure fills it: what is pushed is marked at once. */
#define STACK_LIMIT(entry) ((struct GC_ms_entry *)(void *)((char *)(entry) + 4096))

struct GC_ms_entry *GC_mark_and_push(void *object, struct GC_ms_entry *entry, struct GC_ms_entry *limit,
                                     void **source) {
  (void)limit, (void)source;
  vgc_mark((struct vgc_marker *)entry, object);
  return entry;
}

static void mark_words(const GC_word *words, size_t bytes, struct vgc_marker *marker) {
  for (size_t i = 0; i < bytes / sizeof *words; i++) vgc_mark(marker, (const void *)words[i]);
}

static void mark_bitmap(const GC_word *words, GC_descr descriptor, struct vgc_marker *marker) {
  for (GC_word bits = descriptor & ~(GC_word)GC_DS_TAGS; bits; bits <<= 1, words++)
    if (bits >> (WORD_BITS - 1)) vgc_mark(marker, (const void *)*words);
}

/* The descriptor that an object's own names. 0: it has none yet. */
static GC_descr own_descriptor(const char *object, GC_descr descriptor) {
  GC_signed_word offset = (GC_signed_word)(descriptor & ~(GC_word)GC_DS_TAGS);
  if (offset >= 0) return *(const GC_descr *)(const void *)(object + offset);
  const char *type = *(const char *const *)(const void *)object;
  return type ? *(const GC_descr *)(const void *)(type - offset - GC_INDIR_PER_OBJ_BIAS) : 0;
}

static void mark_as(GC_descr descriptor, void *object, size_t size, struct vgc_marker *marker) {
  while ((descriptor & GC_DS_TAGS) == GC_DS_PER_OBJECT) descriptor = own_descriptor(object, descriptor);
  switch (descriptor & GC_DS_TAGS) {
  case GC_DS_LENGTH:
    mark_words(object, descriptor < size ? descriptor : size, marker);
    break;
  case GC_DS_BITMAP:
    mark_bitmap(object, descriptor, marker);
    break;
  default: {
    GC_word number = descriptor >> GC_DS_TAG_BITS;
    GC_mark_proc procedure = procedures[number % GC_MAX_MARK_PROCS];
    struct GC_ms_entry *entry = (struct GC_ms_entry *)(void *)marker;
    if (procedure) procedure(object, entry, STACK_LIMIT(entry), number >> GC_LOG_MAX_MARK_PROCS);
  }
  }
}

static void mark_by_kind(void *object, size_t size, void *arg, struct vgc_marker *marker) {
  const struct kind *kind = arg;
  mark_as(kind->descriptor + (kind->adds_size ? size : 0), object, size, marker);
}

unsigned GC_new_proc_inner(GC_mark_proc procedure) {
  unsigned index = __atomic_fetch_add(&procedures_count, 1, __ATOMIC_RELAXED);
  if (index >= GC_MAX_MARK_PROCS) layer_fatal("too many mark procedures: libgc allows 64, 8 of them reserved");
  procedures[index] = procedure;
  return index;
}

unsigned GC_new_proc(GC_mark_proc procedure) { return GC_new_proc_inner(procedure); }

/* ---- Kinds ---- */

static int disclaim(void *object, size_t size, void *arg) {
  (void)size;
  const struct kind *kind = arg;
  GC_disclaim_proc procedure = GET(kind->disclaim);
  return procedure && !GET(GC_find_leak) ? procedure(object) : 0;
}

static enum vgc_scan scan_of(const struct kind *kind) {
  if ((kind->descriptor & GC_DS_TAGS) != GC_DS_LENGTH || kind->descriptor) return VGC_SCAN_PROCEDURE;
  return kind->adds_size ? VGC_SCAN_ALL : VGC_SCAN_NONE;
}

static vgc_layout_id tell(struct kind *kind) {
  struct vgc_kind given = {
      .struct_size = sizeof given, .name = "libgc kind", .scan = scan_of(kind), .mark = mark_by_kind, .arg = kind};
  vgc_layout_id id = vgc_kind_register(&given);
  if (!id) layer_fatal("no memory for another kind of objects");
  return id;
}

static int add(struct kind given) {
  unsigned number = __atomic_fetch_add(&kinds_count, 1, __ATOMIC_RELAXED);
  if (number >= KINDS) layer_fatal("too many kinds of objects: expected at most 64");
  struct kind *kind = &kinds[number];
  kind->descriptor = given.descriptor;
  kind->adds_size = given.adds_size;
  kind->clears = given.clears;
  __atomic_store_n(&kind->id, tell(kind), __ATOMIC_RELEASE); /* acquire: kind_at */
  return (int)number;
}

/* NULL: libgc's own four. */
static const struct kind *kind_at(int number) {
  if ((unsigned)number < KINDS_BUILT_IN) return NULL;
  if ((unsigned)number < KINDS && __atomic_load_n(&kinds[number].id, __ATOMIC_ACQUIRE)) /* release: add */
    return &kinds[number];
  layer_fatal("an unknown kind of objects: expected a number that GC_new_kind has returned");
}

static int number_of(vgc_layout_id id) {
  for (unsigned i = KINDS_BUILT_IN; i < KINDS; i++)
    if (GET(kinds[i].id) == id) return (int)i;
  return KIND_NORMAL;
}

unsigned GC_new_kind_inner(void **free_list, GC_word descriptor, int adds_size, int clears) {
  (void)free_list; /* the program's lists come from GC_generic_malloc_many */
  return (unsigned)add((struct kind){.descriptor = descriptor, .adds_size = adds_size != 0, .clears = clears != 0});
}

unsigned GC_new_kind(void **free_list, GC_word descriptor, int adds_size, int clears) {
  layer_ensure();
  return GC_new_kind_inner(free_list, descriptor, adds_size, clears);
}

#define FREE_LISTS (GC_TINY_FREELISTS + 1u)

void **GC_new_free_list_inner(void) { return vgc_malloc_uncollectable(FREE_LISTS * sizeof(void *)); }

void **GC_new_free_list(void) {
  layer_ensure();
  return GC_new_free_list_inner();
}

void GC_register_disclaim_proc(int number, GC_disclaim_proc procedure, int reaches) {
  layer_ensure();
  struct kind *kind = (struct kind *)(uintptr_t)kind_at(number);
  if (!kind) layer_fatal("GC_register_disclaim_proc: expected a kind that GC_new_kind has returned");
  SET(kind->disclaim, procedure);
  vgc_kind_set_disclaim(kind->id, disclaim, reaches != 0);
}

static void *malloc_as(const struct kind *kind, size_t size) {
  bool fills = layer_will_fill(true);
  void *ptr = vgc_malloc_kind(kind->id, size);
  layer_will_fill(fills);
  return ptr && kind->clears && scan_of(kind) == VGC_SCAN_NONE ? memset(ptr, 0, size) : ptr;
}

void *layer_malloc_kind(size_t size, int number) {
  const struct kind *kind = kind_at(number);
  if (LIKELY(kind != NULL)) return malloc_as(kind, size);
  switch (number) {
  case KIND_POINTER_FREE:
    return vgc_malloc_noscan(size);
  case KIND_NORMAL:
    return vgc_malloc(size);
  case KIND_UNCOLLECTABLE:
    return vgc_malloc_uncollectable(size);
  default:
    return vgc_malloc_uncollectable_noscan(size);
  }
}

bool layer_kind_follows_links(int number) {
  const struct kind *kind = kind_at(number);
  return kind ? scan_of(kind) == VGC_SCAN_ALL : number == KIND_NORMAL;
}

void *GC_generic_malloc(size_t size, int number) {
  layer_ensure();
  return layer_malloc_kind(layer_size(size), number);
}

void *GC_generic_malloc_ignore_off_page(size_t size, int number) { return GC_generic_malloc(size, number); }
void *GC_malloc_kind(size_t size, int number) { return GC_generic_malloc(size, number); }
void *GC_malloc_kind_global(size_t size, int number) { return GC_generic_malloc(size, number); }
void *GC_generic_or_special_malloc(size_t size, int number) { return GC_generic_malloc(size, number); }

void *GC_generic_malloc_uncollectable(size_t size, int number) {
  bool free_of_pointers = number == KIND_POINTER_FREE || number == KIND_UNCOLLECTABLE_POINTER_FREE;
  return free_of_pointers ? GC_malloc_atomic_uncollectable(size) : GC_malloc_uncollectable(size);
}

int GC_get_kind_and_size(const void *ptr, size_t *size) {
  struct vgc_object object = {.struct_size = sizeof object};
  bool known = !vgc_inspect(ptr, &object);
  if (size) *size = known ? object.size : 0;
  if (object.kind) return number_of(object.kind);
  if (object.uncollectable) return object.scanned ? KIND_UNCOLLECTABLE : KIND_UNCOLLECTABLE_POINTER_FREE;
  return object.scanned ? KIND_NORMAL : KIND_POINTER_FREE;
}

/* Reports name objects by address, size and place of allocation. */
void GC_register_describe_type_fn(int number, GC_describe_type_fn function) { (void)number, (void)function; }

/* ---- Descriptors ---- */

/* A bitmap too large for a descriptor: the procedure's environment is its index. Append-only, by MUTEX_KINDS. */
struct bitmap {
  size_t words;
  GC_word bits[];
};
#define BITMAPS 16384u
static struct bitmap *bitmaps[BITMAPS];
static unsigned bitmaps_count;
static unsigned bitmap_procedure; /* 0: not registered yet */

static struct GC_ms_entry *mark_large_bitmap(GC_word *words, struct GC_ms_entry *entry, struct GC_ms_entry *limit,
                                             GC_word index) {
  (void)limit;
  const struct bitmap *bitmap = bitmaps[index];
  for (size_t i = 0; i < bitmap->words; i++)
    if (bitmap->bits[i / WORD_BITS] >> i % WORD_BITS & 1) vgc_mark((struct vgc_marker *)entry, (const void *)words[i]);
  return entry;
}

static struct bitmap *copy_bits(const GC_word *bits, size_t words) {
  size_t bytes = (words + WORD_BITS - 1) / WORD_BITS * sizeof *bits;
  struct bitmap *bitmap = malloc(sizeof *bitmap + bytes);
  if (!bitmap) return NULL;
  bitmap->words = words;
  memcpy(bitmap->bits, bits, bytes);
  return bitmap;
}

/* With the lock. 0: there are too many. */
static GC_descr add_bitmap(struct bitmap *bitmap) {
  if (bitmaps_count == BITMAPS) return 0;
  if (!bitmap_procedure) bitmap_procedure = GC_new_proc_inner(mark_large_bitmap);
  bitmaps[bitmaps_count] = bitmap;
  return GC_MAKE_PROC((GC_word)bitmap_procedure, (GC_word)bitmaps_count++);
}

/* Nothing is allocated with the lock: an allocation may run finalizers, which may come here, too. Conservative without
 * memory: every word. */
static GC_descr large_descriptor(const GC_word *bits, size_t words) {
  struct bitmap *bitmap = copy_bits(bits, words);
  layer_lock(MUTEX_KINDS);
  GC_descr descriptor = bitmap ? add_bitmap(bitmap) : 0;
  layer_unlock(MUTEX_KINDS);
  if (descriptor) return descriptor;
  free(bitmap);
  return words * sizeof(GC_word);
}

GC_descr GC_make_descriptor(const GC_word *bits, size_t words) {
  layer_ensure();
  while (words && !(bits[(words - 1) / WORD_BITS] >> (words - 1) % WORD_BITS & 1)) words--;
  if (!words) return 0;
  if (words <= BITMAP_BITS) {
    GC_descr descriptor = GC_DS_BITMAP;
    for (size_t i = 0; i < words; i++) descriptor |= (bits[i / WORD_BITS] >> i % WORD_BITS & 1) << (WORD_BITS - 1 - i);
    return descriptor;
  }
  return large_descriptor(bits, words);
}

/* ---- Typed memory ---- */

/* A kind for each descriptor that memory was asked for with, by a hash; never taken out. An entry: release by
 * add_typed, with the lock, acquire by typed_place. */
#define TYPED 4096u
static struct kind *typed[TYPED];
static unsigned typed_count; /* written with the lock, relaxed */

static struct kind **typed_place(GC_descr descriptor) {
  unsigned at = (unsigned)((descriptor * UINT64_C(0x9e3779b97f4a7c15)) >> 52);
  for (;; at = (at + 1) % TYPED) {
    const struct kind *kind = __atomic_load_n(&typed[at], __ATOMIC_ACQUIRE);
    if (!kind || kind->descriptor == descriptor) return &typed[at];
  }
}

/* With the lock. The kind that there is now, which may be another; NULL: there are too many. */
static struct kind *add_typed(struct kind *kind) {
  struct kind **place = typed_place(kind->descriptor);
  if (*place || typed_count == TYPED / 2) return *place;
  kind->id = tell(kind);
  SET(typed_count, typed_count + 1);
  __atomic_store_n(place, kind, __ATOMIC_RELEASE);
  return kind;
}

/* As large_descriptor. */
static const struct kind *new_typed_kind(GC_descr descriptor) {
  struct kind *fresh = GET(typed_count) < TYPED / 2 ? malloc(sizeof *fresh) : NULL;
  if (!fresh) return NULL;
  *fresh = (struct kind){.descriptor = descriptor, .clears = true};
  layer_lock(MUTEX_KINDS);
  const struct kind *kind = add_typed(fresh);
  layer_unlock(MUTEX_KINDS);
  if (kind != fresh) free(fresh);
  return kind;
}

static const struct kind *typed_kind(GC_descr descriptor) {
  const struct kind *kind = GET(*typed_place(descriptor));
  return LIKELY(kind != NULL) ? kind : new_typed_kind(descriptor);
}

/* With too many descriptors, every word is followed. */
void *GC_malloc_explicitly_typed(size_t size, GC_descr descriptor) {
  layer_ensure();
  const struct kind *kind = typed_kind(descriptor);
  return kind ? malloc_as(kind, layer_size(size)) : GC_malloc(size);
}

void *GC_malloc_explicitly_typed_ignore_off_page(size_t size, GC_descr descriptor) {
  return GC_malloc_explicitly_typed(size, descriptor);
}

/* An array's elements have one layout each: vgc's own typed memory, by a layout for each descriptor and size. */
struct element {
  GC_descr descriptor;
  size_t size;
  vgc_layout_id layout;
};
static struct element elements[1024];
static unsigned elements_count;

/* That of large_descriptor, or NULL. */
static const struct bitmap *bitmap_of(GC_descr descriptor) {
  GC_word number = descriptor >> GC_DS_TAG_BITS;
  bool is_one =
      (descriptor & GC_DS_TAGS) == GC_DS_PROC && bitmap_procedure && number % GC_MAX_MARK_PROCS == bitmap_procedure;
  return is_one ? bitmaps[number / GC_MAX_MARK_PROCS] : NULL;
}

/* The words of an element, for those descriptors that say so. With the lock. */
static bool bits_of(GC_descr descriptor, size_t words, uint64_t *bits) {
  memset(bits, 0, (words + 63) / 64 * sizeof *bits);
  const struct bitmap *bitmap = bitmap_of(descriptor);
  GC_word tag = descriptor & GC_DS_TAGS;
  for (size_t i = 0; i < words; i++) {
    bool marked = bitmap ? i < bitmap->words && bitmap->bits[i / WORD_BITS] >> i % WORD_BITS & 1
                  : tag == GC_DS_LENGTH
                      ? i * sizeof(GC_word) < descriptor
                      : i < BITMAP_BITS && (descriptor & ~(GC_word)GC_DS_TAGS) >> (WORD_BITS - 1 - i) & 1;
    if (marked) bits[i / 64] |= UINT64_C(1) << i % 64;
  }
  return bitmap || tag == GC_DS_LENGTH || tag == GC_DS_BITMAP;
}

/* With the lock. 0: by no layout. */
static vgc_layout_id element_layout(GC_descr descriptor, size_t size) {
  for (unsigned i = 0; i < elements_count; i++)
    if (elements[i].descriptor == descriptor && elements[i].size == size) return elements[i].layout;
  uint64_t bits[64];
  if (elements_count == sizeof elements / sizeof *elements || size % sizeof(GC_word) || size > sizeof bits * 64)
    return 0;
  if (!bits_of(descriptor, size / sizeof(GC_word), bits)) return 0;
  struct vgc_layout layout = {.size = size, .pointer_words = bits, .name = "libgc element"};
  vgc_layout_id id = vgc_layout_register(&layout);
  if (id) elements[elements_count++] = (struct element){descriptor, size, id};
  return id;
}

/* What has no layout is scanned word by word, which finds no less. */
void *GC_calloc_explicitly_typed(size_t count, size_t size, GC_descr descriptor) {
  layer_ensure();
  size_t bytes;
  if (__builtin_mul_overflow(count, size, &bytes)) return GET(GC_oom_fn)(SIZE_MAX);
  layer_lock(MUTEX_KINDS);
  vgc_layout_id layout = element_layout(descriptor, size);
  layer_unlock(MUTEX_KINDS);
  if (!layout || !count) return GC_malloc(bytes);
  bool fills = layer_will_fill(true);
  void *ptr = vgc_malloc_typed(layout, count + (size_t)GET(GC_all_interior_pointers));
  layer_will_fill(fills);
  return ptr;
}

/* ---- gcj ---- */

int GC_gcj_kind, GC_gcj_debug_kind;

/* The first word of the object leads to its type, whose second word is the descriptor. */
#define GCJ_DESCRIPTOR ((GC_word)(-(GC_signed_word)sizeof(GC_word) - GC_INDIR_PER_OBJ_BIAS) | GC_DS_PER_OBJECT)

void GC_init_gcj_malloc(int index, void *procedure) {
  layer_ensure();
  layer_lock(MUTEX_KINDS);
  if (!GC_gcj_kind) {
    memcpy(&procedures[index % GC_MAX_MARK_PROCS], &procedure, sizeof procedure);
    bool ignored = getenv("GC_IGNORE_GCJ_INFO") != NULL; /* every word is followed */
    GC_gcj_kind =
        add((struct kind){.descriptor = ignored ? GC_DS_LENGTH : GCJ_DESCRIPTOR, .adds_size = ignored, .clears = true});
    GC_gcj_debug_kind = add((struct kind){.descriptor = GC_MAKE_PROC((GC_word)index, (GC_word)1), .clears = true});
  }
  layer_unlock(MUTEX_KINDS);
}

static void *malloc_gcj(size_t size, void *type, int kind) {
  void **ptr = GC_generic_malloc(size, kind);
  if (ptr) *ptr = type;
  return ptr;
}

void *GC_gcj_malloc(size_t size, void *type) { return malloc_gcj(size, type, GC_gcj_kind); }
void *GC_gcj_malloc_ignore_off_page(size_t size, void *type) { return malloc_gcj(size, type, GC_gcj_kind); }
