/* A descriptor's next life: an announcement of a span outlives it, and meets the span that has its descriptor now. */
#include "alloc.h"

static struct span *span;
static void *taken, *sole[2], *large;

static void take_one(void) { taken = take(); }

/* The span that the model is about is no more; its descriptor is the next to be used. */
static void end_span(void) {
  void *object[SPAN_SLOTS];
  heap_start();
  fill(object, SPAN_SLOTS);
  span = span_of((uintptr_t)object[0]);
  for (unsigned i = 0; i < SPAN_SLOTS; i++) vgc_free(object[i]);
  disown();
}

/* ---- A span of another class ---- */

/* It is full, and nobody's, and central's list of its former class has it. */
static void live_again(void) {
  end_span();
  cache_notify(span);
  for (unsigned i = 0; i < 2; i++) sole[i] = take_sole();
  interleave_assert(span_of((uintptr_t)sole[0]) == span);
  disown();
}

static void free_sole(void) { vgc_free(sole[0]); }

static void return_in_next_life(void) {
  actors_run((struct actor[]){{.act = take_one}, {.act = free_sole}}, 2);
  interleave_assert(errors() == 0);
  interleave_assert(span_of((uintptr_t)taken)->size == SLOT);
  expect_live((void *[]){sole[1], taken}, 2);
}
ALLOC_MODEL(return_in_next_life, .setup = live_again, .run = return_in_next_life,
            .title = "a span is announced in the list of its former class when a slot of its next life is returned");

/* ---- A large object ---- */

static void announce(void) { cache_notify(span); }
static void take_large_and_one(void) {
  interleave_assert((large = vgc_malloc_noscan(LARGE)));
  take_one();
}

static void announcement_meets_large(void) {
  actors_run((struct actor[]){{.act = take_large_and_one}, {.act = announce}}, 2);
  interleave_assert(span_of((uintptr_t)large) == span);
  expect_live((void *[]){large, taken}, 2);
  interleave_assert(!(load_relaxed(&span->life) & SPAN_NOTIFIED));
}
ALLOC_MODEL(announcement_meets_large, .setup = end_span, .run = announcement_meets_large,
            .title = "a span is announced when a large object has its descriptor: it does not stay in a list");
