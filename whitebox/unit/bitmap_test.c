#include "unit.h"

static void the_first_bit_is_the_lowest(void **state) {
  (void)state;
  for (unsigned low = 0; low < 64; low++)
    for (unsigned high = low; high < 64; high++)
      assert_int_equal(bitmap_first(UINT64_C(1) << low | UINT64_C(1) << high), low);
}

static void the_count_is_that_of_set_bits(void **state) {
  (void)state;
  assert_int_equal(bitmap_count(0), 0);
  uint64_t word = 0;
  for (unsigned i = 0; i < 64; i++) {
    word |= UINT64_C(1) << (i * 37 % 64);
    assert_int_equal(bitmap_count(word), i + 1);
  }
}

/* Bit by bit, for every map of up to four words. */
static void valid_bits_are_those_that_stand_for_a_slot(void **state) {
  (void)state;
  for (uint32_t slots = 1; slots <= 256; slots++)
    for (uint32_t word = 0; word < (slots + 63) / 64; word++) {
      uint64_t expected = 0;
      for (uint32_t bit = 0; bit < 64; bit++)
        if (word * 64 + bit < slots) expected |= UINT64_C(1) << bit;
      if (bitmap_valid(slots, word) != expected) fail_msg("%u slots, word %u", slots, word);
    }
}

UNIT(bitmap) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_first_bit_is_the_lowest),
      cmocka_unit_test(the_count_is_that_of_set_bits),
      cmocka_unit_test(valid_bits_are_those_that_stand_for_a_slot),
  };
  return cmocka_run_group_tests_name("bitmap", tests, NULL, NULL);
}
