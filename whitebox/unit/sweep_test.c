#include "planted.h"

static uint64_t free_bits(const struct planted *p) { return load_relaxed(&p->span->bits[0].free); }

/* Without owner: no slot is available, so the digit for it stands for one that was returned and marked. */
static void check_unowned(struct planted *p, uint64_t returned_and_marked) {
  struct span *span = p->span;
  store_relaxed(&span->avail, 0);
  store_relaxed(&span->active, SPAN_NO_WORD);
  uint64_t returned = p->in[SLOT_RETURNED] | returned_and_marked;
  store_relaxed(&span_remote(span)[0], returned);
  span->bits[0].mark |= returned_and_marked;
  assert_int_equal(sweep_span(span), bitmap_count(p->in[SLOT_ISSUED]));
  assert_int_equal(free_bits(p), p->in[SLOT_FREE] | returned | p->in[SLOT_ISSUED]);
  assert_int_equal(span->bits[0].mark, 0);
  assert_int_equal(load_relaxed(&span_remote(span)[0]), 0);
  assert_int_equal(span_issued(span, 0), p->in[SLOT_MARKED]);
}

static void what_is_neither_marked_nor_free_dies(void **state) {
  (void)state;
  struct span *span = planted_span(PLANTED_SIZE, SPAN_UNSWEPT);
  for (unsigned pattern = 0; pattern < 5 * 5 * 5 * 5 * 5 * 5; pattern++) {
    struct planted planted = planted_make(span, pattern, 5);
    check_unowned(&planted, planted.in[SLOT_AVAILABLE]);
  }
}

/* The owner finds its dead slots returned; nothing that it alone writes has changed. */
static void check_owned(struct planted *p) {
  struct span *span = p->span;
  uint32_t active = load_relaxed(&span->active);
  assert_int_equal(sweep_owned_span(span), bitmap_count(p->in[SLOT_ISSUED]));
  assert_int_equal(free_bits(p), p->in[SLOT_FREE]);
  assert_int_equal(load_relaxed(&span->avail), p->in[SLOT_AVAILABLE]);
  assert_int_equal(load_relaxed(&span->active), active);
  assert_int_equal(load_relaxed(&span_remote(span)[0]), p->in[SLOT_RETURNED] | p->in[SLOT_ISSUED]);
  assert_int_equal(span->bits[0].mark, 0);
  assert_int_equal(span_issued(span, 0), p->in[SLOT_MARKED]);
}

static void dead_slots_of_an_owned_span_are_returned_to_it(void **state) {
  (void)state;
  struct span *span = planted_span(PLANTED_SIZE, SPAN_CURRENT);
  for (unsigned pattern = 0; pattern < 5 * 5 * 5 * 5 * 5 * 5; pattern++) {
    struct planted planted = planted_make(span, pattern, 5);
    check_owned(&planted);
  }
}

/* ---- Through a whole cycle ---- */

static void *roots[4];

static void only_the_unreachable_is_swept(void **state) {
  (void)state;
  unit_roots(roots, 4);
  void *objects[200];
  for (unsigned i = 0; i < 200; i++) {
    objects[i] = vgc_malloc(i % 2 ? 32 : 3000);
    memset(objects[i], 0, 32);
  }
  roots[0] = objects[10];
  *(void **)objects[10] = objects[11];
  *(void **)objects[11] = objects[199];
  unit_collect();
  for (unsigned i = 0; i < 200; i++) assert_int_equal(unit_alive(objects[i]), i == 10 || i == 11 || i == 199);
  struct vgc_stats stats = stats_now();
  assert_int_equal(stats.live_objects, 3);
  assert_int_equal(stats.objects_swept, 197);
  memset(roots, 0, sizeof roots);
}

static void swept_slots_are_issued_again_and_are_zero(void **state) {
  (void)state;
  unit_roots(roots, 4);
  enum { COUNT = 300 };
  uintptr_t before[COUNT];
  for (unsigned i = 0; i < COUNT; i++) {
    void *object = vgc_malloc(64);
    memset(object, 0xff, 64);
    before[i] = (uintptr_t)object;
  }
  uint64_t heap = stats_now().heap_bytes;
  unit_collect();
  unsigned again = 0;
  for (unsigned i = 0; i < COUNT; i++) {
    const unsigned char *object = vgc_malloc(64);
    for (unsigned j = 0; j < 64; j++) assert_int_equal(object[j], 0);
    for (unsigned j = 0; j < COUNT; j++) again += before[j] == (uintptr_t)object;
  }
  assert_true(again > COUNT / 2);
  assert_true(stats_now().heap_bytes <= heap);
}

static void empty_spans_give_their_pages_back(void **state) {
  (void)state;
  unit_roots(roots, 4);
  for (unsigned i = 0; i < 2000; i++) assert_non_null(vgc_malloc(256));
  uint64_t heap = stats_now().heap_bytes;
  unit_collect();
  struct vgc_stats stats = stats_now();
  assert_int_equal(stats.live_objects, 0);
  assert_true(stats.heap_bytes < heap / 4);
  assert_true(stats.free_bytes > heap / 2);
  assert_true(vgc_trim() > heap / 2);
  assert_int_equal(stats_now().free_bytes, 0);
}

UNIT(sweep) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, unit_setup, unit_teardown)
  const struct CMUnitTest tests[] = {
      TEST(what_is_neither_marked_nor_free_dies), TEST(dead_slots_of_an_owned_span_are_returned_to_it),
      TEST(only_the_unreachable_is_swept),        TEST(swept_slots_are_issued_again_and_are_zero),
      TEST(empty_spans_give_their_pages_back),
  };
  return cmocka_run_group_tests_name("sweep", tests, NULL, NULL);
}
