/* V14: an object counts as pointer-free because its payload is, although its header points to another object.
 *
 * Every way to allocate scanned memory keeps the child that only its first word names; so does a layout whose only
 * pointer is that header. */
#include "bug.h"
#include "objects.h"
#include "probe.h"

enum { WAYS = 8, ELEMENTS = 4 };
static void **kept[WAYS];
static uintptr_t children[WAYS + ELEMENTS];
static vgc_layout_id header_only;

static uintptr_t make_child(void **where) {
  must(*where = vgc_malloc_noscan(40));
  return hide(*where);
}

static void allocate_every_way(void *arg) {
  (void)arg;
  void *none[4] = {NULL, NULL, NULL, NULL};
  kept[0] = vgc_malloc(32);
  kept[1] = vgc_calloc(1, 32);
  kept[2] = vgc_aligned_alloc(64, 32);
  kept[3] = vgc_memdup(none, sizeof none);
  kept[4] = vgc_malloc_uncollectable(32);
  kept[5] = vgc_realloc(NULL, 32);
  kept[6] = vgc_malloc(100000);
  kept[7] = vgc_malloc_typed(header_only, ELEMENTS);
  for (unsigned i = 0; i < WAYS - 1; i++) children[i] = make_child(&kept[i][0]);
  for (unsigned i = 0; i < ELEMENTS; i++) children[WAYS - 1 + i] = make_child(&kept[WAYS - 1][4 * i]);
  /* Moved, an object stays of its kind. */
  must(kept[0] = vgc_realloc(kept[0], 5000));
  must(kept[7] = vgc_realloc(kept[7], 1000));
}

static void header_keeps_its_child(void **state) {
  (void)state;
  start_quiet();
  const uint64_t first_word = 1;
  header_only = vgc_layout_register(&(struct vgc_layout){.size = 32, .pointer_words = &first_word, .name = "option"});
  assert_true(header_only);
  probe_in_thread(allocate_every_way, NULL);
  assert_int_equal(vgc_collect(), 0);
  for (unsigned i = 0; i < WAYS - 1 + ELEMENTS; i++) assert_true(probe_alive(children[i]));
}

BUG(V14) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(header_keeps_its_child, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("V14", tests, NULL, NULL);
}
