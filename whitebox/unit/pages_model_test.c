/* Page runs against a model that keeps one entry for each page and searches them all. Each page that is taken is
 * written to, so that memory itself tells what is zero. */
#include "unit.h"

enum { PAGE = 4096, PAGES = 256, RUNS = 48, STEPS = 6000 };

/* The model and the runs that the test holds. */
static struct {
  bool taken[PAGES];
  size_t used;
  struct run runs[RUNS];
} model;

static int setup(void **state) {
  (void)state;
  struct vgc_config small = unit_config(PAGE);
  small.arena_bytes = (size_t)PAGES * PAGE;
  unit_start(&small);
  lock_acquire(&heap_lock);
  memset(&model, 0, sizeof model);
  return 0;
}

static int teardown(void **state) {
  lock_release(&heap_lock);
  return unit_teardown(state);
}

static size_t align_up(size_t page, size_t align) {
  size_t number = arenas[0].base / PAGE + page;
  return page + (align - number % align) % align;
}

/* Length of the free stretch that begins at the page. */
static size_t stretch(size_t page) {
  size_t end = page;
  while (end < model.used && !model.taken[end]) end++;
  return end - page;
}

static bool fits_somewhere(size_t pages, size_t align) {
  for (size_t page = 0, length; page < model.used; page += length + 1) {
    length = stretch(page);
    if (align_up(page, align) + pages <= page + length) return true;
  }
  return false;
}

static char *bytes_of(size_t page) { return (char *)arenas[0].base + page * PAGE; }

static void model_take(struct run *run) {
  for (size_t page = run->page; page < run->page + run->pages; page++) {
    assert_false(model.taken[page]);
    model.taken[page] = true;
    if (run->zero) assert_int_equal(*bytes_of(page), 0);
    *bytes_of(page) = 1;
  }
}

static void step_take(struct run *run, size_t pages, size_t align) {
  bool expected = fits_somewhere(pages, align);
  *run = pages_take(pages, align);
  assert_int_equal(run->arena != NULL, expected);
  if (!run->arena) return;
  assert_true(run->page + pages <= model.used);
  assert_int_equal(align_up(run->page, align), run->page);
  model_take(run);
}

static void step_carve(struct run *run, size_t pages, size_t align) {
  size_t begin = align_up(model.used, align);
  if (begin + pages > PAGES) return; /* another arena: not this model's */
  *run = pages_carve(pages, align);
  assert_int_equal(run->page, begin);
  assert_true(run->zero);
  model.used = begin + pages;
  platform_unpoison(bytes_of(0), model.used * PAGE);
  model_take(run);
}

static void step_give(struct run *run) {
  pages_give((struct run){run->arena, run->page, run->pages, false});
  for (size_t page = run->page; page < run->page + run->pages; page++) model.taken[page] = false;
  *run = (struct run){0};
}

static void step_trim(void) {
  pages_trim(true, 0);
  assert_int_equal(pages_free_bytes(), 0);
}

/* Which of a run's pages hold memory is not known once some of it is taken, so as many may as can. */
static void check(void) {
  size_t taken = 0, dirty = 0;
  for (size_t page = 0; page < model.used; page++) {
    taken += model.taken[page];
    dirty += !model.taken[page] && *bytes_of(page);
  }
  assert_int_equal(pages_taken_bytes(), taken * PAGE);
  assert_true(pages_free_bytes() >= dirty * PAGE);
  assert_true(pages_free_bytes() <= (model.used - taken) * PAGE);
}

static void the_heap_of_pages_agrees_with_a_model(void **state) {
  (void)state;
  uint64_t random = 0x9e3779b97f4a7c15;
  for (unsigned step = 0; step < STEPS; step++) {
    uint64_t dice = unit_random(&random);
    struct run *run = &model.runs[dice % RUNS];
    size_t pages = 1 + (dice >> 8) % (dice >> 16 & 7 ? 9 : 90),
           align = (size_t)1 << ((dice >> 24) % 8 < 5 ? 0 : (dice >> 28) % 5);
    if (run->arena) {
      step_give(run);
    } else {
      step_take(run, pages, align);
      if (!run->arena) step_carve(run, pages, align);
    }
    if (dice >> 32 & 1 && (dice >> 33) % 200 == 0) step_trim();
    check();
  }
  for (unsigned i = 0; i < RUNS; i++)
    if (model.runs[i].arena) step_give(&model.runs[i]);
  check();
  assert_int_equal(pages_take(model.used, 1).pages, model.used);
}

UNIT(pages_model) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(the_heap_of_pages_agrees_with_a_model, setup, teardown),
  };
  return cmocka_run_group_tests_name("pages_model", tests, NULL, NULL);
}
