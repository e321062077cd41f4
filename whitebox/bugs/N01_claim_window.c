/* N01: claim-window theft.
 *
 * A thread is suspended on its way through vgc_malloc, having claimed a slot and not yet returned it. A collection must
 * not take the slot, or the same address is issued twice. */
#include "bug.h"

enum { SIZE = 512, SPAN_SLOTS = 64, BEFORE = 3, AFTER = 2 * SPAN_SLOTS };

static void *objects[BEFORE + 1 + AFTER];
static void *(*allocate)(size_t);
static size_t size;

/* The slots before the victim's are live, and no word on the stack points past their ends. */
static void begin(void *arg) {
  (void)arg;
  for (unsigned i = 0; i < BEFORE; i++) objects[i] = allocate(size);
  stack_scrub();
}

static void take(void *arg) { *(void **)arg = allocate(size); }

static void suspended_at(const char *point) {
  static struct worker workers[8];
  static unsigned used;
  struct worker *worker = &workers[used++];
  worker_start(worker);
  worker_do(worker, begin, NULL);
  struct park *window = park_arm_thread(point, worker->thread);
  worker_begin(worker, take, &objects[BEFORE]);
  park_await(window);
  assert_int_equal(vgc_collect(), 0);
  assert_int_equal(vgc_collect(), 0);
  park_release(window);
  worker_finish(worker);
  struct batch rest = {allocate, size, AFTER, &objects[BEFORE + 1]};
  worker_do(worker, batch_allocate, &rest);
  assert_true(all_distinct(objects, BEFORE + 1 + AFTER));
  for (unsigned i = 0; i < BEFORE + 1 + AFTER; i++) assert_ptr_equal(vgc_base_of(objects[i]), objects[i]);
  assert_int_equal(vgc_collect(), 0);
  assert_int_equal(stats_now().objects_swept, 0);
  for (unsigned i = 0; i < BEFORE + 1 + AFTER; i++) vgc_free(objects[i]);
  memset(objects, 0, sizeof objects);
  worker_stop(worker);
  assert_int_equal(errors_count(), 0);
}

static void small_object(void **state) {
  (void)state;
  errors_record();
  void *(*const kinds[])(size_t) = {vgc_malloc, vgc_malloc_noscan, vgc_malloc_uncollectable};
  const char *const points[] = {"allocate_before_commit", "allocate_after_commit"};
  size = SIZE;
  for (unsigned i = 0; i < 3; i++)
    for (unsigned j = 0; j < 2; j++) {
      allocate = kinds[i];
      suspended_at(points[j]);
    }
}

static void large_object(void **state) {
  (void)state;
  errors_record();
  size = 100000;
  allocate = vgc_malloc_noscan;
  suspended_at("large_after_commit");
}

BUG(N01) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(small_object, fault_reset, park_reset),
                                     cmocka_unit_test_setup_teardown(large_object, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("N01", tests, NULL, NULL);
}
