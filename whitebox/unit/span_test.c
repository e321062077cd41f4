#include "planted.h"

static int setup(void **state) {
  (void)state;
  struct vgc_config given = unit_config(0);
  given.arena_bytes = 1 << 20; /* a test takes all of it */
  unit_start(&given);
  return 0;
}

static unsigned power(unsigned base, unsigned exponent) { return exponent ? base * power(base, exponent - 1) : 1; }

/* ---- Every pattern of a small span ---- */

/* Calls check for each of the patterns over the first `states` states of a slot, and twice for those that have no slot
 * available: with no active word, and with an active word that is used up. */
static void each_pattern(unsigned states, void (*check)(struct planted *)) {
  struct span *span = planted_span(PLANTED_SIZE, SPAN_PARTIAL);
  assert_int_equal(span->slots, PLANTED_SLOTS);
  for (unsigned pattern = 0; pattern < power(states, PLANTED_SLOTS); pattern++) {
    struct planted planted = planted_make(span, pattern, states);
    check(&planted);
    if (planted.in[SLOT_AVAILABLE]) continue;
    planted = planted_make(span, pattern, states);
    store_relaxed(&span->active, 0x30000);
    check(&planted);
  }
}

static uint64_t free_bits(const struct planted *p) { return load_relaxed(&p->span->bits[0].free); }
static uint64_t remote_bits(const struct planted *p) { return load_relaxed(&span_remote(p->span)[0]); }

static void check_issued(struct planted *p) {
  assert_int_equal(span_issued(p->span, 0), p->in[SLOT_ISSUED]);
  assert_int_equal(span_anything_returned(p->span), p->in[SLOT_RETURNED] != 0);
  assert_int_equal(span_free_count(p->span), bitmap_count(p->in[SLOT_FREE] | p->in[SLOT_AVAILABLE]));
}

static void a_slot_is_issued_if_it_is_nothing_else(void **state) {
  (void)state;
  each_pattern(4, check_issued);
}

static void check_fold(struct planted *p) {
  assert_int_equal(span_fold(p->span, 0), p->in[SLOT_RETURNED]);
  assert_int_equal(free_bits(p), p->in[SLOT_FREE] | p->in[SLOT_RETURNED]);
  assert_int_equal(load_relaxed(&p->span->avail), p->in[SLOT_AVAILABLE]);
  assert_int_equal(remote_bits(p), 0);
  assert_int_equal(span_issued(p->span, 0), p->in[SLOT_ISSUED]);
  assert_int_equal(unit_errors.count, 0);
}

static void folding_frees_what_was_returned(void **state) {
  (void)state;
  unit_keep_errors();
  each_pattern(4, check_fold);
}

static void check_fold_all(struct planted *p) {
  assert_int_equal(span_fold_all(p->span), (p->in[SLOT_FREE] | p->in[SLOT_RETURNED]) != 0);
  assert_false(span_anything_returned(p->span));
}

static void folding_all_tells_whether_a_slot_is_free(void **state) {
  (void)state;
  each_pattern(4, check_fold_all);
}

/* The slots among those that are made available together. */
static uint64_t first_of(uint64_t slots) {
  enum { TOGETHER = SPAN_REFILL_BYTES / PLANTED_SIZE };
  return slots ? slots & bitmap_below(TOGETHER) << bitmap_first(slots) : 0;
}

static void check_refill(struct planted *p) {
  if (p->in[SLOT_AVAILABLE]) return; /* its owner would not ask */
  uint64_t free = p->in[SLOT_FREE] | p->in[SLOT_RETURNED], expected = first_of(free);
  uint32_t before = load_relaxed(&p->span->active);
  assert_int_equal(span_refill(p->span), expected != 0);
  assert_int_equal(load_relaxed(&p->span->avail), expected);
  assert_int_equal(span_issued(p->span, 0), p->in[SLOT_ISSUED]);
  if (!expected) return;
  assert_int_equal(free_bits(p), free & ~expected);
  assert_int_equal(remote_bits(p), 0);
  assert_int_equal(p->span->avail_base, p->span->base);
  assert_int_equal(load_relaxed(&p->span->active) & SPAN_NO_WORD, 0);
  assert_int_not_equal(load_relaxed(&p->span->active), before); /* a reader can tell the refills apart */
}

static void a_refill_makes_what_is_free_available(void **state) {
  (void)state;
  each_pattern(4, check_refill);
}

static void check_refill_of_one(struct planted *p) {
  if (p->in[SLOT_AVAILABLE]) return;
  uint64_t expected = p->in[SLOT_FREE] | p->in[SLOT_RETURNED];
  assert_int_equal(span_refill(p->span), expected != 0);
  uint64_t available = load_relaxed(&p->span->avail);
  assert_int_equal(available, expected & -expected);
  assert_int_equal(free_bits(p), expected & ~available);
}

static void under_stress_a_refill_makes_one_slot_available(void **state) {
  (void)state;
  config.collect_every = 1;
  each_pattern(3, check_refill_of_one);
  config.collect_every = 0;
  config.check_level = 2;
  each_pattern(3, check_refill_of_one);
}

static void check_park(struct planted *p) {
  span_park(p->span);
  assert_int_equal(load_relaxed(&p->span->avail), 0);
  assert_int_equal(load_relaxed(&p->span->active) & SPAN_NO_WORD, SPAN_NO_WORD);
  assert_int_equal(free_bits(p), p->in[SLOT_FREE] | p->in[SLOT_AVAILABLE]);
  assert_int_equal(remote_bits(p), p->in[SLOT_RETURNED]);
  assert_int_equal(span_issued(p->span, 0), p->in[SLOT_ISSUED]);
}

static void parking_puts_available_slots_back(void **state) {
  (void)state;
  each_pattern(4, check_park);
}

/* Both the owner and another thread have freed it: reported when the second is folded in, and free once. */
static void check_double_free(struct planted *p) {
  uint64_t free = p->in[SLOT_FREE] | p->in[SLOT_AVAILABLE];
  if (!free) return;
  uint64_t twice = free & -free;
  store_relaxed(&span_remote(p->span)[0], p->in[SLOT_RETURNED] | twice);
  void *slot = (void *)(p->span->base + bitmap_first(twice) * PLANTED_SIZE);
  unit_expect_error(VGC_ERROR_DOUBLE_FREE, slot, span_fold(p->span, 0));
  assert_int_equal(load_relaxed(&p->span->avail), p->in[SLOT_AVAILABLE]);
  assert_int_equal(free_bits(p), p->in[SLOT_FREE] | p->in[SLOT_RETURNED]);
  assert_int_equal(remote_bits(p), 0);
}

static void a_double_free_over_two_threads_is_seen_in_the_fold(void **state) {
  (void)state;
  unit_keep_errors();
  each_pattern(4, check_double_free);
}

/* ---- Several words ---- */

static void refills_go_round_the_words(void **state) {
  (void)state;
  struct span *span = planted_span(16, SPAN_PARTIAL);
  assert_true(span->words > 2);
  for (uint32_t round = 0; round < 2 * span->words; round++) {
    uint32_t word = round % span->words;
    assert_true(span_refill(span));
    assert_int_equal(load_relaxed(&span->active) & SPAN_NO_WORD, word);
    assert_int_equal(span->avail_base, span->base + word * 64u * 16u);
    store_relaxed(&span->avail, 0); /* issued */
    store_relaxed(&span->bits[word].free, 1);
  }
  for (uint32_t word = 0; word < span->words; word++) store_relaxed(&span->bits[word].free, 0);
  assert_false(span_refill(span));
  store_relaxed(&span_remote(span)[span->words - 1], 2);
  assert_true(span_anything_returned(span));
  assert_true(span_refill(span));
  assert_int_equal(load_relaxed(&span->active) & SPAN_NO_WORD, span->words - 1u);
  assert_int_equal(load_relaxed(&span->avail), 2);
}

static void a_free_slot_in_any_word_counts(void **state) {
  (void)state;
  struct span *span = planted_span(16, SPAN_PARTIAL);
  for (uint32_t free = 0; free < span->words; free++) {
    for (uint32_t word = 0; word < span->words; word++) store_relaxed(&span->bits[word].free, word == free);
    assert_true(span_fold_all(span));
    assert_int_equal(span_free_count(span), 1);
  }
}

/* ---- Descriptors ---- */

static void a_span_is_found_from_each_of_its_pages(void **state) {
  (void)state;
  struct span *span = planted_span(PLANTED_SIZE, SPAN_PARTIAL);
  for (uint32_t page = 0; page < span->pages; page++) {
    assert_ptr_equal(span_of(span->base + page * config.page_bytes), span);
    assert_ptr_equal(span_of(span->base + (page + 1) * config.page_bytes - 1), span);
  }
  assert_null(span_of(span->base + span->pages * config.page_bytes));
  lock_acquire(&heap_lock);
  span_destroy(span);
  lock_release(&heap_lock);
  for (uint32_t page = 0; page < span->pages; page++) assert_null(span_of(span->base + page * config.page_bytes));
  assert_int_equal(span_state(span), SPAN_NONE);
}

static void descriptors_are_reused_by_their_size(void **state) {
  (void)state;
  struct span *one = planted_span(PLANTED_SIZE, SPAN_PARTIAL), *many = planted_span(16, SPAN_PARTIAL);
  lock_acquire(&heap_lock);
  span_destroy(one);
  span_destroy(many);
  lock_release(&heap_lock);
  assert_ptr_equal(planted_span(16, SPAN_PARTIAL), many);
  assert_ptr_equal(planted_span(PLANTED_SIZE, SPAN_PARTIAL), one);
}

static void a_descriptor_serves_only_its_own_arena(void **state) {
  (void)state;
  struct span *span = planted_span(PLANTED_SIZE, SPAN_PARTIAL);
  lock_acquire(&heap_lock);
  span_destroy(span);
  const struct arena *other = arena_add(1 << 20, 1 << 20);
  assert_non_null(other);
  size_t rest = (load_relaxed(&arenas[0].bytes) >> arenas[0].page_shift) - arenas[0].used_pages;
  struct run filler = pages_carve(rest, 1);
  assert_ptr_equal(filler.arena, &arenas[0]);
  lock_release(&heap_lock);
  struct span *second = planted_span(PLANTED_SIZE, SPAN_PARTIAL);
  assert_ptr_equal(arena_of(second->base), other);
  assert_ptr_not_equal(second, span);
  assert_true((size_t)((char *)second - other->descriptors) < other->descriptor_bytes);
}

/* The bound in arena.c makes this unreachable; if it were not, the request would fail and nothing else. */
static void without_a_descriptor_the_request_fails(void **state) {
  (void)state;
  arenas[0].descriptor_bytes = arenas[0].descriptor_lines * PLATFORM_CACHE_LINE;
  errno = 0;
  assert_null(vgc_malloc(100));
  assert_int_equal(errno, ENOMEM);
  assert_null(vgc_malloc(100000));
  assert_int_equal(pages_taken_bytes(), 0);
}

static void note_span(struct span *span, void *arg) {
  struct span ***next = arg;
  *(*next)++ = span;
}

static void a_walk_visits_each_span_once_in_order(void **state) {
  (void)state;
  struct span *made[5], *seen[8] = {NULL}, **next = seen;
  for (unsigned i = 0; i < 5; i++) made[i] = planted_span(i % 2 ? 16 : PLANTED_SIZE, SPAN_PARTIAL);
  lock_acquire(&heap_lock);
  span_destroy(made[2]);
  span_each(note_span, &next);
  lock_release(&heap_lock);
  assert_int_equal(next - seen, 4);
  struct span *const expected[] = {made[0], made[1], made[3], made[4]};
  assert_memory_equal(seen, expected, sizeof expected);
}

/* ---- Lists ---- */

static unsigned list_length(const struct span_list *list) {
  unsigned length = 0;
  const struct span *before = NULL;
  for (const struct span *span = list->first; span; before = span, span = span->next, length++)
    assert_ptr_equal(span->previous, before);
  assert_ptr_equal(list->last, before);
  return length;
}

static void lists_stay_linked_both_ways(void **state) {
  (void)state;
  for (unsigned removed = 0; removed < 3; removed++) {
    struct span spans[3] = {{.pages = 0}, {.pages = 1}, {.pages = 2}};
    struct span_list list = {NULL, NULL};
    for (unsigned i = 0; i < 3; i++) span_list_push(&list, &spans[i]);
    assert_int_equal(list_length(&list), 3);
    span_list_remove(&list, &spans[removed]);
    assert_int_equal(list_length(&list), 2);
    assert_non_null(span_list_pop(&list));
    assert_non_null(span_list_pop(&list));
    assert_null(span_list_pop(&list));
    assert_int_equal(list_length(&list), 0);
  }
}

static void a_spliced_list_ends_the_other(void **state) {
  (void)state;
  for (unsigned of_first = 0; of_first < 3; of_first++)
    for (unsigned of_second = 0; of_second < 3; of_second++) {
      struct span spans[4] = {{.pages = 0}, {.pages = 1}, {.pages = 2}, {.pages = 3}};
      struct span_list first = {NULL, NULL}, second = {NULL, NULL};
      for (unsigned i = 0; i < of_first; i++) span_list_push(&first, &spans[i]);
      for (unsigned i = 0; i < of_second; i++) span_list_push(&second, &spans[2 + i]);
      struct span *last = second.last ? second.last : first.last;
      span_list_splice(&first, &second);
      assert_int_equal(list_length(&first), of_first + of_second);
      assert_int_equal(list_length(&second), 0);
      assert_ptr_equal(first.last, last);
    }
}

UNIT(span) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, unit_teardown)
  const struct CMUnitTest tests[] = {
      TEST(a_slot_is_issued_if_it_is_nothing_else),
      TEST(folding_frees_what_was_returned),
      TEST(folding_all_tells_whether_a_slot_is_free),
      TEST(a_refill_makes_what_is_free_available),
      TEST(under_stress_a_refill_makes_one_slot_available),
      TEST(parking_puts_available_slots_back),
      TEST(a_double_free_over_two_threads_is_seen_in_the_fold),
      TEST(refills_go_round_the_words),
      TEST(a_free_slot_in_any_word_counts),
      TEST(a_span_is_found_from_each_of_its_pages),
      TEST(descriptors_are_reused_by_their_size),
      TEST(a_descriptor_serves_only_its_own_arena),
      TEST(without_a_descriptor_the_request_fails),
      TEST(a_walk_visits_each_span_once_in_order),
      cmocka_unit_test(lists_stay_linked_both_ways),
      cmocka_unit_test(a_spliced_list_ends_the_other),
  };
  return cmocka_run_group_tests_name("span", tests, NULL, NULL);
}
