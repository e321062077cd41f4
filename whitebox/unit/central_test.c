/* Spans that no cache owns, in their three lists. */
#include "planted.h"

static const unsigned SIZE = PLANTED_SIZE;

static struct central *home(void) { return &central[sizeclass_of(SIZE)]; }

/* A span filed in central; of its slots the first `used` are issued, the first `marked` of those marked. */
static struct span *filed(unsigned used, unsigned marked, enum span_state wish) {
  struct span *span = planted_span(SIZE, SPAN_UNSWEPT);
  store_relaxed(&span->bits[0].free, bitmap_valid(span->slots, 0) & ~((UINT64_C(1) << used) - 1));
  span->bits[0].mark = (UINT64_C(1) << marked) - 1;
  central_lock(sizeclass_of(SIZE));
  if (wish == SPAN_UNSWEPT)
    central_add_unswept(span);
  else
    central_file(span);
  central_unlock(sizeclass_of(SIZE));
  return span;
}

static struct span *taken(void) { return central_take(sizeclass_of(SIZE), KIND_SCAN, cache_ensure()); }

static void a_span_is_filed_by_its_free_slots(void **state) {
  (void)state;
  for (unsigned used = 0; used <= PLANTED_SLOTS; used++) {
    const struct span *span = filed(used, 0, SPAN_PARTIAL);
    assert_int_equal(span_state(span), used < PLANTED_SLOTS ? SPAN_PARTIAL : SPAN_EXHAUSTED);
  }
}

static void partial_spans_are_taken_before_unswept_ones(void **state) {
  (void)state;
  struct span *unswept = filed(3, 1, SPAN_UNSWEPT), *partial = filed(3, 1, SPAN_PARTIAL);
  assert_ptr_equal(taken(), partial);
  assert_int_equal(span_state(partial), SPAN_CURRENT);
  assert_ptr_equal(load_relaxed(&partial->owner), cache_current);
  assert_int_equal(partial->bits[0].mark, 1); /* not swept */
  assert_ptr_equal(taken(), unswept);
  assert_int_equal(span_free_count(unswept), PLANTED_SLOTS - 1);
  assert_int_equal(home()->swept_objects, 2);
  assert_null(taken());
}

static void spans_without_room_are_swept_and_passed_over(void **state) {
  (void)state;
  struct span *room = filed(PLANTED_SLOTS, 2, SPAN_UNSWEPT);
  struct span *none[] = {filed(PLANTED_SLOTS, PLANTED_SLOTS, SPAN_UNSWEPT),
                         filed(PLANTED_SLOTS, PLANTED_SLOTS, SPAN_UNSWEPT)};
  assert_ptr_equal(taken(), room);
  for (unsigned i = 0; i < 2; i++) {
    assert_int_equal(span_state(none[i]), SPAN_EXHAUSTED);
    assert_int_equal(none[i]->bits[0].mark, 0);
  }
}

static void a_returned_slot_makes_an_exhausted_span_partial(void **state) {
  (void)state;
  struct span *span = filed(PLANTED_SLOTS, 0, SPAN_EXHAUSTED);
  assert_null(taken());
  vgc_free((void *)(span->base + 2 * SIZE));
  assert_ptr_equal(taken(), span);
  assert_int_equal(load_relaxed(&span->bits[0].free), 4);
}

/* Notified, but folded in by somebody else before central looked. */
static void a_notice_without_a_returned_slot_changes_nothing(void **state) {
  (void)state;
  struct span *span = filed(PLANTED_SLOTS, 0, SPAN_EXHAUSTED);
  cache_notify(span);
  assert_null(taken());
  assert_int_equal(span_state(span), SPAN_EXHAUSTED);
  assert_false(load_relaxed(&span->life) & SPAN_NOTIFIED);
}

/* In central's list of returned spans when another cache takes it. */
static void a_returned_span_that_was_taken_meanwhile_is_passed_on(void **state) {
  (void)state;
  struct span *span = filed(3, 0, SPAN_PARTIAL);
  assert_ptr_equal(taken(), span);
  store_relaxed(&span->owner, NULL);
  vgc_free((void *)span->base);
  store_relaxed(&span->owner, cache_current);
  store_relaxed(&span->state, SPAN_FULL);
  span_list_push(&cache_current->full[span_index(span)], span);
  assert_null(load_relaxed(&cache_current->returned));
  assert_null(taken());
  assert_ptr_equal(load_relaxed(&cache_current->returned), span);
}

static void a_cycle_unsweeps_every_span(void **state) {
  (void)state;
  struct span *spans[] = {filed(2, 0, SPAN_PARTIAL), filed(PLANTED_SLOTS, 0, SPAN_EXHAUSTED),
                          filed(4, 1, SPAN_UNSWEPT)};
  central_lock_all();
  central_flip();
  central_unlock_all();
  for (unsigned i = 0; i < 3; i++) assert_int_equal(span_state(spans[i]), SPAN_UNSWEPT);
  assert_null(home()->partial[KIND_SCAN].first);
  assert_null(home()->exhausted[KIND_SCAN].first);
}

static void sweeping_some_stops_when_enough_came_free(void **state) {
  (void)state;
  for (unsigned i = 0; i < 5; i++) filed(4, 0, SPAN_UNSWEPT);
  uint32_t pages = sizeclass_table[sizeclass_of(SIZE)].pages;
  assert_int_equal(central_sweep_some(1), pages);
  assert_int_equal(central_sweep_some(2 * pages), 2 * pages);
  assert_int_equal(pages_taken_bytes(), 2 * pages * config.page_bytes);
  assert_int_equal(central_sweep_some(SIZE_MAX), 2 * pages);
  assert_int_equal(central_sweep_some(SIZE_MAX), 0);
}

static void finishing_sweeps_each_class(void **state) {
  (void)state;
  struct span *live = filed(4, 1, SPAN_UNSWEPT), *full = filed(PLANTED_SLOTS, PLANTED_SLOTS, SPAN_UNSWEPT);
  filed(4, 0, SPAN_UNSWEPT);
  central_finish_sweep();
  assert_int_equal(span_state(live), SPAN_PARTIAL);
  assert_int_equal(span_state(full), SPAN_EXHAUSTED);
  assert_int_equal(home()->swept_objects, 7);
}

/* given: (available, free, returned) slots -> state */
static void a_span_given_back_is_parked_folded_and_filed(void **state) {
  (void)state;
  static const struct {
    uint64_t available, free, returned;
    enum span_state expected; /* NONE: its pages are free */
  } rows[] = {{0, 0, 0, SPAN_EXHAUSTED}, {1, 0, 0, SPAN_PARTIAL}, {0, 2, 0, SPAN_PARTIAL},
              {0, 0, 4, SPAN_PARTIAL},   {1, 2, 4, SPAN_PARTIAL}, {0x3f, 0, 0, SPAN_NONE},
              {0, 0x3f, 0, SPAN_NONE},   {0, 0, 0x3f, SPAN_NONE}, {0x21, 0x12, 0x0c, SPAN_NONE}};
  for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct span *span = planted_span(SIZE, SPAN_CURRENT);
    store_relaxed(&span->owner, cache_ensure());
    store_relaxed(&span->active, 0);
    span->avail_base = span->base;
    store_relaxed(&span->avail, rows[i].available);
    store_relaxed(&span->bits[0].free, rows[i].free);
    store_relaxed(&span_remote(span)[0], rows[i].returned);
    central_give(span);
    assert_int_equal(span_state(span), rows[i].expected);
    assert_null(load_relaxed(&span->owner));
    assert_int_equal(load_relaxed(&span->bits[0].free), rows[i].available | rows[i].free | rows[i].returned);
    assert_false(span_anything_returned(span));
  }
}

UNIT(central) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, unit_setup, unit_teardown)
  const struct CMUnitTest tests[] = {
      TEST(a_span_is_filed_by_its_free_slots),
      TEST(partial_spans_are_taken_before_unswept_ones),
      TEST(spans_without_room_are_swept_and_passed_over),
      TEST(a_returned_slot_makes_an_exhausted_span_partial),
      TEST(a_notice_without_a_returned_slot_changes_nothing),
      TEST(a_returned_span_that_was_taken_meanwhile_is_passed_on),
      TEST(a_cycle_unsweeps_every_span),
      TEST(sweeping_some_stops_when_enough_came_free),
      TEST(finishing_sweeps_each_class),
      TEST(a_span_given_back_is_parked_folded_and_filed),
  };
  return cmocka_run_group_tests_name("central", tests, NULL, NULL);
}
