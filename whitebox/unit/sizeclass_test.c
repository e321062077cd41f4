#include "unit.h"

/* The tables are computed anew for each page size; no heap is needed. */
static const size_t page_sizes[] = {1024, 2048, 4096, 8192, 16384, 32768, 65536};
#define EACH_PAGE_SIZE(page) for (unsigned i_ = 0; i_ < 7 && ((page) = page_sizes[i_]); i_++)

static void classes_rise_from_8_to_the_largest_small_size(void **state) {
  (void)state;
  sizeclass_initialize(8192, span_descriptor_lines);
  assert_int_equal(sizeclass_table[0].size, 8);
  assert_int_equal(sizeclass_table[SIZECLASS_COUNT - 1].size, SIZECLASS_SMALL_MAX);
  for (unsigned i = 1; i < SIZECLASS_COUNT; i++) {
    assert_true(sizeclass_table[i].size > sizeclass_table[i - 1].size);
    assert_int_equal(sizeclass_table[i].size % 16, 0);
  }
}

static void every_size_has_the_smallest_class_that_holds_it(void **state) {
  (void)state;
  sizeclass_initialize(8192, span_descriptor_lines);
  unsigned expected = 0;
  for (size_t size = 0; size <= SIZECLASS_SMALL_MAX; size++) {
    if (size > sizeclass_table[expected].size) expected++;
    if (sizeclass_of(size) != expected) fail_msg("size %zu: class %u, expected %u", size, sizeclass_of(size), expected);
  }
}

static void exact_sizes_are_exact(void **state) {
  (void)state;
  sizeclass_initialize(8192, span_descriptor_lines);
  for (unsigned i = 0; i < SIZECLASS_COUNT; i++) assert_int_equal(sizeclass_of(sizeclass_table[i].size), i);
}

static void at_most_an_eighth_of_a_slot_is_waste(void **state) {
  (void)state;
  sizeclass_initialize(8192, span_descriptor_lines);
  for (size_t size = 9; size <= SIZECLASS_SMALL_MAX; size++) {
    size_t slot = sizeclass_table[sizeclass_of(size)].size;
    size_t waste = slot - (size + 15) / 16 * 16; /* beyond what alignment asks for */
    if (waste * 8 > slot) fail_msg("size %zu in a slot of %zu", size, slot);
  }
}

static void spans_fit_their_descriptors_and_waste_little(void **state) {
  (void)state;
  size_t page;
  EACH_PAGE_SIZE(page) {
    sizeclass_initialize(page, span_descriptor_lines);
    for (unsigned i = 0; i < SIZECLASS_COUNT; i++) {
      const struct sizeclass *entry = &sizeclass_table[i];
      size_t bytes = entry->pages * page, used = (size_t)entry->slots * entry->size;
      assert_true(entry->slots >= 1 && entry->slots <= UINT16_MAX);
      assert_true(used <= bytes && bytes - used < entry->size + bytes / 8);
      assert_true((bytes - used) * 8 <= bytes);
      assert_int_equal(entry->words, (entry->slots + 63) / 64);
      assert_true(entry->words <= UINT8_MAX);
      assert_int_equal(entry->lines, span_descriptor_lines(entry->words));
    }
  }
}

/* Every byte of the span, also the tail behind the last slot. */
static void check_reciprocal(const struct sizeclass *entry, size_t page) {
  struct span span = {.base = 0x10000, .reciprocal = entry->reciprocal, .starts = entry->starts, .size = entry->size};
  uint32_t bytes = entry->pages * (uint32_t)page, offset = 0;
  for (uint32_t slot = 0; offset < bytes; slot++)
    for (uint32_t within = 0; within < entry->size && offset < bytes; within++, offset++) {
      uint64_t product = span_product(&span, span.base + offset);
      if (span_slot(&span, span.base + offset) != slot)
        fail_msg("page %zu, size %u, offset %u: slot %u, expected %u", page, entry->size, offset,
                 span_slot(&span, span.base + offset), slot);
      bool starts = within == 0 && slot < entry->slots;
      if (span_product_is_start(&span, product) != starts)
        fail_msg("page %zu, size %u, offset %u: %s a slot's start", page, entry->size, offset,
                 starts ? "not taken for" : "taken for");
    }
}

static void the_reciprocal_divides_every_offset_of_every_span(void **state) {
  (void)state;
  size_t page;
  EACH_PAGE_SIZE(page) {
    sizeclass_initialize(page, span_descriptor_lines);
    for (unsigned i = 0; i < SIZECLASS_COUNT; i++) check_reciprocal(&sizeclass_table[i], page);
  }
}

static void descriptors_hold_their_bits_and_remote_words(void **state) {
  (void)state;
  for (uint32_t words = 1; words <= 128; words++) {
    struct span span = {.words = (uint8_t)words};
    size_t remote = (size_t)((char *)span_remote(&span) - (char *)&span);
    assert_int_equal((uintptr_t)span_remote(&span) % PLATFORM_CACHE_LINE, 0);
    assert_true(remote >= offsetof(struct span, bits) + words * sizeof(struct span_bits));
    assert_true(remote + words * sizeof(uint64_t) <= (size_t)span_descriptor_lines(words) * PLATFORM_CACHE_LINE);
  }
}

UNIT(sizeclass) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(classes_rise_from_8_to_the_largest_small_size),
      cmocka_unit_test(every_size_has_the_smallest_class_that_holds_it),
      cmocka_unit_test(exact_sizes_are_exact),
      cmocka_unit_test(at_most_an_eighth_of_a_slot_is_waste),
      cmocka_unit_test(spans_fit_their_descriptors_and_waste_little),
      cmocka_unit_test(the_reciprocal_divides_every_offset_of_every_span),
      cmocka_unit_test(descriptors_hold_their_bits_and_remote_words),
  };
  return cmocka_run_group_tests_name("sizeclass", tests, NULL, NULL);
}
