/* A02: one mapping is one region to AddressSanitizer, so errors within a heap of slots stay silent.
 *
 * The allocator poisons what no object has: the rest of a slot, free slots, swept slots, pages given back. */
#include "bug.h"

enum { SIZE = 20 };

static volatile char *kept;
static uintptr_t gone;

static void past_the_end(void *arg) {
  (void)arg;
  kept = reveal(hide(vgc_malloc_noscan(SIZE)));
  kept[SIZE - 1] = 1;
  kept[SIZE] = 1;
}

static void past_the_end_of_a_large_object(void *arg) {
  (void)arg;
  kept = reveal(hide(vgc_malloc(100000)));
  kept[99999] = 1;
  kept[100000] = 1;
}

static void past_a_shrunk_object(void *arg) {
  (void)arg;
  kept = reveal(hide(vgc_realloc(vgc_malloc(64), 40)));
  kept[39] = 1;
  kept[40] = 1;
}

static void after_free(void *arg) {
  (void)arg;
  kept = reveal(hide(vgc_malloc(SIZE)));
  vgc_free((void *)(uintptr_t)kept);
  kept[0] = 1;
}

static void after_free_of_a_large_object(void *arg) {
  (void)arg;
  kept = reveal(hide(vgc_malloc(100000)));
  vgc_free((void *)(uintptr_t)kept);
  kept[50000] = 1;
}

static void free_it(void *arg) { vgc_free(*(void **)arg); }

static void after_free_by_another(void *arg) {
  (void)arg;
  void *object = vgc_malloc(SIZE);
  kept = reveal(hide(object));
  static struct worker worker;
  worker_start(&worker);
  worker_do(&worker, free_it, &object);
  kept[0] = 1;
}

static void lose(void *arg) {
  (void)arg;
  gone = hide(vgc_malloc(SIZE));
}

static void after_sweep(void *arg) {
  (void)arg;
  static struct worker worker;
  worker_start(&worker);
  worker_do(&worker, lose, NULL);
  worker_stop(&worker);
  must(vgc_collect() == 0);
  must(stats_now().objects_swept == 1);
  *(volatile char *)reveal(gone) = 1;
}

static void (*const errors[])(void *) = {past_the_end, past_the_end_of_a_large_object, past_a_shrunk_object,
                                         after_free,   after_free_of_a_large_object,   after_free_by_another,
                                         after_sweep};

static void each_error_traps(void **state) {
  (void)state;
  if (!UNDER_ASAN) {
    not_applicable("only AddressSanitizer sees poisoned memory");
    return;
  }
  for (unsigned i = 0; i < sizeof errors / sizeof *errors; i++) {
    struct child_result result;
    child_run(errors[i], NULL, 20, &result);
    assert_int_not_equal(result.exit_code, 0);
    assert_non_null(strstr(result.text, "use-after-poison"));
  }
}

BUG(A02) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(each_error_traps, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("A02", tests, NULL, NULL);
}
