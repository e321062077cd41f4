#include "unit.h"

enum { PAGE = 4096 };

/* An arena of 1024 pages; the tests hold the pages lock. */
static int setup(void **state) {
  (void)state;
  struct vgc_config small = unit_config(PAGE);
  small.arena_bytes = (size_t)1024 * PAGE;
  unit_start(&small);
  lock_acquire(&heap_lock);
  return 0;
}

static int teardown(void **state) {
  lock_release(&heap_lock);
  return unit_teardown(state);
}

static struct run carve(size_t pages) {
  struct run run = pages_carve(pages, 1);
  assert_non_null(run.arena);
  assert_int_equal(run.pages, pages);
  return run;
}

static struct run take(size_t pages) {
  struct run run = pages_take(pages, 1);
  assert_non_null(run.arena);
  assert_int_equal(run.pages, pages);
  return run;
}

static void give(struct run run) {
  run.zero = false;
  pages_give(run);
}

static char *bytes_of(struct run run) { return (char *)run.arena->base + run.page * PAGE; }

static void address_space_is_carved_in_order(void **state) {
  (void)state;
  assert_null(pages_take(1, 1).arena);
  for (size_t i = 0; i < 10; i++) {
    struct run run = carve(3);
    assert_int_equal(run.page, 3 * i);
    assert_true(run.zero);
  }
  assert_int_equal(pages_taken_bytes(), 30 * PAGE);
}

/* A run given back serves the next request of its own size and adds nothing (N29). */
static void runs_are_reused_at_every_size(void **state) {
  (void)state;
  struct run keeper = {0};
  for (size_t pages = 1; pages <= 40; pages++) {
    struct run run = carve(pages);
    keeper = carve(1); /* so that no two runs meet */
    give(run);
    size_t used = run.arena->used_pages;
    struct run again = take(pages);
    assert_int_equal(again.page, run.page);
    assert_false(again.zero);
    assert_int_equal(again.arena->used_pages, used);
  }
  (void)keeper;
  assert_null(pages_take(1, 1).arena);
}

static void large_runs_are_reused_in_their_bins(void **state) {
  (void)state;
  for (size_t pages = 60; pages <= 140; pages += 8) {
    struct run run = carve(pages);
    give(run);
    assert_int_equal(take(pages).page, run.page);
    give(run);
    pages_take(pages, 1);
  }
}

/* Whatever the order in which three neighbours come back, they are one run in the end. */
static void neighbours_coalesce_in_every_order(void **state) {
  (void)state;
  static const unsigned orders[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
  for (unsigned i = 0; i < 6; i++) {
    struct run runs[3] = {carve(2), carve(5), carve(3)};
    carve(1);
    for (unsigned j = 0; j < 3; j++) give(runs[orders[i][j]]);
    assert_null(pages_take(11, 1).arena);
    struct run all = take(10);
    assert_int_equal(all.page, runs[0].page);
    assert_null(pages_take(1, 1).arena);
  }
}

static void a_run_is_split_and_the_rest_is_kept(void **state) {
  (void)state;
  struct run run = carve(10);
  carve(1);
  give(run);
  assert_int_equal(take(3).page, run.page);
  assert_int_equal(pages_free_bytes(), 7 * PAGE);
  assert_null(pages_take(8, 1).arena);
  assert_int_equal(take(7).page, run.page + 3);
  assert_int_equal(pages_free_bytes(), 0);
}

/* Free runs of the first three sizes; the request is served by the smallest that fits. */
static void the_best_fit_is_taken(void **state) {
  (void)state;
  static const struct {
    size_t sizes[3], wish;
    int expected; /* -1: none fits */
  } rows[] = {{{5, 9, 7}, 6, 2},       {{5, 9, 7}, 5, 0},       {{5, 9, 7}, 8, 1},     {{5, 9, 7}, 10, -1},
              {{79, 66, 70}, 65, 1},   {{79, 66, 70}, 67, 2},   {{79, 66, 70}, 71, 0}, {{63, 64, 65}, 64, 1},
              {{130, 150, 90}, 85, 2}, {{130, 150, 90}, 100, 0}};
  for (unsigned row = 0; row < sizeof rows / sizeof *rows; row++) {
    teardown(state);
    setup(state);
    struct run runs[3];
    for (unsigned i = 0; i < 3; i++) {
      runs[i] = carve(rows[row].sizes[i]);
      carve(1);
    }
    for (unsigned i = 0; i < 3; i++) give(runs[i]);
    struct run got = pages_take(rows[row].wish, 1);
    if (rows[row].expected < 0)
      assert_null(got.arena);
    else
      assert_int_equal(got.page, runs[rows[row].expected].page);
  }
}

static size_t number_of(struct run run) { return (run.arena->base / PAGE) + run.page; }

static void runs_begin_aligned(void **state) {
  (void)state;
  carve(1);
  for (size_t align = 1; align <= 64; align *= 2)
    for (size_t pages = 1; pages <= 5; pages++) {
      struct run run = pages_carve(pages, align);
      assert_non_null(run.arena);
      assert_int_equal(number_of(run) % align, 0);
      give(run);
      run = pages_take(pages, align);
      assert_non_null(run.arena);
      assert_int_equal(number_of(run) % align, 0);
    }
}

static void pages_skipped_for_alignment_stay_usable(void **state) {
  (void)state;
  struct run first = carve(1);
  while (number_of(first) % 16 == 15) first = carve(1); /* else the next page is aligned, and none is skipped */
  size_t taken = pages_taken_bytes();
  struct run run = pages_carve(1, 16);
  assert_true(run.page > first.page + 1);
  size_t skipped = run.page - first.page - 1;
  assert_int_equal(pages_taken_bytes(), taken + PAGE);
  assert_int_equal(pages_free_bytes(), 0); /* never touched: holds no memory */
  struct run skip = take(skipped);
  assert_int_equal(skip.page, first.page + 1);
  assert_true(skip.zero);
}

/* A free run that is long enough but not where it would have to begin. */
static void alignment_passes_over_runs_that_do_not_fit(void **state) {
  (void)state;
  struct run holes[4];
  for (unsigned i = 0; i < 4; i++) {
    holes[i] = carve(1);
    carve(i == 2 ? 1 : 2);
  }
  for (unsigned i = 0; i < 4; i++) give(holes[i]);
  for (unsigned taken = 0; taken < 4; taken++) {
    struct run run = pages_take(1, 2);
    if (!run.arena) break;
    assert_int_equal(number_of(run) % 2, 0);
  }
  struct run odd = pages_take(1, 1);
  if (odd.arena) assert_int_equal(number_of(odd) % 2, 1);
}

static void counts_follow_each_step(void **state) {
  (void)state;
  struct run a = carve(4), b = carve(6);
  assert_int_equal(pages_taken_bytes(), 10 * PAGE);
  give(a);
  assert_int_equal(pages_taken_bytes(), 6 * PAGE);
  assert_int_equal(pages_free_bytes(), 4 * PAGE);
  assert_int_equal(pages_peak_bytes(), 10 * PAGE);
  give(b);
  assert_int_equal(pages_taken_bytes(), 0);
  assert_int_equal(pages_free_bytes(), 10 * PAGE);
  take(3);
  assert_int_equal(pages_peak_bytes(), 10 * PAGE);
  take(7);
  carve(1);
  assert_int_equal(pages_peak_bytes(), 11 * PAGE);
}

static void trimmed_pages_read_as_zero(void **state) {
  (void)state;
  struct run run = carve(3);
  carve(1);
  platform_unpoison(bytes_of(run), 3 * PAGE);
  memset(bytes_of(run), 0x5a, 3 * PAGE);
  give(run);
  assert_int_equal(pages_trim(true, 0), 3 * PAGE);
  assert_int_equal(pages_free_bytes(), 0);
  assert_int_equal(pages_trim(true, 0), 0); /* there is nothing left to give back */
  run = take(3);
  assert_true(run.zero);
  for (size_t i = 0; i < 3 * PAGE; i++) assert_int_equal(bytes_of(run)[i], 0);
}

static void runs_with_a_used_neighbour_are_not_taken_for_zero(void **state) {
  (void)state;
  for (unsigned last = 0; last < 3; last++) {
    struct run runs[3] = {carve(2), carve(2), carve(2)};
    carve(1);
    runs[1].zero = false;
    for (unsigned i = 1; i <= 3; i++) pages_give(runs[(last + i) % 3]);
    assert_false(take(6).zero);
  }
}

/* Such a run is said to hold what its used part holds, and no more. */
static void a_used_neighbour_does_not_make_a_run_hold_memory(void **state) {
  (void)state;
  struct run zero = carve(90), used = carve(2);
  carve(1);
  pages_give(zero);
  give(used);
  assert_int_equal(pages_free_bytes(), 2 * PAGE);
  struct run first = take(1);
  assert_false(first.zero);
  assert_int_equal(pages_free_bytes(), 2 * PAGE);
  give(first);
  assert_int_equal(pages_free_bytes(), 3 * PAGE);
  assert_int_equal(pages_trim(true, 0), 3 * PAGE);
}

/* Rather than to clear all of a large run for a few pages, these are given back. */
static void a_large_run_with_few_used_pages_comes_as_zero(void **state) {
  (void)state;
  struct run used = carve(2), zero = carve(90);
  carve(1);
  platform_unpoison(bytes_of(used), 92 * PAGE);
  memset(bytes_of(used), 0x5a, 2 * PAGE);
  pages_give(zero);
  give(used);
  struct run all = take(92);
  assert_true(all.zero);
  for (size_t i = 0; i < 2 * PAGE; i++) assert_int_equal(bytes_of(all)[i], 0);
  assert_int_equal(pages_free_bytes(), 0);
}

/* The cycle's trim gives back what nobody needed for a whole cycle, beyond what it is asked to keep. */
static void idle_runs_are_trimmed_beyond_what_is_kept(void **state) {
  (void)state;
  struct run runs[3] = {carve(2), {0}, {0}};
  carve(1);
  runs[1] = carve(3);
  carve(1);
  runs[2] = carve(4);
  carve(1);
  for (unsigned i = 0; i < 3; i++) give(runs[i]);
  assert_int_equal(pages_trim(false, 0), 0); /* not idle yet */
  assert_int_equal(pages_trim(false, 9 * PAGE), 0);
  assert_int_equal(pages_trim(false, 5 * PAGE), 4 * PAGE);
  assert_int_equal(pages_free_bytes(), 5 * PAGE);
  give(take(3)); /* used meanwhile: not idle any more */
  assert_int_equal(pages_trim(false, 0), 2 * PAGE);
  assert_int_equal(fault_count(FAULT_DISCARD), 2);
}

static void pages_smaller_than_the_systems_are_not_trimmed(void **state) {
  (void)state;
  struct vgc_config tiny = unit_config(1024);
  unit_start(&tiny);
  lock_acquire(&heap_lock);
  give(carve(8));
  assert_int_equal(pages_trim(true, 0), 0);
}

static void absurd_requests_find_nothing(void **state) {
  (void)state;
  static const size_t pages[][2] = {{SIZE_MAX, 1},
                                    {SIZE_MAX / 2, SIZE_MAX / 2 + 1},
                                    {SIZE_MAX / PAGE + 1, 1},
                                    {(size_t)1 << 40, 1},
                                    {1, (size_t)1 << 50},
                                    {PAGES_MAX, 1}, /* no length nor link tells more */
                                    {1, PAGES_MAX},
                                    {(size_t)1 << 33, 1},
                                    {1, (size_t)1 << 33}};
  unsigned before = arenas_count;
  for (unsigned i = 0; i < sizeof pages / sizeof *pages; i++) {
    assert_null(pages_carve(pages[i][0], pages[i][1]).arena);
    assert_int_equal(pages_taken_bytes(), 0);
    assert_int_equal(arenas_count, before);
  }
  carve(1); /* from here on alignment adds to them */
  for (size_t below = 0; below < 16; below++) assert_null(pages_carve(SIZE_MAX - below, 16).arena);
}

static void a_full_arena_is_followed_by_a_larger_one(void **state) {
  (void)state;
  struct run first = carve(1000);
  struct run next = carve(100);
  assert_ptr_not_equal(next.arena, first.arena);
  assert_int_equal(load_relaxed(&next.arena->bytes), (size_t)2048 * PAGE);
  struct run rest = carve(24); /* the first still has these */
  assert_ptr_equal(rest.arena, first.arena);
  give(next);
  assert_ptr_equal(take(100).arena, next.arena);
}

UNIT(pages) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {
      TEST(address_space_is_carved_in_order),
      TEST(runs_are_reused_at_every_size),
      TEST(large_runs_are_reused_in_their_bins),
      TEST(neighbours_coalesce_in_every_order),
      TEST(a_run_is_split_and_the_rest_is_kept),
      TEST(the_best_fit_is_taken),
      TEST(runs_begin_aligned),
      TEST(pages_skipped_for_alignment_stay_usable),
      TEST(alignment_passes_over_runs_that_do_not_fit),
      TEST(counts_follow_each_step),
      TEST(trimmed_pages_read_as_zero),
      TEST(runs_with_a_used_neighbour_are_not_taken_for_zero),
      TEST(a_used_neighbour_does_not_make_a_run_hold_memory),
      TEST(a_large_run_with_few_used_pages_comes_as_zero),
      TEST(idle_runs_are_trimmed_beyond_what_is_kept),
      cmocka_unit_test_teardown(pages_smaller_than_the_systems_are_not_trimmed, teardown),
      TEST(absurd_requests_find_nothing),
      TEST(a_full_arena_is_followed_by_a_larger_one),
  };
  return cmocka_run_group_tests_name("pages", tests, NULL, NULL);
}
