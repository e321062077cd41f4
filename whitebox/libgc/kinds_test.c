/* gc_mark.h, gc_typed.h, gc_gcj.h: what is scanned of an object, as its kind says. */
#include "client.h"

#include <gc/gc_gcj.h>
#include <gc/gc_inline.h>
#include <gc/gc_mark.h>
#include <gc/gc_typed.h>

/* ---- Objects of WORDS words, each with a pointer to an object of its own ---- */

enum { WORDS = 8 };

static void **(*make)(unsigned i);

static void fill(void *arg) {
  (void)arg;
  for (unsigned i = 0; i < MANY; i++) {
    void **object = make(i);
    must(object);
    for (unsigned w = 0; w < WORDS; w++) {
      if (object[w]) continue; /* its type */
      object[w] = GC_malloc(40);
      client_watch(w * MANY + i, object[w]);
    }
    client_roots[i] = object;
  }
}

/* How many objects of each word are gone. */
static void gone(unsigned words, unsigned *each) {
  unsigned before = 0;
  for (unsigned w = 0; w < words; w++) {
    unsigned sum = client_gone((w + 1) * MANY);
    each[w] = sum - before;
    before = sum;
  }
}

/* Words whose bit is set are followed, others (those with a type, too, which is no object) are not. */
static void follows_only(void **(*with)(unsigned), unsigned bits) {
  unsigned each[WORDS];
  make = with;
  client_below(fill, NULL);
  client_collect();
  gone(WORDS, each);
  for (unsigned w = 0; w < WORDS; w++) {
    if (bits >> w & 1)
      must(each[w] == 0);
    else
      must(each[w] >= MOST);
  }
}

static int kind;

static void **make_of_kind(unsigned i) { return i % 2 ? GC_generic_malloc(64, kind) : GC_malloc_kind(64, kind); }

static void new_kind(GC_word descriptor, int adds_size) {
  GC_INIT();
  kind = (int)GC_new_kind(GC_new_free_list(), descriptor, adds_size, 1);
}

TEST(kind_of_all_words) {
  new_kind(GC_DS_LENGTH, 1);
  follows_only(make_of_kind, 0xff);
}

TEST(kind_of_no_word) {
  new_kind(GC_DS_LENGTH, 0);
  follows_only(make_of_kind, 0);
}

TEST(kind_of_a_length) {
  new_kind(24 | GC_DS_LENGTH, 0);
  follows_only(make_of_kind, 0x07);
}

TEST(kind_of_a_bitmap) {
  new_kind((GC_word)1 << 63 | (GC_word)1 << 61 | (GC_word)1 << 58 | GC_DS_BITMAP, 0);
  follows_only(make_of_kind, 0x25);
}

static struct GC_ms_entry *mark_odd(GC_word *addr, struct GC_ms_entry *top, struct GC_ms_entry *limit, GC_word env) {
  if (env != 77) return top;
  for (unsigned w = 1; w < WORDS; w += 2) top = GC_MARK_AND_PUSH((void *)addr[w], top, limit, (void **)&addr[w]);
  return top;
}

TEST(kind_of_a_procedure) {
  GC_INIT();
  unsigned procedure = GC_new_proc(mark_odd);
  must(procedure >= GC_RESERVED_MARK_PROCS && procedure < GC_MAX_MARK_PROCS);
  must(GC_new_proc(mark_odd) != procedure);
  new_kind(GC_MAKE_PROC((GC_word)procedure, (GC_word)77), 0);
  follows_only(make_of_kind, 0xaa);
}

/* The descriptor at the object's second word. */
static void **make_with_own(unsigned i) {
  void **object = GC_generic_malloc(64, kind);
  object[1] = (void *)((GC_word)3 << 62 | GC_DS_BITMAP);            /* the first two */
  if (i % 2) object[1] = (void *)((GC_word)5 << 61 | GC_DS_BITMAP); /* first and third */
  return object;
}

TEST(kind_of_own_descriptors) {
  new_kind(8 | GC_DS_PER_OBJECT, 0);
  make = make_with_own;
  client_below(fill, NULL);
  client_collect();
  unsigned each[WORDS];
  gone(WORDS, each);
  must(each[0] == 0 && each[3] >= MOST && each[7] >= MOST);
  must(each[2] >= MOST / 2 && each[2] <= MANY / 2);
}

/* A type whose word before what the object's first word names is the descriptor, as the headers reckon. */
struct type {
  GC_word before;
  GC_word descriptor;
  GC_word after;
};
static struct type type = {0, (GC_word)7 << 60 | GC_DS_BITMAP, 0}; /* words 1 to 3 */

static void **make_of_type(unsigned i) {
  (void)i;
  void **object = GC_generic_malloc(64, kind);
  object[0] = &type;
  return object;
}

TEST(kind_of_descriptors_in_types) {
  /* (*object) - (descr & ~TAGS) - BIAS is the descriptor's place: the second word of the type. */
  GC_signed_word offset = -(GC_signed_word)sizeof(GC_word) - GC_INDIR_PER_OBJ_BIAS;
  new_kind((GC_word)offset | GC_DS_PER_OBJECT, 0);
  follows_only(make_of_type, 0x0e);
}

static void **make_gcj(unsigned i) {
  return i % 2 ? GC_gcj_malloc(64, &type) : GC_gcj_malloc_ignore_off_page(64, &type);
}

static struct GC_ms_entry *mark_gcj(GC_word *addr, struct GC_ms_entry *top, struct GC_ms_entry *limit, GC_word env) {
  if (env == 1) addr = GC_USR_PTR_FROM_BASE(addr);
  for (unsigned w = 4; w < 6; w++) top = GC_MARK_AND_PUSH((void *)addr[w], top, limit, (void **)&addr[w]);
  return top;
}

static void *mark_gcj_as_object(void) {
  void *object;
  GC_mark_proc procedure = mark_gcj;
  memcpy(&object, &procedure, sizeof object);
  return object;
}

TEST(gcj_by_type) {
  GC_INIT();
  GC_init_gcj_malloc(GC_GCJ_RESERVED_MARK_PROC_INDEX, mark_gcj_as_object());
  void **object = GC_GCJ_MALLOC(100, &type);
  must(object[0] == &type && !object[1] && !object[11] && GC_gcj_kind != GC_gcj_debug_kind);
  must(GC_get_kind_and_size(object, NULL) == GC_gcj_kind);
  follows_only(make_gcj, 0x0e);
}

static void **make_debug_gcj(unsigned i) { return GC_debug_gcj_malloc(64, &type, "kinds_test.c", (int)i); }

TEST(gcj_debug_by_procedure) {
  GC_INIT();
  GC_init_gcj_malloc(GC_GCJ_RESERVED_MARK_PROC_INDEX, mark_gcj_as_object());
  follows_only(make_debug_gcj, 0x30);
}

/* ---- Typed ---- */

static GC_descr descriptor;

static GC_descr describe(unsigned bits, unsigned words) {
  GC_word bitmap[1] = {bits};
  must(GC_get_bit(bitmap, 0) == (bits & 1));
  return GC_make_descriptor(bitmap, words);
}

static void **make_typed(unsigned i) {
  return i % 2 ? GC_malloc_explicitly_typed(64, descriptor)
               : GC_malloc_explicitly_typed_ignore_off_page(64, descriptor);
}

TEST(typed) {
  GC_INIT();
  descriptor = describe(0x2a, WORDS);
  follows_only(make_typed, 0x2a);
}

TEST(typed_words_behind_the_bitmap) {
  GC_INIT();
  descriptor = describe(0x3, 2);
  follows_only(make_typed, 0x3);
}

TEST(typed_without_pointers) {
  GC_INIT();
  descriptor = describe(0, 4);
  follows_only(make_typed, 0);
}

/* A bitmap of more words than a descriptor has bits. */
enum { FAR = 150 };

static void **make_large_typed(unsigned i) {
  (void)i;
  void **object = GC_malloc_explicitly_typed(sizeof(void *) * (FAR + 10), descriptor);
  object[FAR] = GC_malloc(16);
  client_watch(WORDS * MANY + i, object[FAR]);
  return object;
}

TEST(typed_large) {
  GC_INIT();
  GC_word bitmap[3] = {0};
  GC_set_bit(bitmap, 1);
  GC_set_bit(bitmap, FAR);
  must(GC_get_bit(bitmap, FAR) && !GC_get_bit(bitmap, FAR - 1));
  descriptor = GC_make_descriptor(bitmap, FAR + 1);
  make = make_large_typed;
  client_below(fill, NULL);
  client_collect();
  unsigned each[WORDS + 1];
  gone(WORDS + 1, each);
  must(each[1] == 0 && each[WORDS] == 0 && each[0] >= MOST && each[2] >= MOST);
}

static void describe_others(void *object, void *data) {
  (void)object, (void)data;
  GC_word bitmap[3] = {5};
  GC_set_bit(bitmap, FAR);
  must(GC_make_descriptor(bitmap, FAR + 1));
  must(GC_malloc_explicitly_typed(200, describe(0x8001, 20)));
}

static void drop(void *arg) {
  for (int i = 0; i < 4; i++) GC_register_finalizer(GC_malloc(16), describe_others, arg, NULL, NULL);
}

/* Whatever is asked for may collect, and so call finalizers that ask for the same. */
TEST(typed_while_finalizers_do_the_same) {
  must(!setenv("VGC_COLLECT_EVERY", "1", 1));
  GC_INIT();
  for (unsigned i = 0; i < MANY; i++) {
    GC_descr own = describe(0x101 + 2 * i, 20);
    client_below(drop, NULL);
    if (i % 2)
      must(GC_malloc_explicitly_typed(200, own));
    else
      describe_others(NULL, NULL);
  }
}

enum { PITCH = 4 };

static void **make_array(unsigned i) {
  (void)i;
  return GC_calloc_explicitly_typed(WORDS / PITCH, PITCH * sizeof(void *), descriptor);
}

TEST(typed_array) {
  GC_INIT();
  descriptor = describe(0x6, PITCH);
  volatile size_t too_many = SIZE_MAX / 16;
  must(!GC_calloc_explicitly_typed(too_many, 64, descriptor));
  follows_only(make_array, 0x66);
}

TEST(typed_arrays_of_many_shapes) {
  GC_INIT();
  for (unsigned words = 1; words <= 40; words++)
    for (unsigned count = 1; count <= 33; count += 4) {
      GC_descr shape = describe(1, words);
      void **array = GC_calloc_explicitly_typed(count, words * sizeof(void *), shape);
      for (unsigned i = 0; i < words * count; i++) must(!array[i]);
      for (unsigned i = 0; i < count; i++) {
        array[i * words] = GC_malloc(24);
        *(unsigned *)array[i * words] = i;
      }
      if (words % 8 == 0) GC_gcollect();
      for (unsigned i = 0; i < count; i++) must(*(unsigned *)array[i * words] == i);
    }
}

enum { LONG = 200, FOLLOWED = 150, NOT_FOLLOWED = 151 };

static void fill_long(void *arg) {
  void **array = arg;
  for (unsigned i = 0; i < 2 * MANY; i++) {
    void **word = &array[i / 2 * LONG + (i % 2 ? NOT_FOLLOWED : FOLLOWED)];
    client_watch(i % 2 * MANY + i / 2, *word = GC_malloc(16));
  }
}

/* Elements of which no single word can tell. */
TEST(typed_array_of_long_elements) {
  GC_INIT();
  GC_word bits[LONG / 64 + 1] = {0};
  GC_set_bit(bits, FOLLOWED);
  client_roots[0] = GC_calloc_explicitly_typed(MANY, LONG * sizeof(void *), GC_make_descriptor(bits, LONG));
  client_below(fill_long, client_roots[0]);
  client_collect();
  must(!client_gone(MANY));
  must(client_gone(2 * MANY) >= MOST);
}

TEST(typed_is_zero) {
  GC_INIT();
  descriptor = describe(0x2, 2);
  for (unsigned round = 0; round < 2000; round++) {
    char *object = GC_malloc_explicitly_typed(200, descriptor);
    for (unsigned i = 0; i < 200; i++) must(!object[i]);
    memset(object, 0xff, 200);
  }
}

/* ---- Numbers of kinds ---- */

TEST(kinds_are_known) {
  GC_INIT();
  size_t size = 0;
  void *normal = GC_malloc(100), *atomic = GC_malloc_atomic(100), *uncollectable = GC_malloc_uncollectable(100);
  must(GC_get_kind_and_size(normal, &size) == GC_I_NORMAL && size == GC_size(normal));
  must(GC_get_kind_and_size(atomic, &size) == GC_I_PTRFREE && size == GC_size(atomic));
  int number = GC_get_kind_and_size(uncollectable, NULL);
  must(number != GC_I_NORMAL && number != GC_I_PTRFREE);
  void *like = GC_generic_or_special_malloc(100, number);
  must(GC_get_kind_and_size(like, NULL) == number);
  void *debugging = GC_debug_generic_or_special_malloc(100, GC_I_PTRFREE, "kinds_test.c", 1);
  must(GC_get_kind_and_size(GC_base(debugging), NULL) == GC_I_PTRFREE);
  kind = (int)GC_new_kind(GC_new_free_list(), GC_DS_LENGTH, 1, 1);
  void **own = GC_generic_malloc(100, kind);
  must(GC_get_kind_and_size(own, &size) == kind && size >= 100);
  own = GC_realloc(own, 1000);
  must(GC_get_kind_and_size(own, &size) == kind && size >= 1000 && !own[100]);
  void *other = GC_generic_malloc_ignore_off_page(100000, kind);
  must(GC_get_kind_and_size(other, &size) == kind && size >= 100000);
}

static void *new_kinds_with_lock(void *arg) {
  unsigned procedure = GC_new_proc_inner(mark_odd);
  int first = (int)GC_new_kind_inner(GC_new_free_list_inner(), GC_MAKE_PROC((GC_word)procedure, (GC_word)77), 0, 1);
  *(int *)arg = first;
  return arg;
}

TEST(kinds_made_with_the_lock) {
  GC_INIT();
  must(GC_call_with_alloc_lock(new_kinds_with_lock, &kind) == &kind);
  follows_only(make_of_kind, 0xaa);
}

/* Unscanned, and cleared because the kind says so. */
TEST(kind_that_clears) {
  new_kind(GC_DS_LENGTH, 0);
  for (unsigned round = 0; round < 20000; round++) {
    char *object = GC_generic_malloc(100, kind);
    for (unsigned i = 0; i < 100; i += 9) must(!object[i]);
    memset(object, 0xff, 100);
  }
}

static void **make_uncollectable(unsigned i) {
  void *like = i < MANY / 2 ? GC_malloc_uncollectable(64) : GC_malloc_atomic_uncollectable(64);
  void **object = GC_generic_malloc_uncollectable(64, GC_get_kind_and_size(like, NULL));
  memset(object, 0, 64);
  return object;
}

TEST(generic_uncollectable) {
  GC_INIT();
  make = make_uncollectable;
  client_below(fill, NULL);
  memset(client_roots, 0, sizeof client_roots);
  client_collect();
  unsigned each[WORDS];
  gone(WORDS, each);
  must(each[2] >= MOST / 2 && each[2] <= MANY / 2); /* those of pointer-free objects */
}

/* ---- The heap's bounds ---- */

static int is_plausible(const void *object) {
  return (const char *)object >= (const char *)GC_least_plausible_heap_addr &&
         (const char *)object <= (const char *)GC_greatest_plausible_heap_addr;
}

enum { BLOCKS = 64, BLOCK_BYTES = 100000 };

/* A heap of many parts. Each block, and the one before it, by a procedure that asks about the bounds. */
static void *make_first(void *arg) {
  for (unsigned i = 0; i < MANY; i++) client_watch(i, GC_malloc(16));
  return arg;
}

static void *collect_once(void *arg) {
  GC_gcollect();
  return arg;
}

static void in_a_thread(void *(*body)(void *)) {
  pthread_t thread;
  must(!pthread_create(&thread, NULL, body, NULL) && !pthread_join(thread, NULL));
}

/* The bounds, which lie in memory that is scanned, do not keep the heap's first object. */
TEST(bounds_keep_nothing) {
  GC_INIT();
  in_a_thread(make_first);
  for (int i = 0; i < 3; i++) in_a_thread(collect_once);
  must(client_gone(MANY) == MANY);
}

TEST(plausible_in_a_growing_heap) {
  must(!setenv("VGC_ARENA_BYTES", "262144", 1));
  GC_INIT();
  unsigned procedure = GC_new_proc(mark_odd);
  kind = (int)GC_new_kind(GC_new_free_list(), GC_MAKE_PROC((GC_word)procedure, (GC_word)77), 0, 1);
  for (unsigned i = 0; i < BLOCKS; i++) {
    void **block = GC_malloc_kind(BLOCK_BYTES, kind);
    must(block && is_plausible(block));
    block[1] = client_roots[0];
    client_watch(i, block);
    client_roots[0] = block;
  }
  GC_gcollect();
  must(client_gone(BLOCKS) == 0);
  for (void **block = client_roots[0]; block; block = block[1]) must(is_plausible(block));
}

static void describe_object(void *object, char *text) {
  (void)object;
  strcpy(text, "described");
}

TEST(marks) {
  GC_INIT();
  GC_register_describe_type_fn(GC_I_NORMAL, describe_object);
  void *held = GC_malloc(16);
  GC_gcollect();
  GC_alloc_lock();
  int marked = GC_is_marked(held);
  GC_alloc_unlock();
  must(marked == 1);
  must(GC_clear_stack(held) == held);
  must(is_plausible(held));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(kind_of_all_words),
      cmocka_unit_test(kind_of_no_word),
      cmocka_unit_test(kind_of_a_length),
      cmocka_unit_test(kind_of_a_bitmap),
      cmocka_unit_test(kind_of_a_procedure),
      cmocka_unit_test(kind_of_own_descriptors),
      cmocka_unit_test(kind_of_descriptors_in_types),
      cmocka_unit_test(gcj_by_type),
      cmocka_unit_test(gcj_debug_by_procedure),
      cmocka_unit_test(typed),
      cmocka_unit_test(typed_words_behind_the_bitmap),
      cmocka_unit_test(typed_without_pointers),
      cmocka_unit_test(typed_large),
      cmocka_unit_test(typed_while_finalizers_do_the_same),
      cmocka_unit_test(typed_array),
      cmocka_unit_test(typed_arrays_of_many_shapes),
      cmocka_unit_test(typed_array_of_long_elements),
      cmocka_unit_test(typed_is_zero),
      cmocka_unit_test(kinds_are_known),
      cmocka_unit_test(kinds_made_with_the_lock),
      cmocka_unit_test(kind_that_clears),
      cmocka_unit_test(generic_uncollectable),
      cmocka_unit_test(bounds_keep_nothing),
      cmocka_unit_test(plausible_in_a_growing_heap),
      cmocka_unit_test(marks),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
