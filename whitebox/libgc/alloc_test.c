/* gc.h: allocation, realloc, free, and what is known of an object. */
#include "client.h"

static int is_zero(const void *ptr, size_t bytes) {
  const char *at = ptr;
  for (size_t i = 0; i < bytes; i++)
    if (at[i]) return 0;
  return 1;
}

static int is_filled(const void *ptr, int with, size_t bytes) {
  const unsigned char *at = ptr;
  for (size_t i = 0; i < bytes; i++)
    if (at[i] != (unsigned char)with) return 0;
  return 1;
}

/* ---- Plain ---- */

static void *(*const allocators[])(size_t) = {GC_malloc,
                                              GC_malloc_uncollectable,
                                              GC_malloc_stubborn,
                                              GC_malloc_ignore_off_page,
                                              GC_malloc_atomic,
                                              GC_malloc_atomic_uncollectable,
                                              GC_malloc_atomic_ignore_off_page};
enum { ALLOCATORS = sizeof allocators / sizeof *allocators, CLEARED = 4 };

static const size_t sizes[] = {0,  1,  2,   7,   8,   9,   15,   16,   17,   24,   31,    32,    33,     48,
                               63, 64, 100, 127, 128, 255, 1000, 2048, 4095, 4096, 10000, 65536, 1000000};
enum { SIZES = sizeof sizes / sizeof *sizes };

/* Large enough, aligned, cleared where it is said, and no two overlap. */
TEST(sizes_alignment_and_zeroes) {
  GC_INIT();
  for (unsigned a = 0; a < ALLOCATORS; a++) {
    unsigned char **held = GC_malloc(sizeof(void *) * SIZES);
    for (unsigned i = 0; i < SIZES; i++) {
      held[i] = allocators[a](sizes[i]);
      must(held[i] && (uintptr_t)held[i] % 16 == 0);
      must(GC_size(held[i]) >= sizes[i]);
      must(GC_base(held[i]) == held[i]);
      must(a >= CLEARED || is_zero(held[i], sizes[i]));
      memset(held[i], (int)i + 1, sizes[i]);
    }
    GC_gcollect();
    for (unsigned i = 0; i < SIZES; i++) must(is_filled(held[i], (int)i + 1, sizes[i]));
    GC_reachable_here(held);
  }
}

static void dirty(void *arg) {
  (void)arg;
  for (unsigned i = 0; i < 10000; i++) memset(GC_malloc(64), 0xff, 64);
}

TEST(reused_memory_is_zero) {
  GC_INIT();
  for (int round = 0; round < 5; round++) {
    client_below(dirty, NULL);
    client_collect();
    for (unsigned i = 0; i < 10000; i++) must(is_zero(GC_malloc(64), 64));
  }
  for (unsigned i = 0; i < 10000; i++) {
    void *ptr = GC_malloc_uncollectable(40);
    must(is_zero(ptr, 40));
    memset(ptr, 0xff, 40);
    GC_free(ptr);
  }
}

TEST(macros) {
  GC_INIT();
  struct pair {
    void *first, *second;
  };
  struct pair *pair = GC_NEW(struct pair);
  struct pair *uncollectable = GC_NEW_UNCOLLECTABLE(struct pair);
  long *number = GC_NEW_ATOMIC(long);
  must(pair && uncollectable && number && !pair->second && !uncollectable->first);
  GC_PTR_STORE(&pair->first, number);
  GC_PTR_STORE_AND_DIRTY(&pair->second, uncollectable);
  GC_END_STUBBORN_CHANGE(pair);
  GC_change_stubborn(pair);
  must(pair->first == number && pair->second == uncollectable);
  int *array = GC_malloc(40);
  must(GC_PTR_ADD(array, 3) == array + 3);
  GC_free(uncollectable);
  GC_free(NULL);
}

TEST(strings) {
  GC_INIT();
  char *copy = GC_strdup("libgc"), *part = GC_strndup("libgc", 3), *whole = GC_strndup("libgc", 99);
  GC_gcollect();
  must(!strcmp(copy, "libgc") && !strcmp(part, "lib") && !strcmp(whole, "libgc"));
  must(!*GC_strdup("") && !*GC_strndup("libgc", 0));
  must(GC_base(copy) == copy);
}

static void align(size_t most) {
  GC_INIT();
  for (size_t alignment = 16; alignment <= most; alignment *= 2)
    for (size_t size = 1; size < 100000; size = size * 3 + 1) {
      char *ptr = GC_memalign(alignment, size);
      must(ptr && (uintptr_t)ptr % alignment == 0 && GC_base(ptr + size - 1) == GC_base(ptr));
      void *other = NULL;
      must(GC_posix_memalign(&other, alignment, size) == 0 && (uintptr_t)other % alignment == 0);
      memset(ptr, 1, size);
      memset(other, 2, size);
      must(is_filled(ptr, 1, size));
    }
}

TEST(aligned) { align(4096); }
TEST_OURS(aligned_to_more_than_a_page, "its largest alignment is a page") { align(65536); }

/* What is no power of two, too. */
TEST(odd_alignments) {
  GC_INIT();
  static const size_t alignments[] = {0, 1, 2, 3, 5, 8, 12, 24, 100};
  for (unsigned i = 0; i < sizeof alignments / sizeof *alignments; i++)
    for (size_t size = 1; size < 10000; size = size * 3 + 1) {
      char *ptr = GC_memalign(alignments[i], size);
      must(ptr && GC_base(ptr + size - 1) == GC_base(ptr));
      memset(ptr, 1, size);
    }
}

TEST(refused_alignments) {
  GC_INIT();
  void *untouched = &untouched;
  must(GC_posix_memalign(&untouched, 3, 8) == EINVAL && untouched == &untouched);
  must(GC_posix_memalign(&untouched, 4, 8) == EINVAL && untouched == &untouched);
}

/* ---- What is scanned, and what lives ---- */

typedef void *allocator(size_t);

/* In each of MANY objects one pointer, which nothing else holds. */
static void hold_by(void *arg) {
  allocator *allocate = *(allocator **)arg;
  for (unsigned i = 0; i < MANY; i++) {
    void **holder = allocate(64);
    holder[3] = GC_malloc(32);
    client_watch(i, holder[3]);
    client_roots[i] = holder;
  }
}

static unsigned gone_by(allocator *allocate) {
  GC_INIT();
  client_below(hold_by, &allocate);
  client_collect();
  return client_gone(MANY);
}

TEST(scanned) { must(gone_by(GC_malloc) == 0); }
TEST(scanned_uncollectable) { must(gone_by(GC_malloc_uncollectable) == 0); }
TEST(scanned_large) { must(gone_by(GC_malloc_ignore_off_page) == 0); }
TEST(unscanned) { must(gone_by(GC_malloc_atomic) >= MOST); }
TEST(unscanned_uncollectable) { must(gone_by(GC_malloc_atomic_uncollectable) >= MOST); }
TEST(unscanned_large) { must(gone_by(GC_malloc_atomic_ignore_off_page) >= MOST); }

static void drop(void *arg) {
  allocator *allocate = *(allocator **)arg;
  for (unsigned i = 0; i < MANY; i++) client_watch(i, allocate(48));
}

static unsigned gone_of(allocator *allocate) {
  GC_INIT();
  client_below(drop, &allocate);
  client_collect();
  return client_gone(MANY);
}

TEST(collected) { must(gone_of(GC_malloc) >= MOST); }
TEST(collected_atomic) { must(gone_of(GC_malloc_atomic) >= MOST); }
TEST(uncollectable_stays) { must(gone_of(GC_malloc_uncollectable) == 0); }
TEST(uncollectable_atomic_stays) { must(gone_of(GC_malloc_atomic_uncollectable) == 0); }

static ptrdiff_t displacement;

static void hold_displaced(void *arg) {
  (void)arg;
  for (unsigned i = 0; i < MANY; i++) {
    size_t size = 16 * (i + 1);
    char *object = i % 2 ? GC_malloc(size) : GC_malloc_atomic(size);
    client_watch(i, object);
    client_roots[i] = object + (displacement < 0 ? (ptrdiff_t)size : displacement);
  }
}

static unsigned gone_displaced(int all_interior, ptrdiff_t where, int registered) {
  GC_set_all_interior_pointers(all_interior);
  GC_INIT();
  if (registered) GC_register_displacement((size_t)where);
  displacement = where;
  client_below(hold_displaced, NULL);
  client_collect();
  return client_gone(MANY);
}

TEST(interior_pointers) { must(gone_displaced(1, 11, 0) == 0); }
TEST(pointers_behind_the_end) { must(gone_displaced(1, -1, 0) == 0); }
TEST(no_interior_pointers) { must(gone_displaced(0, 11, 0) >= MOST); }
TEST(registered_displacement) { must(gone_displaced(0, 8, 1) == 0); }

/* Those of the stack count even so. */
TEST(interior_pointers_of_the_stack) {
  GC_set_all_interior_pointers(0);
  GC_INIT();
  char *volatile kept[MANY];
  for (unsigned i = 0; i < MANY; i++) {
    kept[i] = GC_malloc(64);
    client_watch(i, kept[i]);
    kept[i] += 24;
  }
  client_collect();
  must(client_gone(MANY) == 0);
  must(kept[0] != NULL);
}

/* ---- Realloc ---- */

TEST(realloc_content) {
  GC_INIT();
  char *ptr = GC_realloc(NULL, 10);
  must(ptr && is_zero(ptr, 10));
  memset(ptr, 7, 10);
  for (size_t size = 10; size < 300000; size = size * 2 + 3) {
    size_t next = size * 2 + 3;
    ptr = GC_realloc(ptr, next);
    must(ptr && is_filled(ptr, 7, size));
    must(is_zero(ptr + size, next - size));
    memset(ptr, 7, next);
  }
  for (size_t size = 100000; size; size /= 3) {
    ptr = GC_realloc(ptr, size);
    must(ptr && is_filled(ptr, 7, size));
  }
  must(GC_realloc(ptr, 0) == NULL);
  must(GC_realloc(NULL, 0) != NULL);
}

/* Shrunk and grown in place or not: what is added is zero. */
TEST(realloc_zeroes_after_shrinking) {
  GC_INIT();
  for (size_t small = 1; small < 64; small++) {
    char *ptr = GC_malloc(64);
    memset(ptr, 9, 64);
    ptr = GC_realloc(ptr, small);
    size_t known = GC_size(ptr) < 64 ? GC_size(ptr) : 64;
    char *grown = GC_realloc(ptr, 200);
    must(is_filled(grown, 9, small) && is_zero(grown + known, 200 - known));
  }
}

/* To any size, by any size: in place, and by a copy. */
TEST(realloc_zeroes_what_was_given_up) {
  GC_INIT();
  for (unsigned a = 0; a < CLEARED; a++)
    for (unsigned i = 1; i < SIZES; i++)
      for (unsigned j = 1; j < i; j++)
        for (unsigned k = j + 1; k < SIZES && sizes[k] <= 4 * sizes[i]; k++) {
          char *ptr = allocators[a](sizes[i]);
          memset(ptr, 9, sizes[i]);
          ptr = GC_realloc(GC_realloc(ptr, sizes[j]), sizes[k]);
          must(is_filled(ptr, 9, sizes[j]) && is_zero(ptr + sizes[j], sizes[k] - sizes[j]));
          GC_free(ptr);
        }
}

/* What the program gives instead of memory has another size than was asked for. */
static void *reserve;
static void *give_reserve(size_t bytes) { return bytes > 1 << 20 ? reserve : NULL; }

TEST(realloc_without_memory) {
  GC_INIT();
  reserve = GC_malloc(100);
  GC_set_oom_fn(give_reserve);
  must(GC_realloc(GC_malloc(10), (size_t)1 << 60) == reserve);
}

static void hold_by_realloc(void *arg) {
  allocator *allocate = *(allocator **)arg;
  for (unsigned i = 0; i < MANY; i++) {
    void **holder = GC_realloc(allocate(16), 400);
    holder[3] = GC_malloc(32);
    client_watch(i, holder[3]);
    client_watch(MANY + i, holder);
    client_roots[i] = (void *)GC_HIDE_POINTER(holder);
  }
}

static void gone_by_realloc(allocator *allocate, unsigned *contents, unsigned *both) {
  GC_INIT();
  client_below(hold_by_realloc, &allocate);
  client_collect();
  *contents = client_gone(MANY);
  *both = client_gone(2 * MANY);
}

TEST(realloc_keeps_the_kind_atomic_uncollectable) {
  unsigned contents, both;
  gone_by_realloc(GC_malloc_atomic_uncollectable, &contents, &both);
  must(contents >= MOST && both == contents);
}

TEST(realloc_keeps_the_kind_uncollectable) {
  unsigned contents, both;
  gone_by_realloc(GC_malloc_uncollectable, &contents, &both);
  must(both == 0);
}

TEST(realloc_keeps_the_kind_normal) {
  unsigned contents, both;
  gone_by_realloc(GC_malloc, &contents, &both);
  must(both - contents >= MOST);
}

/* ---- Accounting ---- */

TEST_OURS(bytes_not_of_the_collector, "small ones are subtracted, but not added") {
  GC_INIT();
  GC_word before = GC_get_non_gc_bytes();
  must(before == GC_non_gc_bytes);
  void *held[MANY];
  for (unsigned i = 0; i < MANY; i++)
    held[i] = i % 2 ? GC_malloc_uncollectable(1000) : GC_malloc_atomic_uncollectable(1000);
  must(GC_get_non_gc_bytes() >= before + MANY * 1000);
  for (unsigned i = 0; i < MANY; i++) held[i] = GC_realloc(held[i], 3000);
  must(GC_get_non_gc_bytes() >= before + MANY * 3000);
  void *collectable = GC_malloc(1000);
  GC_free(collectable);
  for (unsigned i = 0; i < MANY; i++) GC_free(held[i]);
  must(GC_get_non_gc_bytes() == before);
  GC_set_non_gc_bytes(before + 5);
  must(GC_non_gc_bytes == before + 5);
}

TEST(what_is_freed_is_used_again) {
  GC_INIT();
  size_t before = GC_get_heap_size();
  for (unsigned i = 0; i < 500000; i++) GC_free(GC_malloc(1000));
  must(GC_get_heap_size() < before + 16 * 1024 * 1024);
}

/* ---- Lists ---- */

static unsigned walk(void *list, size_t size, int zero) {
  unsigned count = 0;
  for (void *at = list; at; at = GC_NEXT(at), count++) {
    must(GC_base(at) == at && GC_size(at) >= size);
    if (zero && size > sizeof(void *)) must(is_zero((char *)at + sizeof(void *), size - sizeof(void *)));
  }
  return count;
}

TEST(lists_survive_by_their_head) {
  GC_INIT();
  for (size_t size = 8; size <= 20000; size = size * 3 / 2 + 8)
    for (int round = 0; round < 20; round++) {
      void *volatile head = GC_malloc_many(size);
      unsigned before = walk(head, size, 1);
      must(before >= 1);
      if (round % 8 == 0) client_collect();
      for (unsigned i = 0; i < 100; i++) memset(GC_malloc(size), 0xff, size);
      must(walk(head, size, 1) == before);
    }
}

/* ---- Addresses ---- */

static int in_static_data[4];

TEST(base_and_size) {
  GC_INIT();
  int on_stack[4] = {0};
  char *outside = malloc(100);
  must(!GC_base(in_static_data) && !GC_base(on_stack) && !GC_base(outside) && !GC_base(NULL));
  must(!GC_is_heap_ptr(in_static_data) && !GC_is_heap_ptr(on_stack) && !GC_is_heap_ptr(outside));
  for (unsigned i = 0; i < SIZES; i++) {
    char *object = GC_malloc(sizes[i]);
    must(GC_is_heap_ptr(object));
    for (size_t at = 0; at < sizes[i]; at += sizes[i] / 16 + 1)
      must(GC_base(object + at) == object && GC_is_heap_ptr(object + at));
    must(GC_size(object) < 2 * sizes[i] + 8192);
  }
  free(outside);
}

TEST(size_map) {
  GC_INIT();
  must(GC_get_size_map_at(-1) == (size_t)-1 && GC_get_size_map_at(1 << 30) == (size_t)-1);
  for (int size = 1; size <= 1024; size++) {
    void *object = GC_malloc((size_t)size);
    size_t mapped = GC_get_size_map_at(size);
    must(mapped == (size_t)-1 || mapped == GC_size(object));
  }
  must(GC_get_size_map_at(100) >= 100 && GC_get_size_map_at(100) != (size_t)-1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(sizes_alignment_and_zeroes),
      cmocka_unit_test(reused_memory_is_zero),
      cmocka_unit_test(macros),
      cmocka_unit_test(strings),
      cmocka_unit_test(aligned),
      cmocka_unit_test(aligned_to_more_than_a_page),
      cmocka_unit_test(odd_alignments),
      cmocka_unit_test(refused_alignments),
      cmocka_unit_test(scanned),
      cmocka_unit_test(scanned_uncollectable),
      cmocka_unit_test(scanned_large),
      cmocka_unit_test(unscanned),
      cmocka_unit_test(unscanned_uncollectable),
      cmocka_unit_test(unscanned_large),
      cmocka_unit_test(collected),
      cmocka_unit_test(collected_atomic),
      cmocka_unit_test(uncollectable_stays),
      cmocka_unit_test(uncollectable_atomic_stays),
      cmocka_unit_test(interior_pointers),
      cmocka_unit_test(pointers_behind_the_end),
      cmocka_unit_test(no_interior_pointers),
      cmocka_unit_test(registered_displacement),
      cmocka_unit_test(interior_pointers_of_the_stack),
      cmocka_unit_test(realloc_content),
      cmocka_unit_test(realloc_zeroes_after_shrinking),
      cmocka_unit_test(realloc_zeroes_what_was_given_up),
      cmocka_unit_test(realloc_without_memory),
      cmocka_unit_test(realloc_keeps_the_kind_atomic_uncollectable),
      cmocka_unit_test(realloc_keeps_the_kind_uncollectable),
      cmocka_unit_test(realloc_keeps_the_kind_normal),
      cmocka_unit_test(bytes_not_of_the_collector),
      cmocka_unit_test(what_is_freed_is_used_again),
      cmocka_unit_test(lists_survive_by_their_head),
      cmocka_unit_test(base_and_size),
      cmocka_unit_test(size_map),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
