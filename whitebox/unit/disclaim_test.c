/* Disclaim procedures. The roots are the words of `roots` alone, and the second marker agrees at each boundary. */
#include "unit.h"

enum { ROOTS = 4, CALLS = 4096 };
static void *roots[ROOTS];
static void *links[ROOTS]; /* outside of the heap: what the collector does not follow */

static uintptr_t called[CALLS]; /* hidden, in the order of the calls */
static unsigned calls;
static bool keep, cut;

struct thing {
  struct thing *next;
  size_t size; /* as disclaim is to be told; 0: not finished */
  void *with;
};

static int disclaim(void *object, size_t size, void *arg) {
  struct thing *thing = object;
  must(thing->size == size && thing->with == arg && calls < CALLS);
  called[calls++] = hide(object);
  if (cut) thing->next = NULL;
  return keep;
}

static int setup(void **state) {
  (void)state;
  struct vgc_config given = unit_config(0);
  given.check_level = 3;
  memset(roots, 0, sizeof roots);
  memset(links, 0, sizeof links);
  keep = cut = false;
  calls = 0;
  unit_start(&given);
  unit_roots(roots, ROOTS);
  return 0;
}

static int with; /* what arg points to */

static vgc_layout_id kind(bool reaches) {
  static vgc_layout_id ids[2];
  const struct vgc_kind given = {.struct_size = sizeof given,
                                 .scan = VGC_SCAN_ALL,
                                 .disclaim = disclaim,
                                 .disclaim_reaches = reaches,
                                 .arg = &with};
  if (!ids[reaches]) ids[reaches] = vgc_kind_register(&given);
  return ids[reaches];
}

static struct thing *new_thing(size_t size, bool reaches) {
  struct thing *thing = vgc_malloc_kind(kind(reaches), size);
  assert_non_null(thing);
  thing->size = vgc_usable_size(thing);
  thing->with = &with;
  return thing;
}

static bool was_called(const void *object) {
  for (unsigned i = 0; i < calls; i++)
    if (called[i] == hide(object)) return true;
  return false;
}

/* The next collection asks for these alone. */
static void expect_calls(unsigned count, void *const *objects) {
  calls = 0;
  unit_collect();
  assert_int_equal(calls, count);
  for (unsigned i = 0; i < count; i++) assert_true(was_called(objects[i]));
}
#define expect_disclaimed(...)                                                                                         \
  do {                                                                                                                 \
    void *expected_[] = {NULL, ##__VA_ARGS__};                                                                         \
    expect_calls(sizeof expected_ / sizeof *expected_ - 1, expected_ + 1);                                             \
  } while (0)

/* ---- When ---- */

static void an_unreachable_object_is_disclaimed_once(void **state) {
  (void)state;
  static const size_t sizes[] = {sizeof(struct thing), 500, 20000, 100000};
  for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    struct thing *thing = roots[0] = new_thing(sizes[i], i % 2);
    expect_disclaimed();
    roots[0] = NULL;
    expect_disclaimed(thing);
    assert_false(unit_alive(thing));
    expect_disclaimed();
  }
}

/* In every word of spans of several words, and beside the living. */
static void all_that_die_are_disclaimed_and_none_that_live(void **state) {
  (void)state;
  enum { THINGS = 3000 };
  struct thing *first = NULL;
  for (unsigned i = 0; i < THINGS; i++) {
    struct thing *thing = new_thing(sizeof *thing, false);
    if (i % 3) continue;
    thing->next = first;
    roots[0] = first = thing;
  }
  calls = 0;
  unit_collect();
  assert_int_equal(calls, THINGS - THINGS / 3);
  for (struct thing *thing = first; thing; thing = thing->next) assert_true(unit_alive(thing));
  expect_disclaimed();
}

static void what_is_kept_is_asked_for_again(void **state) {
  (void)state;
  struct thing *thing = new_thing(64, false);
  void **rest = vgc_malloc(32), *leaf = rest[0] = vgc_malloc(32);
  thing->next = (void *)rest;
  keep = true;
  for (unsigned i = 0; i < 3; i++) {
    expect_disclaimed(thing);
    assert_true(unit_alive(thing) && unit_alive(rest) && unit_alive(leaf));
    assert_int_equal(vgc_kind_of(thing), kind(false));
  }
  roots[0] = thing;
  expect_disclaimed();
  roots[0] = NULL;
  keep = false;
  expect_disclaimed(thing);
  assert_false(unit_alive(thing) || unit_alive(rest) || unit_alive(leaf));
}

static void free_asks_for_nothing(void **state) {
  (void)state;
  static const size_t sizes[] = {sizeof(struct thing), 100000};
  for (unsigned i = 0; i < 4; i++) {
    struct thing *thing = new_thing(sizes[i / 2], false);
    if (i % 2) assert_int_equal(vgc_weak_add(&links[0], thing, VGC_WEAK_LONG), 0); /* left to the collector */
    vgc_free(thing);
    expect_disclaimed();
    assert_false(unit_alive(thing));
  }
}

/* ---- What it finds ---- */

/* All at once, in whatever order; or each when what points to it is gone, and not changed by that one's. */
static void what_is_reached_may_wait(void **state) {
  (void)state;
  for (unsigned direction = 0; direction < 2; direction++) {
    struct thing *chain[3];
    for (unsigned i = 0; i < 3; i++) chain[i] = new_thing(48, false);
    for (unsigned i = 0; i < 2; i++) chain[direction ? i : i + 1]->next = chain[direction ? i + 1 : i];
    expect_disclaimed(chain[0], chain[1], chain[2]);
    for (unsigned i = 0; i < 3; i++) chain[direction ? i : 2 - i] = new_thing(48, true);
    for (unsigned i = 0; i < 2; i++) chain[i]->next = chain[i + 1];
    cut = direction;
    for (unsigned i = 0; i < 3; i++) {
      expect_disclaimed(chain[i]);
      assert_false(unit_alive(chain[i]));
      for (unsigned k = i + 1; k < 3; k++) assert_true(unit_alive(chain[k]));
    }
    cut = false;
  }
}

/* A plain object between the two, and one that is of another kind. */
static void whatever_is_reached_is_kept(void **state) {
  (void)state;
  struct thing *first = new_thing(48, true), *last = new_thing(48, false);
  void **between = vgc_malloc(16);
  first->next = (void *)between;
  between[0] = last;
  cut = true;
  expect_disclaimed(first);
  assert_true(unit_alive(between) && unit_alive(last));
  expect_disclaimed(last);
}

static void own_pointers_do_not_count(void **state) {
  (void)state;
  static const size_t sizes[] = {48, 100000};
  for (unsigned i = 0; i < 2; i++) {
    struct thing *thing = new_thing(sizes[i], true), *a = new_thing(sizes[i], true), *b = new_thing(sizes[i], true);
    thing->next = thing;
    a->next = b;
    b->next = a;
    expect_disclaimed(thing);
    assert_true(unit_alive(a) && unit_alive(b));
    a->next = NULL;
    expect_disclaimed(b);
    expect_disclaimed(a);
  }
}

/* ---- Beside finalizers and links ---- */

static unsigned finalized;
static void note(void *object, void *arg) {
  (void)object;
  (void)arg;
  finalized++;
}

static void a_finalizer_comes_first(void **state) {
  (void)state;
  struct thing *thing = new_thing(48, false);
  assert_int_equal(vgc_set_finalizer(thing, note, NULL, VGC_ORDERED), 0);
  finalized = 0;
  expect_disclaimed();
  assert_int_equal(finalized, 1);
  expect_disclaimed(thing);
}

/* A link to it that outlives finalizers; one in it; a value that only an ephemeron in it keeps. */
static void what_is_kept_keeps_what_is_attached(void **state) {
  (void)state;
  struct thing *thing = new_thing(48, false);
  void **link = roots[0] = vgc_malloc_noscan(16);
  void *target = roots[1] = vgc_malloc(16), *value = vgc_malloc(16);
  assert_int_equal(vgc_weak_add(&links[0], thing, VGC_WEAK_LONG), 0);
  struct vgc_ephemeron *ephemeron = vgc_ephemeron_new(target, value);
  thing->next = (void *)ephemeron;
  assert_int_equal(vgc_weak_add(link, target, VGC_WEAK_SHORT), 0);
  thing->with = &with;
  ((void **)thing)[4] = link;
  roots[0] = NULL;
  keep = true;
  expect_disclaimed(thing);
  assert_ptr_equal(links[0], thing);
  assert_true(unit_alive(link) && unit_alive(value));
  assert_ptr_equal(*link, target);
  assert_ptr_equal(vgc_ephemeron_value(ephemeron), value);
  roots[1] = NULL;
  expect_disclaimed(thing);
  assert_null(*link);
  assert_null(vgc_ephemeron_key(ephemeron));
  keep = false;
  expect_disclaimed(thing);
  assert_null(links[0]);
}

/* ---- Threads ---- */

/* An ephemeron's value, of which nobody has asked yet: it is not about to be reclaimed. */
static void what_is_kept_keeps_values(void **state) {
  (void)state;
  void *key = roots[0] = vgc_malloc(16);
  struct thing *first = new_thing(48, false), *value = new_thing(48, false);
  first->next = (void *)vgc_ephemeron_new(key, value);
  assert_non_null(first->next);
  keep = true;
  for (unsigned i = 0; i < 3; i++) expect_disclaimed(first);
  keep = false;
  expect_disclaimed(first, value);
}

static _Atomic unsigned made, disclaimed, working;
static vgc_layout_id counted;

static int count_one(void *object, size_t size, void *arg) {
  (void)size;
  (void)arg;
  const uint64_t *words = object;
  /* Complete, or of an allocation that is about to return, which is reachable. */
  must(words[0] == ~words[1]);
  disclaimed++;
  return 0;
}

static void make_many(void *arg) {
  (void)arg;
  for (unsigned i = 0; i < 20000; i++) {
    uint64_t *words = vgc_malloc_kind(counted, i % 500 ? 40 : 50000);
    words[1] = ~(words[0] = i);
    made++;
    if (i % 4 == 0) {
      vgc_free(words);
      made--;
    }
  }
  working--;
}

/* Each that is not freed is asked for exactly once, whoever owns its span. */
static void threads_die_with_what_they_made(void **state) {
  (void)state;
  enum { THREADS = 3 };
  const struct vgc_kind kind = {.struct_size = sizeof kind, .scan = VGC_SCAN_NONE, .disclaim = count_one};
  counted = vgc_kind_register(&kind);
  made = disclaimed = 0;
  working = THREADS;
  memset(roots, 0, sizeof roots);
  struct worker workers[THREADS];
  for (unsigned i = 0; i < THREADS; i++) {
    worker_start(&workers[i]);
    worker_begin(&workers[i], make_many, NULL);
  }
  while (working) assert_int_equal(vgc_collect(), 0);
  for (unsigned i = 0; i < THREADS; i++) {
    worker_finish(&workers[i]);
    worker_stop(&workers[i]);
  }
  unit_roots(roots, ROOTS);
  unit_collect();
  assert_int_equal(disclaimed, made);
}

UNIT(disclaim) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, unit_teardown)
  const struct CMUnitTest tests[] = {
      TEST(an_unreachable_object_is_disclaimed_once),
      TEST(all_that_die_are_disclaimed_and_none_that_live),
      TEST(what_is_kept_is_asked_for_again),
      TEST(free_asks_for_nothing),
      TEST(what_is_reached_may_wait),
      TEST(whatever_is_reached_is_kept),
      TEST(own_pointers_do_not_count),
      TEST(a_finalizer_comes_first),
      TEST(what_is_kept_keeps_what_is_attached),
      TEST(what_is_kept_keeps_values),
      cmocka_unit_test_setup_teardown(threads_die_with_what_they_made, unit_setup, unit_teardown),
  };
  return cmocka_run_group_tests_name("disclaim", tests, NULL, NULL);
}
