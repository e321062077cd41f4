/* X61: a slot is freed again while its owner folds it in, and the second free is accepted.
 *
 * The owner moves the slot from the returned ones to the free ones. Whoever looks among the free ones first, and among
 * the returned ones after the move, meets it nowhere and takes it for issued. */
#include "bug.h"
#include "objects.h"

enum { SIZE = 512, OTHER_SIZE = 256, SPAN_SLOTS = 64 };

static void *objects[SPAN_SLOTS + 1], *other;

static void free_first(void *unused) {
  (void)unused;
  vgc_free(objects[0]);
}

static void met_on_the_way(void **state) {
  (void)state;
  errors_record();
  struct vgc_config wanted = config_quiet();
  assert_int_equal(vgc_init(&wanted), 0);
  struct batch all = {vgc_malloc, SIZE, SPAN_SLOTS + 1, objects}; /* the first span is full then */
  batch_allocate(&all);
  static struct worker worker;
  worker_start(&worker);
  worker_do(&worker, free_first, NULL);
  /* A slow path of another class takes what was announced, and folds it in. */
  struct batch fold = {vgc_malloc, OTHER_SIZE, 1, &other};
  worker_do_meanwhile(&worker, free_first, NULL, "span_issued_looking", batch_allocate, &fold);
  assert_int_equal(errors_count(), 1);
  assert_int_equal(errors_last(), VGC_ERROR_DOUBLE_FREE);
  assert_int_equal(stats_now().objects_freed, 1);
  worker_stop(&worker);
}

BUG(X61) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(met_on_the_way, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("X61", tests, NULL, NULL);
}
