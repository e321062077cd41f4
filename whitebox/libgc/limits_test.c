/* gc.h: how large the heap may be, how it grows, and what happens at its limit. */
#include "client.h"

#include <gc/gc_mark.h>
#include <gc/gc_typed.h>
#include <time.h>

/* ---- Memory that is not to be had ---- */

static size_t refused;
static void *stand_in;
static void *refuse(size_t bytes) { return refused = bytes, stand_in; }

TEST(limited_heap) {
  GC_INIT();
  GC_set_warn_proc(GC_ignore_warn_proc);
  GC_set_max_heap_size(32 * 1024 * 1024);
  GC_set_oom_fn(refuse);
  must(!GC_malloc(64 * 1024 * 1024) && refused == 64 * 1024 * 1024);
  must(!GC_malloc_atomic(100 * 1000 * 1000) && refused == 100 * 1000 * 1000);
  void **list = NULL;
  refused = 0;
  for (unsigned bytes = 0; bytes < 100u << 20; bytes += 1000) {
    void **cell = GC_malloc(1000);
    if (!cell) break;
    cell[0] = list;
    list = cell;
  }
  must(refused == 1000 && list);
  must(GC_get_heap_size() <= 33 * 1024 * 1024);
  stand_in = list;
  must(GC_malloc(64 * 1024 * 1024) == list);
  list = NULL;
  stand_in = NULL;
  client_collect();
  GC_set_max_heap_size(0);
  must(GC_malloc(64 * 1024 * 1024) != NULL);
}

static unsigned warnings;
static char warning[300];
static void note_warning(char *format, GC_word arg) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
  snprintf(warning, sizeof warning, format, arg);
#pragma GCC diagnostic pop
  warnings++;
}

TEST(failed_allocations_are_told) {
  GC_INIT();
  GC_set_warn_proc(note_warning);
  must(GC_get_warn_proc() == note_warning);
  GC_set_max_heap_size(16 << 20);
  for (unsigned i = 1; i <= 10; i++) {
    must(!GC_malloc(100 << 20));
    must(warnings >= i && strstr(warning, "GC Warning: Out of Memory!"));
  }
  GC_set_warn_proc(GC_ignore_warn_proc);
  warnings = 0;
  must(!GC_malloc(100 << 20) && !warnings);
}

static void ask_for_too_much(void) {
  GC_INIT();
  GC_set_max_heap_size(16 << 20);
  must(!GC_malloc(100 << 20));
}

static void failed_allocations_are_printed(void **state) {
  (void)state;
  const struct client_end *end = client_run(ask_for_too_much, NULL);
  assert_true(client_exited(end, 0) && client_count(end, "GC Warning: Out of Memory!") >= 1);
}

static void nothing(void *object, void *data) { (void)object, (void)data; }

static GC_word collections_before_failure(void) {
  GC_word before = GC_get_gc_no();
  must(!GC_malloc_atomic(64 << 20));
  return GC_get_gc_no() - before;
}

TEST(retries) {
  GC_INIT();
  GC_set_warn_proc(GC_ignore_warn_proc);
  GC_set_max_heap_size(32 << 20);
  must(collections_before_failure() <= 2);
  GC_set_max_retries(10);
  GC_word many = collections_before_failure();
  must(many >= 5 && many <= 13);
  GC_max_retries = 0;
  must(collections_before_failure() <= 2);
}

TEST(too_large) {
  GC_INIT();
  GC_set_warn_proc(GC_ignore_warn_proc);
  GC_set_oom_fn(refuse);
  volatile size_t huge = SIZE_MAX - 4096;
  must(!GC_malloc(huge) && refused);
  must(!GC_malloc_atomic(huge) && !GC_malloc_uncollectable(huge) && !GC_memalign(64, huge));
  char *small = GC_malloc(10);
  memset(small, 7, 10);
  refused = 0;
  must(!GC_realloc(small, huge) && small[9] == 7 && GC_base(small) == small);
}

static unsigned char *given;
static size_t told;

static void *give_from_malloc(size_t bytes) {
  if (bytes > 1 << 20) return NULL;
  told = bytes;
  given = malloc(bytes + 64);
  return memset(given, 0xaa, bytes + 64);
}

static void must_end_as_told(size_t asked) {
  must(given && told >= asked);
  for (unsigned i = 0; i < 64; i++) must(given[told + i] == 0xaa);
  free(given);
  given = NULL;
}

/* What a program gives instead of memory is written to as far as it was told, and no further. */
TEST_OURS(given_memory_is_kept_to, "crashes") {
  GC_INIT();
  GC_set_warn_proc(GC_ignore_warn_proc);
  unsigned kind = GC_new_kind(GC_new_free_list(), GC_DS_LENGTH, 1, 1);
  char *large = GC_malloc(200000), *atomic = GC_malloc_atomic(200000);
  GC_set_max_heap_size(1 << 17);
  GC_set_oom_fn(give_from_malloc);
  for (void **last = NULL, **next; !given && (next = GC_malloc_uncollectable(30000)); last = next) *next = last;
  free(given);
  given = NULL;
  GC_generic_malloc(50000, (int)kind);
  must_end_as_told(50000);
  GC_calloc_explicitly_typed(1000, 48, GC_DS_LENGTH | 48);
  must_end_as_told(48000);
  GC_realloc(large, 70000);
  must_end_as_told(70000);
  GC_realloc(atomic, 70000);
  must_end_as_told(70000);
}

static void *small;

static void resize_small(void *object, void *arg) {
  (void)object, (void)arg;
  small = GC_realloc(small, small ? 400 - GC_size(small) : 100);
}

static void drop_finalizable(void *arg) {
  (void)arg;
  for (unsigned i = 0; i < MANY; i++) GC_register_finalizer_no_order(GC_malloc(16), resize_small, NULL, NULL, NULL);
}

/* Also if the collection before has called a finalizer that allocates in the same way. */
TEST_OURS(given_memory_is_kept_to_after_finalizers, "crashes") {
  GC_INIT();
  GC_set_warn_proc(GC_ignore_warn_proc);
  client_below(drop_finalizable, NULL);
  GC_set_max_heap_size(1 << 19);
  GC_set_oom_fn(give_from_malloc);
  GC_calloc_explicitly_typed(20000, 48, GC_DS_LENGTH | 48);
  must(small);
  must_end_as_told(960000);
}

/* ---- Size of the heap ---- */

TEST(expanded) {
  GC_INIT();
  size_t before = GC_get_heap_size();
  must(GC_expand_hp(50 * 1024 * 1024) == 1);
  must(GC_get_heap_size() >= before + 49 * 1024 * 1024);
  GC_word number = GC_get_gc_no();
  for (int i = 0; i < 300000; i++) GC_reachable_here(GC_malloc(100));
  must(GC_get_gc_no() <= number + 1);
  GC_set_max_heap_size(64 * 1024 * 1024);
  GC_set_warn_proc(GC_ignore_warn_proc);
  must(!GC_expand_hp(100 * 1024 * 1024));
}

/* Live memory, and a heap that is to grow to three times as much. */
static void **build_live(void) {
  void **list = NULL;
  for (unsigned i = 0; i < 80000; i++) {
    void **cell = GC_malloc(100);
    *cell = list;
    list = cell;
  }
  GC_set_free_space_divisor(1);
  return list;
}

static void waste(int finalized) {
  for (unsigned i = 0; i < 40000; i++) {
    void *object = GC_malloc(3000);
    if (finalized) GC_register_finalizer(object, nothing, NULL, NULL, NULL);
  }
}

/* How much larger the heap is after garbage than before, in percent. */
static size_t expanded_by(int finalized) {
  void **list = build_live();
  GC_gcollect();
  size_t before = GC_get_heap_size() - GC_get_unmapped_bytes();
  waste(finalized);
  GC_reachable_here(list);
  return (GC_get_heap_size() - GC_get_unmapped_bytes()) * 100 / before;
}

TEST(expands_freely) {
  GC_INIT();
  must(expanded_by(0) > 200);
}

static GC_word collections_of(unsigned megabytes) {
  GC_word before = GC_get_gc_no();
  for (unsigned i = 0; i < megabytes * 1000; i++) GC_reachable_here(GC_malloc_atomic(1000));
  return GC_get_gc_no() - before;
}

TEST(least_bytes_between_collections) {
  GC_INIT();
  must(collections_of(100) > 1);
  GC_set_min_bytes_allocd(200 << 20);
  GC_gcollect();
  must(collections_of(150) == 0);
  must(collections_of(500) >= 1);
  GC_word before = GC_get_gc_no();
  GC_gcollect();
  must(GC_get_gc_no() > before);
}

TEST_OURS(least_bytes_within_the_limit, "fails instead of collecting") {
  GC_INIT();
  GC_set_max_heap_size(32 << 20);
  GC_set_min_bytes_allocd(200 << 20);
  for (unsigned i = 0; i < 100000; i++) must(GC_malloc_atomic(1000));
}

TEST(does_not_expand) {
  GC_INIT();
  GC_set_dont_expand(1);
  must(expanded_by(0) < 160);
}

TEST(does_not_expand_by_variable) {
  GC_INIT();
  GC_dont_expand = 1;
  must(expanded_by(0) < 160);
}

TEST(expands_if_that_is_asked_for) {
  GC_INIT();
  GC_set_dont_expand(1);
  GC_gcollect();
  must(GC_expand_hp(50 << 20) == 1);
  GC_word number = GC_get_gc_no();
  for (int i = 0; i < 300000; i++) GC_reachable_here(GC_malloc(100));
  must(GC_get_gc_no() == number);
}

/* From half of the heap to all of it: whatever finalizers there are, collections that free nothing grow rarer. */
TEST(live_objects_may_have_finalizers) {
  enum { OBJECTS = 60000 };
  GC_INIT();
  GC_word half = 0;
  void **list = NULL;
  for (unsigned i = 0; i < OBJECTS; i++) {
    if (i == OBJECTS / 2) half = GC_get_gc_no();
    void **cell = GC_malloc(1000);
    *cell = list;
    list = cell;
    GC_register_finalizer(cell, nothing, NULL, NULL, NULL);
  }
  GC_reachable_here(list);
  must(GC_get_gc_no() - half <= 3);
}

TEST(expands_although_there_are_finalizers) {
  GC_INIT();
  GC_set_allocd_bytes_per_finalizer(0);
  must(expanded_by(1) > 200);
}

TEST_OURS(collects_for_finalizers_instead_of_expanding, "expands as long as no finalized object was reclaimed") {
  GC_INIT();
  must(expanded_by(1) < 160);
}

static void compute(unsigned microseconds) {
  struct timespec start, now;
  clock_gettime(CLOCK_MONOTONIC, &start);
  do clock_gettime(CLOCK_MONOTONIC, &now);
  while ((now.tv_sec - start.tv_sec) * 1000000 + (now.tv_nsec - start.tv_nsec) / 1000 < microseconds);
}

/* Bytes of garbage from one collection to the next, when the time before is forgotten; the program computes for so many
 * microseconds between a hundred objects. */
static size_t garbage_for_a_collection(unsigned between) {
  enum { FORGETTING = 64, COUNTED = 8 };
  size_t before = 0;
  for (GC_word first = GC_get_gc_no(); GC_get_gc_no() < first + FORGETTING + COUNTED;) {
    if (GC_get_gc_no() == first + FORGETTING && !before) before = GC_get_total_bytes();
    for (unsigned i = 0; i < 100; i++) GC_reachable_here(GC_malloc_atomic(1000));
    if (between) compute(between);
  }
  return (GC_get_total_bytes() - before) / COUNTED;
}

TEST_OURS(the_heap_is_larger_where_collections_take_the_time, "does not look at the time") {
  GC_INIT();
  client_roots[0] = build_live();
  GC_set_free_space_divisor(3);
  size_t seldom = garbage_for_a_collection(200), often = garbage_for_a_collection(0);
  must(often > seldom / 2 * 3);
}

/* Memory would not spare them. */
TEST_OURS(collections_that_are_asked_for_take_no_memory, "does not look at the time") {
  GC_INIT();
  client_roots[0] = build_live();
  GC_set_free_space_divisor(3);
  size_t seldom = garbage_for_a_collection(200);
  for (unsigned i = 0; i < 200; i++) GC_gcollect();
  size_t before = GC_get_total_bytes();
  for (GC_word number = GC_get_gc_no(); GC_get_gc_no() == number;) GC_reachable_here(GC_malloc_atomic(1000));
  must(GC_get_total_bytes() - before < seldom / 2 * 3);
}

TEST_OURS(what_the_user_says_stands_whatever_the_time, "does not know the variables") {
  must(!setenv("VGC_GROWTH_PERCENT", "100", 1) && !setenv("VGC_MINIMUM_HEAP", "4194304", 1));
  GC_INIT();
  client_roots[0] = build_live();
  GC_set_free_space_divisor(3);
  size_t seldom = garbage_for_a_collection(200), often = garbage_for_a_collection(0);
  must(often < seldom / 4 * 5);
}

static unsigned resizes;
static GC_word resized_to;
static void resized(GC_word bytes) {
  resizes++;
  resized_to = bytes;
}

TEST(resizes_are_told) {
  GC_INIT();
  GC_set_on_heap_resize(resized);
  must(GC_expand_hp(20 * 1024 * 1024) == 1);
  must(resizes && resized_to >= 20 * 1024 * 1024 && resized_to <= GC_get_heap_size() + GC_get_unmapped_bytes());
  resizes = 0;
  void **list = NULL;
  for (int i = 0; i < 100; i++) {
    void **cell = GC_malloc(1 << 20);
    cell[0] = list;
    list = cell;
  }
  GC_gcollect();
  must(resizes && resized_to >= 100 << 20);
  GC_reachable_here(list);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(limited_heap),
      cmocka_unit_test(failed_allocations_are_told),
      cmocka_unit_test(failed_allocations_are_printed),
      cmocka_unit_test(retries),
      cmocka_unit_test(too_large),
      cmocka_unit_test(given_memory_is_kept_to),
      cmocka_unit_test(given_memory_is_kept_to_after_finalizers),
      cmocka_unit_test(expanded),
      cmocka_unit_test(expands_freely),
      cmocka_unit_test(least_bytes_between_collections),
      cmocka_unit_test(least_bytes_within_the_limit),
      cmocka_unit_test(does_not_expand),
      cmocka_unit_test(does_not_expand_by_variable),
      cmocka_unit_test(expands_if_that_is_asked_for),
      cmocka_unit_test(live_objects_may_have_finalizers),
      cmocka_unit_test(expands_although_there_are_finalizers),
      cmocka_unit_test(collects_for_finalizers_instead_of_expanding),
      cmocka_unit_test(the_heap_is_larger_where_collections_take_the_time),
      cmocka_unit_test(collections_that_are_asked_for_take_no_memory),
      cmocka_unit_test(what_the_user_says_stands_whatever_the_time),
      cmocka_unit_test(resizes_are_told),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
