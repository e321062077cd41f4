/* Hand-over: a thread gives its spans up while others return slots of them, and take them over. */
#include "alloc.h"

static void *object[2 * SPAN_SLOTS], *fresh, *other;

static void own_one_span(void) { fill(object, SPAN_SLOTS); }
static void own_two_spans(void) { fill(object, 2 * SPAN_SLOTS); }
static void free_0(void) { vgc_free(object[0]); }
static void free_1(void) { vgc_free(object[1]); }
static void free_4(void) { vgc_free(object[4]); }
static void take_one(void) { fresh = take(); }
static void take_another(void) { other = take_other(); }

static void return_meets_exit(void) {
  actors_run((struct actor[]){{.act = free_0}, {.before = own_one_span, .act = disown}}, 2);
  interleave_assert(errors() == 0);
  expect_live((void *[]){object[1], object[2], object[3]}, 3);
}
INTERLEAVE_MODEL(return_meets_exit, .setup = heap_start, .run = return_meets_exit, .preemptions = 2, .learn = 1000,
                 .title = "a slot is returned to a thread that gives its span up: whoever holds it next hears of it");

/* The announcement stands in the list of the one that leaves. */
static void free_1_then_own(void) {
  own_one_span();
  take_one(); /* the first span is full */
}
static void free_0_and_1(void) {
  free_0();
  free_1();
}
static void returns_meet_exit(void) {
  actors_run((struct actor[]){{.act = free_0_and_1}, {.before = free_1_then_own, .act = disown}}, 2);
  interleave_assert(errors() == 0);
  expect_live((void *[]){object[2], object[3], fresh}, 3);
}
INTERLEAVE_MODEL(returns_meet_exit, .setup = heap_start, .run = returns_meet_exit, .preemptions = 2, .learn = 1000,
                 .title = "two slots are returned, one after the other, to a thread that gives their full span up");

static void two_returns_meet_exit(void) {
  actors_run((struct actor[]){{.act = free_0}, {.before = own_two_spans, .act = disown}, {.act = free_4}}, 3);
  interleave_assert(errors() == 0);
  expect_live((void *[]){object[1], object[2], object[3], object[5], object[6], object[7]}, 6);
}
INTERLEAVE_MODEL(two_returns_meet_exit, .setup = heap_start, .run = two_returns_meet_exit, .preemptions = 2,
                 .learn = 1000, .title = "slots of two spans are returned to a thread that gives both up");

/* The same in fewer steps: the two announcements may stand in the list of the one that has left, where each of those
 * who return finds both. */
static void own_two_full_spans(void) {
  own_two_spans();
  take_one();
}
static void disown_both(void) {
  disown_span(span_of((uintptr_t)object[1]));
  disown_span(span_of((uintptr_t)object[5]));
  cache_take_returned(cache_current);
}

static void two_returns_meet_last_look(void) {
  actors_run((struct actor[]){{.act = free_0}, {.before = own_two_full_spans, .act = disown_both}, {.act = free_4}}, 3);
  interleave_assert(errors() == 0);
  expect_live((void *[]){object[1], object[2], object[3], object[5], object[6], object[7], fresh}, 7);
}
INTERLEAVE_MODEL(two_returns_meet_last_look, .setup = heap_start, .run = two_returns_meet_last_look, .preemptions = 2,
                 .learn = 1000,
                 .title = "slots of two spans are returned to a thread that has looked at its list for the last time");

/* Slot 1 is free, so that the span that is given up is one to take. */
static void own_with_room(void) {
  own_one_span();
  free_1();
}

static void return_take_and_exit(void) {
  actors_run((struct actor[]){{.act = take_one}, {.before = own_with_room, .act = disown}, {.act = free_0}}, 3);
  interleave_assert(errors() == 0);
  expect_live((void *[]){object[2], object[3], fresh}, 3);
}
INTERLEAVE_MODEL(return_take_and_exit, .setup = heap_start, .run = return_take_and_exit,
                 .title = "a slot is returned while its span goes from one owner by central to the next");

/* ---- The end of a span ---- */

static void own_last_object(void) {
  own_one_span();
  for (unsigned i = 1; i < SPAN_SLOTS; i++) vgc_free(object[i]);
}

/* The span may be no more when the one that returned its last slot announces it, and its descriptor another's. */
static void return_and_reuse(void) {
  free_0();
  take_another();
}

static void last_return_meets_exit(void) {
  actors_run((struct actor[]){{.act = return_and_reuse}, {.before = own_last_object, .act = disown}}, 2);
  interleave_assert(errors() == 0);
  expect_live((void *[]){other}, 1);
}
INTERLEAVE_MODEL(
    last_return_meets_exit, .setup = heap_start, .run = last_return_meets_exit,
    .title = "the last slot of a span is returned while its owner leaves: the span ends once, or stays whole");

static void last_return_and_reuse(void) {
  actors_run((struct actor[]){{.act = take_another}, {.before = own_last_object, .act = disown}, {.act = free_0}}, 3);
  interleave_assert(errors() == 0);
  expect_live((void *[]){other}, 1);
}
INTERLEAVE_MODEL(last_return_and_reuse, .setup = heap_start, .run = last_return_and_reuse,
                 .title = "the same while a third thread makes another span of the descriptor");

static void own_last_two(void) {
  own_one_span();
  for (unsigned i = 2; i < SPAN_SLOTS; i++) vgc_free(object[i]);
}

/* Whoever returns a second slot announces nothing: no step of its own after the return comes before the end. */
static void second_return_and_reuse(void) {
  actors_run((struct actor[]){{.act = take_another},
                              {.before = own_last_two, .act = disown},
                              {.before = free_1, .act = free_0}},
             3);
  interleave_assert(errors() == 0);
  expect_live((void *[]){other}, 1);
}
INTERLEAVE_MODEL(second_return_and_reuse, .setup = heap_start, .run = second_return_and_reuse, .preemptions = 2,
                 .learn = 1000, .title = "the same with a slot whose return is the second, and nothing to announce");
