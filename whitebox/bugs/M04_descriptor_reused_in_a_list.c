/* M04: a descriptor is used again while its last life still stands in a list.
 *
 * A span that was announced to one thread is taken by the collector and given up; its descriptor becomes another
 * thread's span. Announced anew at once, it would be linked a second time, and the first list would lose its tail. */
#include "bug.h"

#include <semaphore.h>

enum { SIZE = 512, SPAN_SLOTS = 64, BATCH = 4 * SPAN_SLOTS };

static void *tail[SPAN_SLOTS], *mine[SPAN_SLOTS], *rest[BATCH], *theirs[1 + BATCH];
static uintptr_t announced;
static sem_t filled, taken;

/* Two full spans and a third; then holds the first, so that the collector leaves it, until told. */
static void fill_and_hold(void *arg) {
  (void)arg;
  void *spans[2 * SPAN_SLOTS];
  struct batch both = {vgc_malloc, SIZE, 2 * SPAN_SLOTS, spans}, one = {vgc_malloc, SIZE, 1, theirs};
  batch_allocate(&both);
  batch_allocate(&one);
  memcpy(tail, spans, sizeof tail);
  announced = hide(spans[SPAN_SLOTS]);
  memset(spans, 0, sizeof spans);
  void *held = tail[SPAN_SLOTS - 1];
  must(sem_post(&filled) == 0);
  while (sem_wait(&taken) != 0) {
  }
  KEEP_ALIVE(held);
}

static void list_keeps_its_tail(void **state) {
  (void)state;
  errors_record();
  struct vgc_config wanted = config_quiet();
  assert_int_equal(vgc_init(&wanted), 0);
  sem_init(&filled, 0, 0);
  sem_init(&taken, 0, 0);
  static struct worker owner, other;
  worker_start(&owner);
  worker_start(&other);
  worker_begin(&owner, fill_and_hold, NULL);
  while (sem_wait(&filled) != 0) {
  }
  struct span *span = span_of((uintptr_t)reveal(announced));
  vgc_free(tail[5]);
  worker_do(&other, free_hidden, &announced);
  /* The second span is garbage: its pages and its descriptor go. */
  assert_int_equal(vgc_collect(), 0);
  assert_int_equal(stats_now().objects_swept, SPAN_SLOTS - 1);
  assert_int_equal(span_state(span), SPAN_NONE);
  struct batch batch = {vgc_malloc, SIZE, SPAN_SLOTS, mine};
  batch_allocate(&batch);
  assert_ptr_equal(span_of((uintptr_t)mine[0]), span);
  worker_do(&other, free_hidden, &(uintptr_t){hide(mine[0])});
  struct batch more = {vgc_malloc, SIZE, BATCH, rest};
  batch_allocate(&more);
  must(sem_post(&taken) == 0);
  worker_finish(&owner);
  struct batch last = {vgc_malloc, SIZE, BATCH, theirs + 1};
  worker_do(&owner, batch_allocate, &last);
  assert_true(among(tail[5], theirs, 1 + BATCH));
  assert_true(all_distinct(theirs, 1 + BATCH));
  assert_int_equal(errors_count(), 0);
  worker_stop(&other);
  worker_stop(&owner);
}

BUG(M04) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(list_keeps_its_tail, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("M04", tests, NULL, NULL);
}
