/* Values that live as long as their keys. The roots are the words of `roots` alone, and the second marker agrees. */
#include "unit.h"

enum { ROOTS = 8, CHAIN = 300, FEW = 20 };
static void *roots[ROOTS];

static int setup(void **state) {
  (void)state;
  struct vgc_config given = unit_config(0);
  given.check_level = 3;
  memset(roots, 0, sizeof roots);
  unit_start(&given);
  unit_roots(roots, ROOTS);
  return 0;
}

static struct vgc_ephemeron *must_make(void *key, void *value) {
  struct vgc_ephemeron *ephemeron = vgc_ephemeron_new(key, value);
  assert_non_null(ephemeron);
  assert_ptr_equal(vgc_ephemeron_key(ephemeron), key);
  assert_ptr_equal(vgc_ephemeron_value(ephemeron), value);
  return ephemeron;
}

/* What of key and ephemeron a root names decides what lives. */
static void a_value_needs_both_key_and_ephemeron(void **state) {
  (void)state;
  for (unsigned kept = 0; kept < 4; kept++) {
    void *key = vgc_malloc(16), **value = vgc_malloc(16), *content = value[0] = vgc_malloc(16);
    struct vgc_ephemeron *ephemeron = must_make(key, value);
    roots[0] = kept & 1 ? key : NULL;
    roots[1] = kept & 2 ? ephemeron : NULL;
    unit_collect();
    assert_int_equal(unit_alive(key), kept & 1);
    assert_int_equal(unit_alive(ephemeron), kept >> 1 & 1);
    assert_int_equal(unit_alive(value), kept == 3);
    assert_int_equal(unit_alive(content), kept == 3);
    if (!(kept & 2)) continue;
    assert_ptr_equal(vgc_ephemeron_key(ephemeron), kept & 1 ? key : NULL);
    assert_ptr_equal(vgc_ephemeron_value(ephemeron), kept & 1 ? value : NULL);
  }
}

/* What a table of weak keys with strong values never lets go. */
static void a_value_that_points_to_its_key_keeps_nothing(void **state) {
  (void)state;
  void *key = roots[0] = vgc_malloc(16), **value = vgc_malloc(16);
  value[0] = key;
  roots[1] = must_make(key, value);
  unit_collect();
  assert_true(unit_alive(value));
  roots[0] = NULL;
  unit_collect();
  assert_false(unit_alive(key) || unit_alive(value));
}

/* Each value is the next one's key, in whatever order they were made. */
static void values_lead_to_keys(void **state) {
  (void)state;
  for (int step = -1; step <= 1; step += 2) {
    void **links = roots[1] = vgc_malloc(CHAIN * sizeof *links), *first = NULL;
    void **nodes = vgc_malloc_noscan((CHAIN + 1) * sizeof *nodes);
    roots[2] = nodes;
    for (unsigned i = 0; i <= CHAIN; i++) nodes[i] = vgc_malloc(16);
    for (int i = step > 0 ? 0 : CHAIN - 1; i >= 0 && i < CHAIN; i += step) links[i] = must_make(nodes[i], nodes[i + 1]);
    first = roots[0] = nodes[0];
    unit_collect();
    for (unsigned i = 0; i <= CHAIN; i++) assert_true(unit_alive(nodes[i]));
    roots[0] = NULL;
    unit_collect();
    assert_false(unit_alive(first));
    for (unsigned i = 1; i <= CHAIN; i++) assert_false(unit_alive(nodes[i]));
    for (unsigned i = 0; i < CHAIN; i++) assert_null(vgc_ephemeron_key(links[i]));
  }
}

/* ---- Long ways from value to value ---- */

static void count(void *unused) { (void)unused; }

static unsigned looks_of_a_collection(void) {
  struct park *look = park_arm_each("ephemerons_look_at_all", count, NULL);
  unsigned before = park_passages(look);
  unit_collect();
  return park_passages(look) - before;
}

/* Each value has the next key behind so many objects; of the ephemerons each has the next one behind its value, if it
 * is not known from elsewhere. In an order of no order. */
static void **make_maze(unsigned between, bool ephemerons_too) {
  static unsigned order[CHAIN];
  uint64_t random = 1;
  void **links = roots[2] = vgc_malloc(CHAIN * sizeof *links);
  void **nodes = roots[3] = vgc_malloc(CHAIN * sizeof *nodes), **values = roots[4] = vgc_malloc(CHAIN * sizeof *values);
  for (unsigned i = 0; i < CHAIN; i++) {
    nodes[i] = vgc_malloc_noscan(16);
    values[i] = vgc_malloc(2 * sizeof(void *));
    order[i] = i;
  }
  for (unsigned i = CHAIN - 1; i > 0; i--) {
    unsigned other = (unsigned)(unit_random(&random) % (i + 1)), before = order[i];
    order[i] = order[other];
    order[other] = before;
  }
  for (unsigned i = 0; i < CHAIN; i++) links[order[i]] = must_make(nodes[order[i]], values[order[i]]);
  for (unsigned i = 0; i + 1 < CHAIN; i++) {
    void **from = values[i];
    for (unsigned b = 0; b < between; b++) from = from[0] = vgc_malloc(2 * sizeof(void *));
    from[0] = nodes[i + 1];
    if (ephemerons_too) from[1] = links[i + 1];
  }
  roots[0] = nodes[0];
  roots[1] = ephemerons_too ? links[0] : links;
  return links;
}

static void walk_maze(unsigned between, bool ephemerons_too, unsigned most) {
  static uintptr_t hidden[CHAIN];
  void **links = make_maze(between, ephemerons_too);
  for (unsigned i = 0; i < CHAIN; i++) hidden[i] = hide(links[i]);
  roots[2] = roots[3] = roots[4] = NULL;
  unsigned looks = looks_of_a_collection();
  assert_in_range(looks, 1, most);
  for (unsigned i = 0; i < CHAIN; i++) {
    assert_true(unit_alive(reveal(hidden[i])));
    assert_true(unit_alive(vgc_ephemeron_value(reveal(hidden[i]))));
  }
  roots[0] = NULL;
  unit_collect();
  for (unsigned i = 0; i < CHAIN; i++) assert_int_equal(unit_alive(reveal(hidden[i])), !ephemerons_too || i == 0);
  roots[1] = NULL;
}

static void walk_mazes(unsigned most) {
  for (unsigned between = 0; between < 3; between++)
    for (unsigned ephemerons_too = 0; ephemerons_too < 2; ephemerons_too++) walk_maze(between, ephemerons_too, most);
}

static void few_looks_do(void **state) {
  (void)state;
  walk_mazes(FEW);
}

static void few_looks_do_with_exact_pointers(void **state) {
  (void)state;
  vgc_exact_pointers(1);
  walk_mazes(FEW);
}

static void again_with(struct vgc_config given) {
  given.check_level = 3;
  assert_int_equal(vgc_shutdown(), 0);
  unit_start(&given);
}

static void few_looks_do_after_overflows(void **state) {
  (void)state;
  struct vgc_config given = unit_config(0);
  given.mark_stack = given.mark_stack_max = 16;
  again_with(given);
  walk_mazes(FEW);
}

/* Nor is a helper in the way. */
static void few_looks_do_with_helpers(void **state) {
  (void)state;
  struct vgc_config given = unit_config(0);
  given.mark_workers = 3;
  given.minimum_heap = 1;
  again_with(given);
  walk_mazes(FEW);
}

static void many_looks_do_without_memory(void **state) {
  struct vgc_config given = unit_config(0);
  given.check_level = 1; /* the second marker wants memory */
  assert_int_equal(vgc_shutdown(), 0);
  unit_start(&given);
  make_maze(1, true);
  roots[2] = roots[3] = roots[4] = NULL;
  fault_fail(FAULT_RESERVE, 0, ~0ul);
  assert_true(looks_of_a_collection() > FEW);
  assert_true(fault_failed(FAULT_RESERVE) > 0);
  fault_reset(state);
  struct vgc_ephemeron *ephemeron = roots[1];
  for (unsigned i = 1; i < CHAIN; i++) {
    void **value = vgc_ephemeron_value(ephemeron);
    assert_true(value && unit_alive(value));
    value = value[0];
    assert_true(unit_alive(value));
    ephemeron = value[1];
  }
}

/* Which is reached by way of others. */
static void many_of_one_key(void **state) {
  (void)state;
  enum { HOPS = 5 };
  static uintptr_t values[CHAIN];
  void **links = roots[1] = vgc_malloc((CHAIN + HOPS) * sizeof *links), **hops[HOPS + 1];
  void *key = roots[2] = vgc_malloc(16);
  for (unsigned i = 0; i < CHAIN; i++) {
    void *value = roots[3] = vgc_malloc(16);
    links[i] = must_make(key, value);
    values[i] = hide(value);
  }
  for (unsigned i = 0; i <= HOPS; i++) hops[i] = vgc_malloc(16);
  for (unsigned i = HOPS; i-- > 0;) links[CHAIN + i] = must_make(hops[i], hops[i + 1]);
  hops[HOPS][0] = key;
  roots[0] = hops[0];
  roots[2] = roots[3] = NULL;
  assert_in_range(looks_of_a_collection(), 1, FEW);
  for (unsigned i = 0; i < CHAIN; i++) {
    assert_ptr_equal(vgc_ephemeron_value(links[i]), reveal(values[i]));
    assert_true(unit_alive(reveal(values[i])));
  }
}

static void keep_nothing(void *object, void *arg) { (void)object, (void)arg; }

/* The finalizer sees its object's ephemerons and values, but none by way of a key that had died. */
static void what_a_finalizer_sees(void **state) {
  (void)state;
  void **object = vgc_malloc(16), *live = roots[0] = vgc_malloc(16), *value = vgc_malloc(16);
  object[0] = must_make(live, value);
  struct vgc_ephemeron *by_object = roots[1] = must_make(object, value);
  assert_int_equal(vgc_set_finalizer(object, keep_nothing, NULL, VGC_ORDERED), 0);
  assert_true(collect_now(COLLECT_EXPLICIT));
  assert_null(vgc_ephemeron_key(by_object));
  assert_ptr_equal(vgc_ephemeron_value(object[0]), value);
  assert_true(unit_alive(value));
  assert_int_equal(vgc_finalize(), 1);
  unit_collect();
  assert_false(unit_alive(object) || unit_alive(value));
}

static void keys_and_ephemerons_may_be_freed(void **state) {
  (void)state;
  void *key = vgc_malloc(16), *value = vgc_malloc(16);
  struct vgc_ephemeron *ephemeron = roots[1] = must_make(key, value);
  vgc_free(key); /* left to the collector */
  for (unsigned i = 0; i < 1000; i++) assert_ptr_not_equal(vgc_malloc(16), key);
  unit_collect();
  assert_null(vgc_ephemeron_key(ephemeron));
  assert_false(unit_alive(key));

  key = roots[0] = vgc_malloc(16);
  ephemeron = must_make(key, vgc_malloc(16));
  vgc_free(ephemeron);
  assert_false(unit_alive(ephemeron));
  unit_collect();
  vgc_free(key); /* it has been named */
  roots[0] = NULL;
  unit_collect();
  assert_false(unit_alive(key));
}

static void keys_and_values_are_live_objects(void **state) {
  char *object = roots[0] = vgc_malloc(64), local;
  void *odd[] = {object + 8, &local, (void *)8};
  for (unsigned i = 0; i < sizeof odd / sizeof *odd; i++) {
    errno = 0;
    assert_null(vgc_ephemeron_new(odd[i], object));
    assert_int_equal(errno, EINVAL);
    assert_null(vgc_ephemeron_new(object, odd[i]));
  }
  assert_null(vgc_ephemeron_new(NULL, object));
  assert_ptr_equal(vgc_ephemeron_value(must_make(object, NULL)), NULL);
  assert_int_equal(vgc_shutdown(), 0);
  setup(state);
  object = roots[0] = vgc_malloc(64);
  fault_fail(FAULT_RESERVE, 0, ~0ul);
  errno = 0;
  assert_null(vgc_ephemeron_new(object, NULL));
  assert_int_equal(errno, ENOMEM);
  fault_reset(state);
}

UNIT(ephemeron) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, unit_teardown)
  const struct CMUnitTest tests[] = {
      TEST(a_value_needs_both_key_and_ephemeron),
      TEST(a_value_that_points_to_its_key_keeps_nothing),
      TEST(values_lead_to_keys),
      TEST(few_looks_do),
      TEST(few_looks_do_with_exact_pointers),
      TEST(few_looks_do_after_overflows),
      TEST(few_looks_do_with_helpers),
      TEST(many_looks_do_without_memory),
      TEST(many_of_one_key),
      TEST(what_a_finalizer_sees),
      TEST(keys_and_ephemerons_may_be_freed),
      TEST(keys_and_values_are_live_objects),
  };
  return cmocka_run_group_tests_name("ephemeron", tests, NULL, NULL);
}
