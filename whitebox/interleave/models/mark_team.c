/* Markers that share what is left to scan. */
#include "stopping.h"

/* ---- The sharing alone: a tree of numbered items, each to be done once ---- */

enum { ITEMS = 6, ROOM = 4 };

static unsigned done[ITEMS + 1]; /* plain: who gives an item hands over all that came before it */

/* What an item leads to comes onto the stack, as long as nobody waits for it. */
static void work_off(struct mark_range *stack, size_t depth) {
  do {
    while (depth) {
      uintptr_t item = stack[--depth].low;
      done[item]++;
      for (uintptr_t next = 2 * item; next <= 2 * item + 1 && next <= ITEMS; next++)
        stack[depth++] = (struct mark_range){next, next};
      if (depth > 1 && mark_team_hungry() && mark_team_give(stack, 1) == 1) stack[0] = stack[--depth];
    }
    depth = mark_team_take(stack, ROOM);
  } while (depth);
}

static void helps(unsigned number) {
  struct mark_range stack[ROOM];
  interleave_assert(number == 1);
  work_off(stack, 0);
}

static void marks(unsigned times) {
  struct mark_range stack[ROOM] = {{1, 1}};
  mark_team_open(helps);
  work_off(stack, 1);
  mark_team_close();
  for (unsigned i = 1; i <= ITEMS; i++) interleave_assert(done[i] == times);
}

static void team(void) {
  interleave_meet(1, false);
  mark_team_start(1);
  interleave_assert(mark_team_helpers() == 1);
  interleave_meet(1, true);
  for (unsigned times = 1; times <= 2; times++) marks(times);
  interleave_meet(1, false);
  interleave_explored_all();
  mark_team_stop();
  interleave_assert(mark_team_helpers() == 0);
}
INTERLEAVE_MODEL(team, .setup = stopping_start, .run = team, .preemptions = 2, .learn = 200,
                 .title = "a marker and a helper, who may come late: each range is scanned once, then marking is over");

/* ---- Marks in one word ---- */

static struct span_bits bits;
static bool first[2];

static bool mark_bit(uint64_t bit) {
  uint64_t before = load_loose(&bits.mark);
  return !(before & bit) && span_set_mark(&bits, before, bit, true);
}

static void marks_one_and_two(void) { first[0] = mark_bit(1) && mark_bit(2); }

static void marks_four_and_two(void) { first[1] = mark_bit(4) && mark_bit(2); }

static void bits_of_one_word(void) {
  static void (*const parts[])(void) = {marks_one_and_two, marks_four_and_two};
  bits.mark = 0;
  together_bare(2, parts);
  interleave_assert(bits.mark == (1 | 2 | 4));
  interleave_assert(first[0] != first[1]);
}
INTERLEAVE_MODEL(bits_of_one_word, .setup = stopping_start, .run = bits_of_one_word, .preemptions = UINT32_MAX,
                 .learn = 200, .title = "of two markers one marks an object, and neither undoes the other's marks");

/* ---- Hiring ---- */

static unsigned helped[3]; /* plain: each helper has a number of its own */

static void counts(unsigned number) {
  helped[number]++;
  interleave_assert(mark_team_take(NULL, 0) == 0);
}

static void hires_one(void) { mark_team_start(1); }

static void hires_two(void) { mark_team_start(2); }

static void hired_by_two(void) {
  static void (*const parts[])(void) = {hires_one, hires_two};
  together_bare(2, parts);
  mark_team_open(counts);
  interleave_assert(mark_team_take(NULL, 0) == 0);
  mark_team_close();
  interleave_assert(helped[1] <= 1 && helped[2] <= 1);
  mark_team_stop();
}
INTERLEAVE_MODEL(hired_by_two, .setup = stopping_start, .run = hired_by_two, .preemptions = 3, .learn = 200,
                 .title = "two threads that both end a cycle hire: no helper has another's number");

/* ---- The end, and the time between ---- */

static void hires_and_ends(void) {
  mark_team_start(1);
  mark_team_end();
}

static void hired_and_ended_by_two(void) {
  static void (*const parts[])(void) = {hires_and_ends, hires_and_ends};
  together_bare(2, parts);
  mark_team_stop();
  interleave_assert(mark_team_helpers() == 0);
}
INTERLEAVE_MODEL(hired_and_ended_by_two, .setup = stopping_start, .run = hired_and_ended_by_two, .preemptions = 2,
                 .learn = 200, .title = "two threads hire and end helpers, each whenever it can");

#define LARGE ((size_t)64 * 1024)

static void timed_start(void) {
  struct vgc_config tiny = tiny_config();
  tiny.page_bytes = 4096; /* that the system can take back */
  tiny.arena_bytes = (size_t)1024 * 1024;
  strict_start(&tiny);
  vgc_free(vgc_malloc_noscan(LARGE));
  config.trim_ms = 1; /* from here on: there are no threads in a setup */
}

static void trim_by_time(void) {
  interleave_meet(1, false);
  interleave_assert(cache_ensure());
  mark_team_start(1);
  interleave_meet(1, true);
  interleave_assert(vgc_malloc_noscan(LARGE));
  interleave_meet(1, false);
  mark_team_stop();
}
INTERLEAVE_MODEL(trim_by_time, .setup = timed_start, .run = trim_by_time, .preemptions = 2, .learn = 200,
                 .title = "memory is given back by time while a thread takes pages");
