/* D02: the continuation pages of a large object are not in the page map.
 *
 * An object that is held only by a pointer to its last byte lives, whatever number of pages, or of arenas, it takes. */
#include "bug.h"

static char *held; /* the only reference: to the last byte */
static uintptr_t start;

static void make(void *size) {
  char *object = vgc_malloc_noscan(*(size_t *)size);
  must(object);
  start = hide(object);
  held = object + *(size_t *)size - 1;
  *object = 'a';
  *held = 'z';
}

static void held_by_its_end(void **state) {
  (void)state;
  struct vgc_config wanted = config_quiet();
  wanted.arena_bytes = 256 << 10;
  assert_int_equal(vgc_init(&wanted), 0);
  /* Within a page, over pages, just large, over many pages, larger than an arena; then again beside neighbours. */
  static size_t sizes[] = {100, 24000, 32768, 32769, 40960, 100000, 300000, 1 << 20};
  static struct worker worker;
  worker_start(&worker);
  for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    worker_do(&worker, make, &sizes[i]);
    assert_int_equal(vgc_collect(), 0);
    assert_int_equal(stats_now().objects_swept, 0);
    assert_ptr_equal(vgc_base_of(held), reveal(start));
    assert_int_equal(*(char *)reveal(start), 'a');
    assert_int_equal(*held, 'z');
    vgc_free(reveal(start));
  }
  worker_stop(&worker);
}

BUG(D02) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(held_by_its_end, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("D02", tests, NULL, NULL);
}
