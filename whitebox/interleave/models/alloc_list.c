/* Refill against return, and the lists of returned spans: what is announced to whom, and heard. */
#include "alloc.h"

static void *object[2 * SPAN_SLOTS], *fresh, *other;

static void all_four(void) {
  heap_start();
  fill(object, SPAN_SLOTS);
}

static void take_one(void) { fresh = take(); }
static void free_0(void) { vgc_free(object[0]); }
static void free_1(void) { vgc_free(object[1]); }
static void free_4(void) { vgc_free(object[4]); }

/* ---- The owner's list ---- */

static void return_meets_full(void) {
  actors_run((struct actor[]){{.act = take_one}, {.act = free_0}}, 2);
  interleave_assert(errors() == 0);
  expect_live((void *[]){object[1], object[2], object[3], fresh}, 4);
}
ALLOC_MODEL(return_meets_full, .setup = all_four, .run = return_meets_full,
            .title = "a slot is returned while its span becomes full: the owner hears of it");

/* Announced already, and folded on the way: the announcement is what is left. */
static void take_returned_0(void) { interleave_assert(take() == object[0]); }

static void return_meets_announcement(void) {
  actors_run((struct actor[]){{.before = take_returned_0, .act = take_one}, {.before = free_0, .act = free_1}}, 2);
  interleave_assert(errors() == 0);
  expect_live((void *[]){object[0], object[2], object[3], fresh}, 4);
}
ALLOC_MODEL(return_meets_announcement, .setup = all_four, .run = return_meets_announcement,
            .title = "a slot is returned while an older announcement of its span is being taken: heard again");

static void two_full_spans(void) {
  heap_start();
  fill(object, 2 * SPAN_SLOTS);
}

static void nothing(void) {}

static void two_pushes(void) {
  actors_run((struct actor[]){{.act = nothing}, {.act = free_0}, {.act = free_4}}, 3);
  interleave_assert(errors() == 0);
  expect_live((void *[]){object[1], object[2], object[3], object[5], object[6], object[7]}, 6);
}
ALLOC_MODEL(two_pushes, .setup = two_full_spans, .run = two_pushes,
            .title = "two threads push a span each onto one list: both stand in it");

static void push_meets_take(void) {
  actors_run((struct actor[]){{.act = take_one}, {.before = free_0, .act = free_4}}, 2);
  interleave_assert(errors() == 0);
  interleave_assert(fresh == object[0] || fresh == object[4]);
  expect_live((void *[]){object[1], object[2], object[3], object[5], object[6], object[7], fresh}, 7);
}
ALLOC_MODEL(push_meets_take, .setup = two_full_spans, .run = push_meets_take,
            .title = "a span is pushed while the owner takes the list: in that take or the next");

static void pushes_meet_take(void) {
  actors_run((struct actor[]){{.act = take_one}, {.act = free_0}, {.act = free_4}}, 3);
  interleave_assert(errors() == 0);
  expect_live((void *[]){object[1], object[2], object[3], object[5], object[6], object[7], fresh}, 7);
}
INTERLEAVE_MODEL(pushes_meet_take, .setup = two_full_spans, .run = pushes_meet_take, .preemptions = 2, .learn = 1000,
                 .title = "two threads push while the owner takes the list");

/* ---- Central's list ---- */

static void nobodys(void) {
  all_four();
  disown();
}

static void return_meets_central(void) {
  actors_run((struct actor[]){{.act = take_one}, {.act = free_0}}, 2);
  interleave_assert(errors() == 0);
  expect_live((void *[]){object[1], object[2], object[3], fresh}, 4);
}
ALLOC_MODEL(return_meets_central, .setup = nobodys, .run = return_meets_central,
            .title = "a slot of nobody's span is returned while a thread asks central for one");

/* Folded on the way: the announcement is what is left. */
static void nobodys_announced(void) {
  nobodys();
  cache_notify(span_of((uintptr_t)object[0]));
}

static void return_meets_old_announcement(void) {
  actors_run((struct actor[]){{.act = free_0}, {.act = take_one}}, 2);
  interleave_assert(errors() == 0);
  expect_live((void *[]){object[1], object[2], object[3], fresh}, 4);
}
ALLOC_MODEL(return_meets_old_announcement, .setup = nobodys_announced, .run = return_meets_old_announcement,
            .title = "a slot of nobody's span is returned while central takes an older announcement: heard again");

static void two_of_nobodys(void) {
  two_full_spans();
  disown();
}

static void one_of_two_announced(void) {
  two_of_nobodys();
  cache_notify(span_of((uintptr_t)object[0]));
}

static void push_meets_central(void) {
  actors_run((struct actor[]){{.act = free_4}, {.act = take_one}}, 2);
  interleave_assert(errors() == 0);
  expect_live((void *[]){object[0], object[1], object[2], object[3], object[5], object[6], object[7], fresh}, 8);
}
ALLOC_MODEL(push_meets_central, .setup = one_of_two_announced, .run = push_meets_central,
            .title = "a span is pushed while central takes its list: in that take or the next");

static void pushes_meet_central(void) {
  actors_run((struct actor[]){{.act = take_one}, {.act = free_0}, {.act = free_4}}, 3);
  interleave_assert(errors() == 0);
  expect_live((void *[]){object[1], object[2], object[3], object[5], object[6], object[7], fresh}, 7);
}
INTERLEAVE_MODEL(pushes_meet_central, .setup = two_of_nobodys, .run = pushes_meet_central, .preemptions = 2,
                 .learn = 1000,
                 .title = "slots of two of nobody's spans are returned while a thread asks central for one");

static void take_another(void) { other = take(); }

/* Who returns the slot may still take the span for nobody's when its new owner has filled it. */
static void nobodys_with_room(void) {
  all_four();
  free_1();
  disown();
}
static void take_two(void) {
  take_one();
  take_another();
}

static void return_meets_taker(void) {
  actors_run((struct actor[]){{.act = take_two}, {.act = free_0}}, 2);
  interleave_assert(errors() == 0);
  expect_live((void *[]){object[2], object[3], fresh, other}, 4);
}
INTERLEAVE_MODEL(return_meets_taker, .setup = nobodys_with_room, .run = return_meets_taker, .preemptions = 2,
                 .learn = 1000, .title = "a slot is returned while a thread takes its span from central and fills it");

/* Whoever gets the span, the slot that comes back while it changes hands is found. */
static void two_takers_one_return(void) {
  actors_run((struct actor[]){{.act = take_one}, {.before = free_1, .act = free_0}, {.act = take_another}}, 3);
  interleave_assert(errors() == 0);
  expect_live((void *[]){object[2], object[3], fresh, other}, 4);
}
INTERLEAVE_MODEL(two_takers_one_return, .setup = nobodys, .run = two_takers_one_return, .preemptions = 2, .learn = 1000,
                 .title = "two threads ask central while a third returns a slot");

/* ---- Announcements that go astray ---- */

/* As by one who looked at the span's owner and class when these were others. */
static void announce_to_central(struct span *span, unsigned class_index) {
  struct cache *owner = load_relaxed(&span->owner);
  unsigned class_is = span_class(span);
  store_relaxed(&span->owner, NULL);
  store_relaxed(&span->class_index, (uint8_t)class_index);
  cache_notify(span);
  store_relaxed(&span->class_index, (uint8_t)class_is);
  store_relaxed(&span->owner, owner);
}

static void owned_announced_to_central(void) {
  two_full_spans();
  announce_to_central(span_of((uintptr_t)object[0]), sizeclass_of(SLOT));
}

static void astray_from_owner(void) {
  actors_run((struct actor[]){{.act = nothing}, {.act = free_0}, {.act = take_one}}, 3);
  interleave_assert(errors() == 0);
  fill(&other, 1);
  interleave_assert(other == object[0]);
}
ALLOC_MODEL(astray_from_owner, .setup = owned_announced_to_central, .run = astray_from_owner,
            .title = "central takes an announcement of a span that a cache owns: the owner hears of it");

static void announced_to_another_class(void) {
  nobodys();
  announce_to_central(span_of((uintptr_t)object[0]), sizeclass_of(OTHER_SLOT));
}

static void take_of_other_class(void) { other = take_other(); }

static void astray_from_class(void) {
  actors_run((struct actor[]){{.act = nothing}, {.act = free_0}, {.act = take_of_other_class}}, 3);
  interleave_assert(errors() == 0);
  interleave_assert(vgc_usable_size(other) == OTHER_SLOT);
  expect_live((void *[]){object[1], object[2], object[3], other}, 4);
}
ALLOC_MODEL(astray_from_class, .setup = announced_to_another_class, .run = astray_from_class,
            .title = "central takes an announcement of a span of another class: that class hears of it");
