/* X104: an uncollectable object that a weak link names is freed. The collector, which it is left to, goes on taking it
 * for a root: it stays for ever, with all that it points to, and the link is never cleared. */
#include "bug.h"
#include "probe.h"

static void **links;
static uintptr_t object, content;

static void make_and_free(void *arg) {
  void **uncollectable = vgc_malloc_uncollectable(*(size_t *)arg), *pointed_to = vgc_malloc(32);
  *uncollectable = pointed_to;
  must(vgc_weak_add(&links[0], uncollectable, VGC_WEAK_SHORT) == 0);
  must(vgc_weak_add(&links[1], pointed_to, VGC_WEAK_LONG) == 0);
  object = hide(uncollectable);
  content = hide(pointed_to);
  vgc_free(uncollectable);
}

static void it_is_collected(void **state) {
  (void)state;
  struct vgc_config given = config_quiet();
  given.check_level = 3;
  assert_int_equal(vgc_init(&given), 0);
  links = vgc_malloc_noscan(2 * sizeof *links);
  static size_t sizes[] = {48, 100000};
  for (unsigned i = 0; i < 2; i++) {
    probe_in_thread(make_and_free, &sizes[i]);
    assert_int_equal(vgc_collect(), 0);
    assert_null(links[0]);
    assert_null(links[1]);
    assert_false(probe_alive(object));
    assert_false(probe_alive(content));
  }
}

BUG(X104) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(it_is_collected, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("X104", tests, NULL, NULL);
}
