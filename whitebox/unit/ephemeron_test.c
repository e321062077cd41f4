/* Values that live as long as their keys. The roots are the words of `roots` alone, and the second marker agrees. */
#include "unit.h"

enum { ROOTS = 8, CHAIN = 300 };
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
      TEST(what_a_finalizer_sees),
      TEST(keys_and_ephemerons_may_be_freed),
      TEST(keys_and_values_are_live_objects),
  };
  return cmocka_run_group_tests_name("ephemeron", tests, NULL, NULL);
}
