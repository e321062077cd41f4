/* gc.h and leak_detector.h: objects that are lost or overwritten, and the debugging allocation that tells where they
 * were made. */
#define GC_DEBUG
#include "client.h"

#include <gc/gc_gcj.h>
#include <gc/gc_inline.h>
#include <gc/gc_mark.h>
#include <gc/leak_detector.h>

#define HERE "leak_test.c:"

static const struct client_end *passes(void (*body)(void)) {
  const struct client_end *end = client_run(body, NULL);
  if (!client_exited(end, 0)) fail_msg("status 0x%x\n%s", (unsigned)end->status, end->text);
  return end;
}

/* ---- Leaks; malloc, calloc, realloc, strdup and free are the detector's ---- */

static int freed;

static void make(void *arg) {
  (void)arg;
  for (int i = 0; i < 10; i++) {
    void *volatile made[6];
    made[0] = malloc(100);
    made[1] = calloc(10, 10);
    made[2] = realloc(malloc(10), 200);
    made[3] = realloc(NULL, 50);
    made[4] = strdup("leak");
    made[5] = strndup("leak", 3);
    must(!strcmp(made[4], "leak") && !strcmp(made[5], "lea"));
    for (int k = 0; k < 6; k++) {
      if (freed) free(made[k]);
      made[k] = NULL;
    }
  }
}

static void lose(void) {
  GC_set_find_leak(1);
  GC_INIT();
  client_below(make, NULL);
  client_scrub();
  CHECK_LEAKS();
}

static void lose_and_exit(void) {
  GC_set_find_leak(1);
  GC_INIT();
  client_below(make, NULL);
}

static void leaks_are_reported(void **state) {
  (void)state;
  freed = 0;
  assert_true(client_count(passes(lose), HERE) >= 30);
}

static void leaks_are_reported_at_exit(void **state) {
  (void)state;
  freed = 0;
  assert_true(client_count(passes(lose_and_exit), HERE) >= 30);
}

static void what_is_freed_is_no_leak(void **state) {
  (void)state;
  freed = 1;
  assert_string_equal(passes(lose)->text, "");
}

static void hold(void *arg) {
  (void)arg;
  for (unsigned i = 0; i < MANY; i++) {
    void **object = malloc(64);
    object[2] = malloc(32);
    client_roots[i] = object;
  }
}

static void keep(void) {
  GC_set_find_leak(1);
  GC_INIT();
  client_below(hold, NULL);
  client_collect();
}

static void what_is_reachable_is_no_leak(void **state) {
  (void)state;
  assert_string_equal(passes(keep)->text, "");
}

static void aligned(void) {
  GC_set_find_leak(1);
  GC_INIT();
  void *first = memalign(64, 100), *second = NULL;
  must(first && !posix_memalign(&second, 128, 100));
  must((uintptr_t)first % 64 == 0 && (uintptr_t)second % 128 == 0);
  GC_reachable_here(first);
  GC_reachable_here(second);
}

static void aligned_memory(void **state) {
  (void)state;
  passes(aligned);
}

static void never_called(void *object, void *arg) {
  (void)object, (void)arg;
  must(0);
}

static void link_and_finalize(void *arg) {
  static void *link;
  void *object = (GC_malloc)(16);
  (void)arg;
  GC_register_finalizer(object, never_called, NULL, NULL, NULL);
  must(GC_general_register_disappearing_link(&link, object) == GC_UNIMPLEMENTED);
}

static void use_in_leak_mode(void) {
  GC_set_find_leak(1);
  GC_INIT();
  client_below(link_and_finalize, NULL);
  client_collect();
  GC_invoke_finalizers();
}

static void neither_finalizers_nor_links(void **state) {
  (void)state;
  passes(use_in_leak_mode);
}

/* ---- Overwritten objects ---- */

static int overwrite, by_free, line;

static void write_behind(void) {
  GC_INIT();
  for (int size = 1; size < 40; size++) {
    char *object = GC_MALLOC((size_t)size);
    char *atomic = GC_MALLOC_ATOMIC((size_t)size);
    line = __LINE__ - 1;
    memset(object, 0xab, (size_t)size);
    memset(atomic, 0xab, (size_t)size + (overwrite ? 8 : 0));
    if (by_free) GC_FREE(atomic);
    if (!by_free) GC_gcollect();
    if (overwrite && !by_free) memset(atomic + size, 0, 8);
    GC_reachable_here(object);
    GC_reachable_here(atomic);
    if (overwrite) break;
  }
  printf("%d\n", line);
}

static int reports_line(const struct client_end *end) {
  char word[64];
  const char *last = end->text + strlen(end->text) - 1;
  while (last > end->text && last[-1] != '\n') last--;
  snprintf(word, sizeof word, HERE "%d", atoi(last));
  return client_count(end, word) > 0;
}

static void overwritten_found_by_collection(void **state) {
  (void)state;
  overwrite = 1, by_free = 0;
  assert_true(reports_line(passes(write_behind)));
}

static void overwrite_and_go_on(void) {
  GC_INIT();
  char *volatile made = GC_MALLOC(16); /* whose size the compiler forgets */
  line = __LINE__ - 1;
  char *object = made;
  memset(object + 16, 9, 8);
  GC_word before = GC_get_gc_no();
  while (GC_get_gc_no() < before + 3) GC_malloc_atomic(1000);
  memset(object + 16, 0, 8);
  GC_reachable_here(object);
  printf("%d\n", line);
}

static void overwritten_found_by_the_next_collection(void **state) {
  (void)state;
  assert_true(reports_line(passes(overwrite_and_go_on)));
}

static void overwritten_found_by_free(void **state) {
  (void)state;
  overwrite = by_free = 1;
  assert_true(reports_line(passes(write_behind)));
}

static void whole_objects_are_not_reported(void **state) {
  (void)state;
  overwrite = 0;
  for (by_free = 0; by_free < 2; by_free++) assert_false(client_count(passes(write_behind), HERE));
}

static int is_zero(const char *bytes, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (bytes[i]) return 0;
  return 1;
}

static void drop_small(void *arg) {
  (void)arg;
  for (unsigned i = 0; i < 50000; i++) *(char *)GC_MALLOC_ATOMIC(20) = 1;
}

/* Not all of it: what earlier objects have left at its start may stay. */
static void use_for_others(void) {
  GC_INIT();
  client_below(drop_small, NULL);
  client_collect();
  for (unsigned i = 0; i < 5000; i++) {
    char *plain = GC_malloc_atomic(1000);
    memset(plain + 50, 1, 950);
    client_roots[i % MANY] = plain;
  }
  GC_gcollect();
}

static void what_is_left_of_others_is_not_reported(void **state) {
  (void)state;
  assert_string_equal(passes(use_for_others)->text, "");
}

/* ---- Misuse, after which the program goes on ---- */

static struct misuse { int front, behind, collect, again, realloc; } misuse;

static void misuse_one(void) {
  GC_INIT();
  char *volatile made = GC_MALLOC(16); /* whose size the compiler forgets */
  line = __LINE__ - 1;
  char *object = made;
  memset(object, 0xab, 16);
  if (misuse.front) memset(object - misuse.front, 9, (size_t)misuse.front);
  if (misuse.behind) memset(object + 16, 9, (size_t)misuse.behind);
  if (misuse.collect) GC_gcollect();
  char *moved = misuse.realloc ? GC_REALLOC(object, 50) : NULL;
  must(!misuse.realloc || (moved[0] == (char)0xab && moved[15] == (char)0xab && is_zero(moved + 16, 34)));
  if (!misuse.collect && !misuse.realloc) GC_FREE(object);
  if (misuse.again) GC_FREE(object);
  GC_reachable_here(object);
  printf("%d\n", line);
}

static const struct client_end *misused(struct misuse how) {
  misuse = how;
  return passes(misuse_one);
}

static void overwritten_in_front(void **state) {
  (void)state;
  for (int front = 1; front <= 8; front += 7) {
    assert_true(reports_line(misused((struct misuse){.front = front, .collect = 1})));
    assert_true(reports_line(misused((struct misuse){.front = front})));
    assert_true(reports_line(misused((struct misuse){.front = front, .realloc = 1})));
  }
}

/* What tells the place of allocation is overwritten, too: it is not followed. */
static void overwritten_far_in_front(void **state) {
  (void)state;
  for (int front = 9; front <= 32; front++) {
    assert_true(client_count(misused((struct misuse){.front = front, .collect = 1}), "\n") > 1);
    assert_true(client_count(misused((struct misuse){.front = front}), "\n") > 1);
    assert_true(client_count(misused((struct misuse){.front = front, .behind = 8}), "\n") > 1);
  }
}

static void freed_twice(void **state) {
  (void)state;
  assert_true(client_count(misused((struct misuse){0}), "\n") == 1);
  assert_true(client_count(misused((struct misuse){.again = 1}), "\n") == 2);
  assert_true(client_count(misused((struct misuse){.behind = 8, .again = 1}), "\n") == 3);
}

static void free_amidst(void) {
  GC_INIT();
  char *object = GC_MALLOC(40);
  memset(object, 1, 40);
  GC_FREE(object + 1);
  must(object[0] == 1);
}

static void freed_by_no_start(void **state) {
  (void)state;
  assert_true(*passes(free_amidst)->text);
}

/* Whoever gets the memory next is not freed by the second call. */
static void free_twice_with_others(void) {
  GC_INIT();
  for (unsigned i = 0; i < MANY; i++) {
    char *object = GC_MALLOC_ATOMIC(40);
    GC_FREE(object);
    char *other = client_roots[i] = GC_MALLOC_ATOMIC(40);
    memset(other, (int)i, 40);
    GC_FREE(object);
  }
  for (unsigned i = 0; i < 1000; i++) memset(GC_MALLOC_ATOMIC(40), 0xff, 40);
  for (unsigned i = 0; i < MANY; i++) must(*(char *)client_roots[i] == (char)i);
}

static void freed_twice_with_others(void **state) {
  (void)state;
  assert_true(client_count(passes(free_twice_with_others), "\n") == MANY);
}

static void drop_freed(void *arg) {
  (void)arg;
  for (unsigned i = 0; i < MANY; i++) {
    void **object = GC_MALLOC(40);
    object[1] = GC_MALLOC(40);
    client_watch(i, object[1]);
    client_roots[i] = object;
    GC_FREE(object);
  }
}

TEST(freed_objects_hold_nothing) {
  GC_INIT();
  client_below(drop_freed, NULL);
  client_collect();
  must(client_gone(MANY) >= MOST);
}

TEST(freed_memory_is_used_again) {
  GC_INIT();
  size_t before = GC_get_heap_size();
  for (unsigned i = 0; i < 500000; i++) GC_FREE(GC_MALLOC(1000));
  must(GC_get_heap_size() < before + 16 * 1024 * 1024);
}

/* ---- Debugging allocation ---- */

TEST(debugging_objects) {
  GC_INIT();
  must(GC_get_debug_header_size() == GC_debug_header_size && GC_debug_header_size > 0);
  for (size_t size = 1; size < 5000; size = size * 3 / 2 + 1) {
    char *made[] = {GC_debug_malloc(size, "file.c", 1),
                    GC_debug_malloc_uncollectable(size, "file.c", 2),
                    GC_debug_malloc_ignore_off_page(size, "file.c", 3),
                    GC_debug_malloc_stubborn(size, "file.c", 4),
                    GC_debug_malloc_replacement(size),
                    GC_debug_malloc_atomic(size, "file.c", 5),
                    GC_debug_malloc_atomic_uncollectable(size, "file.c", 6),
                    GC_debug_malloc_atomic_ignore_off_page(size, "file.c", 7)};
    for (unsigned i = 0; i < sizeof made / sizeof *made; i++) {
      must(made[i] && (uintptr_t)made[i] % 8 == 0 && (i > 4 || is_zero(made[i], size)));
      must(GC_base(made[i]) != made[i] && GC_USR_PTR_FROM_BASE(GC_base(made[i])) == made[i]);
      must(GC_size(GC_base(made[i])) > size);
      memset(made[i], (int)i + 1, size);
    }
    GC_gcollect();
    for (unsigned i = 0; i < sizeof made / sizeof *made; i++) {
      must(made[i][0] == (char)(i + 1) && made[i][size - 1] == (char)(i + 1));
      GC_debug_free(made[i]);
    }
  }
  GC_debug_free(NULL);
}

TEST(debugging_realloc) {
  GC_INIT();
  char *object = GC_debug_realloc(NULL, 5, "file.c", 1);
  must(object);
  memset(object, 3, 5);
  for (size_t size = 5; size < 10000; size = size * 2 + 1) {
    object = size % 2 ? GC_debug_realloc(object, size * 2 + 1, "file.c", 2)
                      : GC_debug_realloc_replacement(object, size * 2 + 1);
    must(object[0] == 3 && object[size - 1] == 3 && is_zero(object + size, size + 1));
    memset(object, 3, size * 2 + 1);
  }
  object = GC_debug_realloc(object, 10, "file.c", 3);
  must(object[0] == 3 && object[9] == 3);
  must(!GC_debug_realloc(object, 0, "file.c", 4));
  char *atomic = GC_debug_realloc(GC_debug_malloc_atomic(10, "file.c", 5), 500, "file.c", 6);
  must(GC_get_kind_and_size(GC_base(atomic), NULL) == GC_get_kind_and_size(GC_malloc_atomic(10), NULL));
  void **word = GC_debug_malloc(sizeof *word, "file.c", 7);
  GC_debug_ptr_store_and_dirty(word, atomic);
  must(*word == atomic);
  GC_debug_end_stubborn_change(word);
  GC_debug_change_stubborn(word);
}

static struct GC_ms_entry *mark_nothing(GC_word *words, struct GC_ms_entry *entry, struct GC_ms_entry *limit,
                                        GC_word environment) {
  (void)words, (void)limit, (void)environment;
  return entry;
}

/* With what is added to them. */
TEST(sizes_that_overflow) {
  static struct {
    void *unused;
    GC_word descriptor;
  } type;
  GC_INIT();
  GC_init_gcj_malloc(5, (void *)(GC_word)mark_nothing);
  for (size_t less = 1; less < 100; less++) {
    volatile size_t size = (size_t)0 - less;
    must(!GC_debug_malloc(size, "file.c", 1) && !GC_debug_malloc_atomic(size, "file.c", 1));
    must(!GC_debug_malloc_uncollectable(size, "file.c", 1));
    must(!GC_debug_malloc_atomic_uncollectable(size, "file.c", 1));
    must(!GC_debug_malloc_ignore_off_page(size, "file.c", 1));
    must(!GC_debug_malloc_atomic_ignore_off_page(size, "file.c", 1));
    must(!GC_debug_malloc_stubborn(size, "file.c", 1) && !GC_debug_malloc_replacement(size));
    must(!GC_debug_generic_or_special_malloc(size, GC_I_NORMAL, "file.c", 1));
    must(!GC_debug_gcj_malloc(size, &type, "file.c", 1));
    must(!GC_debug_realloc(NULL, size, "file.c", 1));
    must(!GC_debug_realloc(GC_debug_malloc(10, "file.c", 1), size, "file.c", 1));
  }
  must(!strcmp(GC_debug_strndup("abc", SIZE_MAX, "file.c", 1), "abc"));
}

static void ask_for_too_much(void) {
  GC_INIT();
  must(!GC_MALLOC(SIZE_MAX / 2));
}

static void out_of_memory_is_reported(void **state) {
  (void)state;
  assert_true(client_count(passes(ask_for_too_much), HERE));
}

static char reserve[100];
static void *give_reserve(size_t bytes) { return bytes ? reserve : NULL; }

TEST_OURS(reserve_is_given_as_it_is, "writes behind it") {
  GC_INIT();
  GC_set_oom_fn(give_reserve);
  volatile uintptr_t given = (uintptr_t)GC_MALLOC((size_t)1 << 60); /* the compiler takes it for fresh */
  must(given == (uintptr_t)reserve && is_zero(reserve, sizeof reserve));
}

static void hold_debugging(void *arg) {
  (void)arg;
  for (unsigned i = 0; i < MANY; i++) {
    client_roots[i] = i % 2 ? GC_MALLOC(40) : (void *)GC_STRDUP("kept");
    client_watch(i, client_roots[i]);
  }
}

static unsigned gone_of_held(int all_interior) {
  GC_set_all_interior_pointers(all_interior);
  GC_INIT();
  GC_debug_register_displacement(8);
  client_below(hold_debugging, NULL);
  client_collect();
  must(client_gone(MANY) == 0);
  for (unsigned i = 1; i < MANY; i += 2) client_roots[i] = (char *)client_roots[i] + 8;
  client_collect();
  return client_gone(MANY);
}

/* What the program is given is not the base, and keeps the object even so. */
TEST(debugging_pointers_keep) { must(gone_of_held(1) == 0); }
TEST(debugging_pointers_keep_without_interior_ones) { must(gone_of_held(0) == 0); }

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(leaks_are_reported),
      cmocka_unit_test(leaks_are_reported_at_exit),
      cmocka_unit_test(what_is_freed_is_no_leak),
      cmocka_unit_test(what_is_reachable_is_no_leak),
      cmocka_unit_test(aligned_memory),
      cmocka_unit_test(neither_finalizers_nor_links),
      cmocka_unit_test(overwritten_found_by_collection),
      cmocka_unit_test(overwritten_found_by_the_next_collection),
      cmocka_unit_test(overwritten_found_by_free),
      cmocka_unit_test(whole_objects_are_not_reported),
      cmocka_unit_test(what_is_left_of_others_is_not_reported),
      cmocka_unit_test(overwritten_in_front),
      cmocka_unit_test(overwritten_far_in_front),
      cmocka_unit_test(freed_twice),
      cmocka_unit_test(freed_by_no_start),
      cmocka_unit_test(freed_twice_with_others),
      cmocka_unit_test(freed_objects_hold_nothing),
      cmocka_unit_test(freed_memory_is_used_again),
      cmocka_unit_test(debugging_objects),
      cmocka_unit_test(sizes_that_overflow),
      cmocka_unit_test(out_of_memory_is_reported),
      cmocka_unit_test(reserve_is_given_as_it_is),
      cmocka_unit_test(debugging_realloc),
      cmocka_unit_test(debugging_pointers_keep),
      cmocka_unit_test(debugging_pointers_keep_without_interior_ones),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
