/* What of the loaded objects' data is roots. */
#include <dlfcn.h>
#include <link.h>
#include <sys/mman.h>

#include "hidden.h"
#include "unit.h"

enum { SIZE = 848, WORDS = 64, STEPS = 20000 };

static void *variable[WORDS];
static _Thread_local void *local[1];

/* Whether an object is kept that this word alone points to. */
static bool keeps(void **word) {
  struct hidden_control control;
  uintptr_t hidden = hidden_make(SIZE);
  hidden_control_make(&control);
  hidden_reveal(hidden, word);
  assert_int_equal(vgc_collect(), 0);
  bool kept = hidden_alive(hidden, SIZE);
  *word = NULL;
  assert_true(hidden_control_died(&control));
  return kept;
}

static void they_may_be_none(void **state) {
  (void)state;
  assert_true(keeps(&variable[8]));
  vgc_root_modules(0);
  assert_false(keeps(&variable[8]));
  assert_true(keeps(local));
  assert_int_equal(vgc_root_add(&variable[8], 8), 0);
  assert_true(keeps(&variable[8]));
  assert_false(keeps(&variable[9]));
  vgc_root_modules(1);
  assert_true(keeps(&variable[9]));
}

/* ---- Exclusions ---- */

static void a_range_may_be_left_out(void **state) {
  (void)state;
  assert_int_equal(vgc_root_exclude(&variable[8], 16), 0);
  assert_false(keeps(&variable[8]));
  assert_false(keeps(&variable[9]));
  assert_true(keeps(&variable[7]));
  assert_true(keeps(&variable[10]));
  assert_int_equal(vgc_root_exclude(local, sizeof local), 0);
  assert_true(keeps(local));
  assert_int_equal(vgc_root_exclude(&variable[9], 16), 0);
  assert_int_equal(vgc_root_include(&variable[8], 16), 0);
  assert_true(keeps(&variable[8]));
  assert_false(keeps(&variable[9]));
  assert_int_equal(vgc_root_add(&variable[8], 16), 0);
  assert_false(keeps(&variable[9]));
  assert_true(keeps(&variable[8]));
}

struct range {
  unsigned start, size; /* bytes, in the variable */
};

static bool given[WORDS];

static void note(void *unused, uintptr_t low, uintptr_t high) {
  (void)unused;
  assert_true(low < high && low % 8 == 0 && high % 8 == 0);
  for (; low < high; low += 8) {
    assert_false(given[(low - (uintptr_t)variable) / 8]);
    given[(low - (uintptr_t)variable) / 8] = true;
  }
}

static void expect_cut(const bool *out, const struct range *ranges, unsigned count) {
  memset(given, 0, sizeof given);
  exclude_cut((uintptr_t)variable, (uintptr_t)(variable + WORDS), note, NULL);
  for (unsigned word = 0; word < WORDS; word++) {
    bool expected = true;
    for (unsigned i = 0; i < count; i++)
      if (out[i] && ranges[i].start <= word * 8 && word * 8 + 8 <= ranges[i].start + ranges[i].size) expected = false;
    assert_int_equal(given[word], expected);
  }
}

/* Against a plain list, in every kind of overlap, also with what lies outside. */
static void ranges_overlap(void **state) {
  (void)state;
  enum { RANGES = 600 };
  static struct range ranges[RANGES];
  static bool out[RANGES];
  uint64_t random = 11;
  for (unsigned i = 0; i < RANGES; i++) ranges[i] = (struct range){i * 7 % 520, i % 5 * 11 + i / 100};
  for (unsigned step = 0; step < STEPS; step++) {
    /* Few at first, then many, then few. */
    uint64_t dice = unit_random(&random) >> 20;
    unsigned i = (unsigned)(dice % RANGES);
    bool add = (dice >> 20) % 100 < (step < STEPS / 2 ? 3 : step < STEPS * 3 / 4 ? 90 : 20);
    char *start = (char *)variable + ranges[i].start;
    errno = 0;
    assert_int_equal(add ? vgc_root_exclude(start, ranges[i].size) : vgc_root_include(start, ranges[i].size),
                     out[i] == add ? -1 : 0);
    assert_int_equal(errno, out[i] == add ? (add ? EEXIST : ENOENT) : 0);
    out[i] = add;
    if (step % 10 == 0) expect_cut(out, ranges, RANGES);
  }
}

static void what_cannot_be_is_refused(void **state) {
  errno = 0;
  assert_int_equal(vgc_root_exclude(NULL, 8), -1);
  assert_int_equal(errno, EINVAL);
  errno = 0;
  assert_int_equal(vgc_root_exclude(&variable[1], SIZE_MAX), -1);
  assert_int_equal(errno, EINVAL);
  assert_int_equal(vgc_root_exclude((void *)UINTPTR_MAX, 0), 0);
  assert_true(keeps(&variable[8]));
  fault_fail(FAULT_RESERVE, 0, ~0ul);
  unsigned added = 0;
  while (vgc_root_exclude(&variable[added % 8], added) == 0) added++;
  assert_int_equal(errno, ENOMEM);
  assert_int_equal(vgc_root_include(&variable[added % 8], added), -1);
  assert_int_equal(errno, ENOENT);
  fault_reset(state);
  size_t bytes = roots_bytes();
  assert_int_equal(vgc_root_exclude(&variable[added % 8], added), 0);
  assert_int_equal(roots_bytes(), 2 * bytes);
  for (; added; added--) assert_int_equal(vgc_root_include(&variable[added % 8], added), 0);
}

/* ---- The filter ---- */

static struct {
  unsigned asked;
  bool found, refuse; /* the variable's segment */
} filter;

static int ask(void *arg, const char *name, const void *start, size_t size) {
  must(arg == &filter && size > 0);
  filter.asked++;
  if ((uintptr_t)variable - (uintptr_t)start >= size) return 1;
  must(name[0] == 0);
  filter.found = true;
  return !filter.refuse;
}

static void a_filter_is_asked(void **state) {
  (void)state;
  assert_true(keeps(&variable[8])); /* there is a list */
  memset(&filter, 0, sizeof filter);
  vgc_root_set_filter(ask, &filter);
  assert_int_equal(filter.asked, 0);
  assert_true(keeps(&variable[8]));
  assert_true(filter.found);
  assert_true(filter.asked > 1); /* libc has data */
  unsigned asked = filter.asked;
  assert_true(keeps(&variable[8]));
  assert_int_equal(filter.asked, asked);
  filter.refuse = true;
  assert_true(keeps(&variable[8])); /* it has been asked */
  vgc_root_set_filter(ask, &filter);
  assert_false(keeps(&variable[8]));
  assert_true(keeps(local));
  vgc_root_set_filter(NULL, NULL);
  assert_true(keeps(&variable[8]));
  assert_int_equal(filter.asked, 2 * asked);
}

static void set_filter(void *unused) {
  (void)unused;
  vgc_root_set_filter(ask, &filter);
}

/* A list that is being made meanwhile is not what a collection takes. */
static void it_holds_from_the_next_collection_on(void **state) {
  (void)state;
  assert_true(keeps(&variable[8]));
  memset(&filter, 0, sizeof filter);
  filter.refuse = true;
  park_arm_call("modules_before_list", set_filter, NULL);
  assert_true(roots_list_modules());
  assert_int_equal(filter.asked, 0);
  assert_false(keeps(&variable[8]));
}

/* ---- Two threads ---- */

enum { TURNS = 200 };

static void change_all(void *unused) {
  (void)unused;
  for (unsigned i = 0; i < TURNS; i++) {
    vgc_root_set_filter(ask, &filter);
    must(vgc_root_exclude(&variable[i % WORDS], i + 1) == 0);
    vgc_root_modules(i % 2);
    vgc_root_set_filter(NULL, NULL);
  }
  for (unsigned i = 0; i < TURNS; i++) must(vgc_root_include(&variable[i % WORDS], i + 1) == 0);
}

static void change_others(void) {
  for (unsigned i = 0; i < TURNS; i++) {
    vgc_root_set_filter(ask, &filter);
    must(vgc_root_exclude(&variable[i % WORDS], i + 1 + TURNS) == 0);
    must(roots_list_modules());
    must(roots_bytes() > 0);
    must(vgc_root_include(&variable[i % WORDS], i + 1 + TURNS) == 0);
  }
}

static void two_threads_may_change_it(void **state) {
  (void)state;
  struct worker worker;
  memset(&filter, 0, sizeof filter);
  worker_start(&worker);
  worker_begin(&worker, change_all, NULL);
  change_others();
  worker_finish(&worker);
  worker_stop(&worker);
  vgc_root_set_filter(NULL, NULL);
  vgc_root_modules(1);
  assert_true(keeps(&variable[8]));
}

static void shutdown_forgets(void **state) {
  memset(&filter, 0, sizeof filter);
  filter.refuse = true;
  vgc_root_set_filter(ask, &filter);
  vgc_root_modules(0);
  assert_int_equal(vgc_root_exclude(&variable[8], 8), 0);
  assert_false(keeps(&variable[8]));
  assert_int_equal(vgc_shutdown(), 0);
  unit_setup(state);
  filter.asked = 0;
  assert_int_equal(roots_bytes(), 0);
  assert_true(keeps(&variable[8]));
  assert_int_equal(filter.asked, 0);
}

/* ---- Libraries that take another's place ---- */

enum { SMALL = 16, LARGE = 200, PAGES = 4096, TRIES = 20, MAPS = 20, MAP_BYTES = 1160 };

struct loaded {
  struct link_map *map;
  uintptr_t base;
  void **(*word)(int own, unsigned i);
};

static struct loaded load(const char *file) {
  struct loaded loaded = {.map = dlopen(file, RTLD_NOW)};
  assert_non_null(loaded.map);
  loaded.base = loaded.map->l_addr;
  void *word = dlsym(loaded.map, "unit_module_word");
  memcpy(&loaded.word, &word, sizeof word);
  return loaded;
}

static bool takes_the_place_of(const struct loaded *before, const struct loaded *now) {
  return now->map == before->map && now->base == before->base;
}

/* Larger, in place of another that the last collection has listed. */
static void a_library_takes_anothers_place(void **state) {
  (void)state;
  struct loaded small = {0}, large = {0};
  for (unsigned tries = 0; tries < TRIES; tries++) {
    if (large.map) assert_int_equal(dlclose(large.map), 0);
    small = load(UNIT_SMALL);
    assert_int_equal(vgc_collect(), 0);
    assert_int_equal(dlclose(small.map), 0);
    large = load(UNIT_LARGE);
    if (takes_the_place_of(&small, &large)) break;
  }
  if (!takes_the_place_of(&small, &large)) not_applicable("the loader puts it elsewhere");
  unsigned kept = 0;
  for (int own = 0; own < 2; own++) kept += keeps(large.word(own, 0)) + keeps(large.word(own, LARGE - 1));
  assert_int_equal(dlclose(large.map), 0);
  assert_int_equal(kept, 4);
}

/* What the loader needed for one library, so that another does not get it. */
static void fill_in_for(const struct loaded *gone, void *maps[MAPS]) {
  for (unsigned i = 0; i < MAPS; i++) maps[i] = malloc(MAP_BYTES);
  for (uintptr_t at = gone->base, end = at + 16 * PAGES; at < end; at += PAGES)
    (void)mmap((void *)at, PAGES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
}

/* The same once more, in its own place; but its thread-local storage has the number of one that was unloaded before. */
static void a_library_comes_back_with_another_number(void **state) {
  (void)state;
  void *maps[MAPS];
  struct loaded first = load(UNIT_LARGE), small = load(UNIT_SMALL);
  assert_int_equal(dlclose(first.map), 0);
  fill_in_for(&first, maps);
  assert_int_equal(vgc_collect(), 0);
  assert_int_equal(dlclose(small.map), 0);
  struct loaded again = load(UNIT_SMALL);
  for (unsigned i = 0; i < MAPS; i++) free(maps[i]);
  if (!takes_the_place_of(&small, &again)) not_applicable("the loader puts it elsewhere");
  unsigned kept = keeps(again.word(0, SMALL - 1)) + keeps(again.word(1, SMALL - 1));
  assert_int_equal(dlclose(again.map), 0);
  assert_int_equal(kept, 2);
}

UNIT(modules) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, unit_setup, unit_teardown)
  const struct CMUnitTest tests[] = {
      TEST(they_may_be_none),
      TEST(a_range_may_be_left_out),
      TEST(ranges_overlap),
      TEST(what_cannot_be_is_refused),
      TEST(a_filter_is_asked),
      TEST(it_holds_from_the_next_collection_on),
      TEST(two_threads_may_change_it),
      TEST(shutdown_forgets),
      TEST(a_library_comes_back_with_another_number),
      TEST(a_library_takes_anothers_place),
  };
  return cmocka_run_group_tests_name("modules", tests, NULL, NULL);
}
