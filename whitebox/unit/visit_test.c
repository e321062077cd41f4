/* The visit of all objects, with which leaks are found. */
#include "task.h"
#include "unit.h"

enum { ROOTS = 4, SEEN = 8192 };
static void *roots[ROOTS];

struct seen {
  uintptr_t hidden;
  size_t size;
  int reached;
};
static struct seen seen[SEEN]; /* hidden: static data is no root here, but may be elsewhere */
static unsigned count;

static void see(void *object, size_t size, int reached, void *arg) {
  must(arg == &count && count < SEEN);
  seen[count++] = (struct seen){hide(object), size, reached};
}

static int setup(void **state) {
  (void)state;
  struct vgc_config given = unit_config(0);
  given.check_level = 3;
  memset(roots, 0, sizeof roots);
  unit_start(&given);
  unit_roots(roots, ROOTS);
  return 0;
}

static void look(void) {
  count = 0;
  assert_int_equal(vgc_collect_and_visit(see, &count), 0);
  (void)stats_now(); /* sweeps */
}

/* How the object was shown, once; NULL: not at all. */
static const struct seen *shown(const void *object) {
  const struct seen *found = NULL;
  for (unsigned i = 0; i < count; i++) {
    if (seen[i].hidden != hide(object)) continue;
    assert_null(found);
    found = &seen[i];
  }
  return found;
}

static void expect_shown(const void *object, size_t size, int reached) {
  const struct seen *found = shown(object);
  assert_non_null(found);
  assert_int_equal(found->size, size);
  assert_int_equal(found->reached, reached);
}

static unsigned disclaimed;
static bool keep;

static int disclaim(void *object, size_t size, void *arg) {
  (void)object;
  (void)size;
  ++*(unsigned *)arg;
  return keep;
}

static void *(*const ways[])(size_t) = {vgc_malloc, vgc_malloc_noscan, vgc_malloc_uncollectable,
                                        vgc_malloc_uncollectable_noscan};

static vgc_layout_id kind(void) {
  static vgc_layout_id id;
  const struct vgc_kind given = {
      .struct_size = sizeof given, .scan = VGC_SCAN_NONE, .disclaim = disclaim, .arg = &disclaimed};
  if (!id) id = vgc_kind_register(&given);
  return id;
}

static vgc_layout_id layout(void) {
  static vgc_layout_id id;
  const uint64_t words[] = {1};
  if (!id) id = vgc_layout_register(&(struct vgc_layout){.size = 8, .pointer_words = words});
  return id;
}

static void *make(unsigned way, size_t size) {
  if (way < 4) return ways[way](size);
  return way == 4 ? vgc_malloc_typed(layout(), size / 8) : vgc_malloc_kind(kind(), size);
}

static void objects_of_every_kind_are_shown(void **state) {
  (void)state;
  static const size_t sizes[] = {8, 64, 3000, 100000};
  for (unsigned i = 0; i < 4; i++)
    for (unsigned way = 0; way < 6; way++) {
      void *kept = make(way, sizes[i]), *lost = make(way, sizes[i]), *freed = make(way, sizes[i]);
      size_t size = vgc_usable_size(kept);
      vgc_free(freed);
      roots[0] = kept;
      disclaimed = 0;
      look();
      assert_int_equal(count, 2);
      expect_shown(kept, size, 1);
      bool root = way == 2 || way == 3;
      expect_shown(lost, size, root);
      assert_int_equal(unit_alive(lost), root);
      assert_int_equal(disclaimed, way == 5); /* after it was shown */
      vgc_free(kept);
      if (root) vgc_free(lost);
      look();
      assert_int_equal(count, 0);
    }
}

/* As many as there are, counted slot by slot, in spans that are full, current and given up. */
static void all_are_shown(void **state) {
  (void)state;
  for (unsigned i = 0; i < 3000; i++) {
    void **object = vgc_malloc(i % 5 * 100 + 16);
    if (i % 2 == 0) {
      object[0] = roots[0];
      roots[0] = object;
    }
    if (i % 7 == 1) vgc_free(object);
  }
  uint64_t objects = probe_recount().objects;
  look();
  assert_int_equal(count, objects);
  unsigned reached = 0;
  for (unsigned i = 0; i < count; i++) reached += seen[i].reached == 1;
  assert_int_equal(probe_recount().objects, reached);
  assert_int_not_equal(count, reached);
}

static void finalize(void *object, void *arg) {
  (void)object;
  (void)arg;
}

/* What a finalizer still sees is not about to be reclaimed. What is freed is none's leak, though a link names it. */
static void finalizers_and_links_are_seen_to_first(void **state) {
  (void)state;
  void **object = vgc_malloc(48), *content = object[0] = vgc_malloc(64), *link = NULL;
  assert_int_equal(vgc_set_finalizer(object, finalize, NULL, VGC_ORDERED), 0);
  void *freed = vgc_malloc(80);
  assert_int_equal(vgc_weak_add(&link, freed, VGC_WEAK_SHORT), 0);
  vgc_free(freed);
  look();
  expect_shown(object, 48, 1);
  expect_shown(content, 64, 1);
  assert_null(shown(freed));
  assert_null(link);
  look();
  expect_shown(object, 48, 0);
}

/* Whether a disclaim procedure keeps it or not. */
static void what_is_kept_is_shown_as_unreached(void **state) {
  (void)state;
  void *object = vgc_malloc_kind(kind(), 64);
  size_t size = vgc_usable_size(object);
  for (unsigned i = 0; i < 2; i++) {
    keep = i == 0;
    look();
    expect_shown(object, size, 0);
    assert_int_equal(unit_alive(object), keep);
  }
}

static void it_is_refused_as_a_collection_is(void **state) {
  (void)state;
  errno = 0;
  assert_int_equal(vgc_collect_and_visit(NULL, NULL), -1);
  assert_int_equal(errno, EINVAL);
  vgc_disable();
  errno = 0;
  assert_int_equal(vgc_collect_and_visit(see, &count), -1);
  assert_int_equal(errno, EBUSY);
  vgc_enable();
  look();
}

/* ---- Threads ---- */

static _Atomic int looking;

static void collect(void *arg) {
  (void)arg;
  must(vgc_collect() == 0);
}

static void collect_and_look(void *arg) {
  (void)arg;
  count = 0;
  atomic_store(&looking, gettid());
  must(vgc_collect_and_visit(see, &count) == 0);
}

/* One that another thread begins after the call is no answer. */
static void it_is_a_collection_of_its_own(void **state) {
  (void)state;
  struct worker first, second;
  worker_start(&first);
  worker_start(&second);
  (void)!vgc_malloc(32);
  void *object = roots[0] = vgc_malloc(32);
  uint64_t cycles = stats_now().cycles;
  struct park *window = park_arm("collect_before_locks");
  worker_begin(&first, collect, NULL);
  park_await(window);
  looking = 0;
  worker_begin(&second, collect_and_look, NULL);
  while (!looking) sched_yield();
  task_await_sleep(looking); /* for the collect lock */
  park_release(window);
  worker_finish(&first);
  worker_finish(&second);
  assert_int_equal(stats_now().cycles, cycles + 2);
  assert_int_equal(count, 1);
  expect_shown(object, 32, 1);
  worker_stop(&first);
  worker_stop(&second);
}

UNIT(visit) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, unit_teardown)
  const struct CMUnitTest tests[] = {
      TEST(objects_of_every_kind_are_shown),        TEST(all_are_shown),
      TEST(finalizers_and_links_are_seen_to_first), TEST(what_is_kept_is_shown_as_unreached),
      TEST(it_is_refused_as_a_collection_is),       TEST(it_is_a_collection_of_its_own),
  };
  return cmocka_run_group_tests_name("visit", tests, NULL, NULL);
}
