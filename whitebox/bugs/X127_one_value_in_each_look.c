/* X127: values that lead to keys of other ephemerons, the last of them made first: each look at all ephemerons found
 * but one more value to mark, and the pause grew with the square of their number. So it did with the number of objects
 * that their disclaim procedures keep, for after each all ephemerons were looked at.
 *
 * Looks are counted. */
#include "bug.h"
#include "objects.h"

enum { MANY = 1000, FEW = 30 };

static void *volatile kept[2 * MANY + 1];

static void count(void *unused) { (void)unused; }

static void start(void) {
  struct vgc_config wanted = config_quiet();
  assert_int_equal(vgc_init(&wanted), 0);
}

static unsigned looks_of_a_collection(void) {
  struct park *look = park_arm_each("ephemerons_look_at_all", count, NULL);
  assert_int_equal(vgc_collect(), 0);
  return park_passages(look);
}

static void of_a_chain(void **state) {
  (void)state;
  start();
  static uintptr_t nodes[MANY + 1];
  vgc_disable();
  for (unsigned i = 0; i <= MANY; i++) nodes[i] = hide(kept[MANY] = vgc_malloc(32));
  for (unsigned i = MANY; i-- > 0;) kept[i] = vgc_ephemeron_new(reveal(nodes[i]), reveal(nodes[i + 1]));
  vgc_enable();
  kept[MANY] = reveal(nodes[0]);
  unsigned looks = looks_of_a_collection();
  assert_in_range(looks, 1, FEW);
  for (unsigned i = 0; i < MANY; i++)
    assert_ptr_equal(vgc_ephemeron_value((struct vgc_ephemeron *)kept[i]), reveal(nodes[i + 1]));
}

static unsigned asked;

static int keep(void *object, size_t size, void *arg) {
  (void)object, (void)size, (void)arg;
  asked++;
  return 1;
}

static void of_objects_that_are_kept(void **state) {
  (void)state;
  assert_int_equal(vgc_shutdown(), 0);
  start();
  const struct vgc_kind given = {.struct_size = sizeof given, .scan = VGC_SCAN_ALL, .disclaim = keep};
  vgc_layout_id kind = vgc_kind_register(&given);
  kept[0] = vgc_ephemeron_new(kept[1] = vgc_malloc(32), NULL);
  for (unsigned i = 0; i < MANY; i++) must(vgc_malloc_kind(kind, 32));
  unsigned looks = looks_of_a_collection();
  assert_true(asked > MANY / 2);
  assert_in_range(looks, 1, FEW);
}

BUG(X127) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(of_a_chain, fault_reset, park_reset),
      cmocka_unit_test_setup_teardown(of_objects_that_are_kept, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("X127", tests, NULL, NULL);
}
