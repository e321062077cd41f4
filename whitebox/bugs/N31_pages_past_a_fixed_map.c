/* N31: a page map of 8192 entries for an arena that is larger.
 *
 * An object held only by a pointer past the 8192nd page of its arena lives. */
#include "bug.h"

enum { PAGE = 1024, MIB = 1 << 20 };

static char *held;
static uintptr_t start;

static void make(void *arg) {
  (void)arg;
  char *object = vgc_malloc_noscan(10 * MIB);
  must(object);
  start = hide(object);
  held = object + 9 * MIB;
  *held = 'x';
}

static void held_far_from_its_start(void **state) {
  (void)state;
  struct vgc_config wanted = config_quiet();
  wanted.page_bytes = PAGE;
  wanted.arena_bytes = 16 * MIB;
  assert_int_equal(vgc_init(&wanted), 0);
  static struct worker worker;
  worker_start(&worker);
  worker_do(&worker, make, NULL);
  assert_int_equal(vgc_collect(), 0);
  assert_int_equal(stats_now().objects_swept, 0);
  assert_ptr_equal(vgc_base_of(held), reveal(start));
  assert_int_equal(*held, 'x');
  worker_stop(&worker);
}

BUG(N31) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(held_far_from_its_start, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("N31", tests, NULL, NULL);
}
