/* X88: at a fork a thread is about to announce a span that is no more. In the child nobody does, but the descriptor
 * keeps the mark of one that is announced.
 *
 * Its next span is then announced to nobody: what other threads free in it is lost until the next collection. */
#include "bug.h"
#include "probe.h"

enum { SIZE = 512, SPAN_SLOTS = 64, BATCH = 2 * SPAN_SLOTS };

static void *objects[SPAN_SLOTS], *rest[BATCH];
static uintptr_t freed;

static void free_others(void *unused) {
  (void)unused;
  for (unsigned i = 1; i < SPAN_SLOTS; i++) vgc_free(objects[i]);
}

/* What the other thread has freed ends with the owner, who finds the span empty. */
static struct park *leave_announced(struct worker *other) {
  static struct worker owner;
  struct batch batch = {vgc_malloc, SIZE, SPAN_SLOTS, objects};
  worker_start(&owner);
  worker_do(&owner, batch_allocate, &batch);
  freed = hide(objects[0]);
  struct park *window = park_arm_thread("cache_notify_before_push", other->thread);
  worker_begin(other, free_hidden, &freed);
  park_await(window);
  worker_do(&owner, free_others, NULL);
  worker_stop(&owner);
  return window;
}

static void use_again(void *unused) {
  (void)unused;
  static struct worker other;
  struct batch batch = {vgc_malloc, SIZE, SPAN_SLOTS, objects}, more = {vgc_malloc, SIZE, BATCH, rest};
  worker_start(&other);
  batch_allocate(&batch);
  batch_allocate(&more);
  freed = hide(objects[5]);
  worker_do(&other, free_hidden, &freed);
  batch_allocate(&more);
  must(among(reveal(freed), rest, BATCH));
  worker_stop(&other);
}

static void child_hears_of_free_slots(void **state) {
  (void)state;
  if (UNDER_TSAN) not_applicable("ThreadSanitizer's runtime does not follow a fork of many threads");
  static struct worker other;
  struct child_result result;
  start_quiet();
  must(vgc_malloc(8)); /* this thread has a cache before the owner's becomes free */
  worker_start(&other);
  struct park *window = leave_announced(&other);
  child_run(use_again, NULL, 20, &result);
  park_release(window);
  worker_finish(&other);
  worker_stop(&other);
  if (result.exit_code != 0) print_error("%s", result.text);
  assert_int_equal(result.exit_code, 0);
}

BUG(X88) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(child_hears_of_free_slots, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("X88", tests, NULL, NULL);
}
