/* Lazy sweeping against those who allocate and free, and large objects. */
#include "alloc.h"

/* Roots, as any static variable is; what is dead stands nowhere but here, hidden. */
static void *object[2 * SPAN_SLOTS], *fresh, *other;
static uintptr_t hidden[SPAN_SLOTS];

static void take_one(void) { fresh = take(); }
static void take_another(void) { other = take(); }
static void free_0(void) { vgc_free(object[0]); }

/* Two spans that nobody owns, not swept yet: slots 1 and 3 of each are dead. */
static __attribute__((noinline)) void fill_two_spans(void) {
  fill(object, 2 * SPAN_SLOTS);
  for (unsigned i = 1; i < 2 * SPAN_SLOTS; i += 2) object[i] = NULL;
}

static void unswept(void) {
  heap_start();
  fill_two_spans();
  disown();
  interleave_assert(vgc_collect() == 0);
}

static void sweep_and_sweep(void) {
  actors_run((struct actor[]){{.act = take_one}, {.act = take_another}}, 2);
  interleave_assert(errors() == 0);
  expect_live((void *[]){object[0], object[2], object[4], object[6], fresh, other}, 6);
}
INTERLEAVE_MODEL(sweep_and_sweep, .setup = unswept, .run = sweep_and_sweep, .preemptions = 3, .learn = 1000,
                 .title = "two threads sweep for a slot each: no slot for both, no live one");

static void sweep_and_free(void) {
  actors_run((struct actor[]){{.act = take_one}, {.act = free_0}}, 2);
  interleave_assert(errors() == 0);
  expect_live((void *[]){object[2], object[4], object[6], fresh}, 4);
}
INTERLEAVE_MODEL(sweep_and_free, .setup = unswept, .run = sweep_and_free, .preemptions = 2, .learn = 1000,
                 .title = "a live object is freed while its span is being swept");

static void sweep_all(void) { central_finish_sweep(); }

static void finish_and_take(void) {
  actors_run((struct actor[]){{.act = take_one}, {.act = sweep_all}}, 2);
  interleave_assert(errors() == 0);
  expect_live((void *[]){object[0], object[2], object[4], object[6], fresh}, 5);
}
INTERLEAVE_MODEL(finish_and_take, .setup = unswept, .run = finish_and_take, .preemptions = 3, .learn = 1000,
                 .title = "one sweeps all there is while another sweeps for a slot");

/* ---- Large objects ---- */

static void *large[2];

static __attribute__((noinline)) void make_dead_large(void) {
  void *dead = vgc_malloc_noscan(LARGE);
  interleave_assert(dead);
  hidden[0] = ~(uintptr_t)dead;
}

static void unswept_large(void) {
  heap_start();
  make_dead_large();
  interleave_assert(large[0] = vgc_malloc_noscan(LARGE));
  interleave_assert(vgc_collect() == 0);
}

static void free_large(void) { vgc_free(large[0]); }
static void make_large(void) { interleave_assert(large[1] = vgc_malloc_noscan(LARGE)); }
static void sweep_large(void) { large_finish_sweep(); }

static void large_free_and_sweep(void) {
  actors_run((struct actor[]){{.act = free_large}, {.act = sweep_large}}, 2);
  interleave_assert(errors() == 0);
  expect_live(NULL, 0);
}
ALLOC_MODEL(large_free_and_sweep, .setup = unswept_large, .run = large_free_and_sweep,
            .title = "a large object is freed while the large objects are swept");

static void one_large(void) {
  heap_start();
  interleave_assert(large[0] = vgc_malloc_noscan(LARGE));
}

static void nothing(void) {}

static void large_double_free(void) {
  actors_run((struct actor[]){{.act = free_large}, {.act = free_large}}, 2);
  interleave_assert(errors() == 1);
  expect_live(NULL, 0);
}
ALLOC_MODEL(large_double_free, .setup = one_large, .run = large_double_free,
            .title = "two threads free one large object: exactly one is told");

static void large_free_and_make(void) {
  actors_run((struct actor[]){{.act = free_large}, {.act = make_large}, {.act = nothing}}, 3);
  interleave_assert(errors() == 0);
  expect_live(&large[1], 1);
}
ALLOC_MODEL(large_free_and_make, .setup = one_large, .run = large_free_and_make,
            .title = "one large object is freed while another is made");

/* A small object comes where the large one was, and its span, which has no more slots, has the descriptor, while who
 * frees the large one a second time is on the way to the lock. */
static struct span *span_of_large;
static bool ended_by_other;

static void one_large_known(void) {
  one_large();
  span_of_large = span_of((uintptr_t)large[0]);
}
static void end_large(void) { ended_by_other = large_free(span_of_large, large[0]); }
static void free_large_take_sole(void) {
  free_large();
  fresh = take_sole();
}

static void large_double_free_and_reuse(void) {
  actors_run((struct actor[]){{.act = free_large_take_sole}, {.act = end_large}}, 2);
  interleave_assert(fresh == large[0] && span_of((uintptr_t)fresh) == span_of_large);
  interleave_assert(errors() == ended_by_other);
  expect_live(&fresh, 1);
}
ALLOC_MODEL(large_double_free_and_reuse, .setup = one_large_known, .run = large_double_free_and_reuse,
            .title = "a large object is freed twice while a small one takes its place: it lives");

/* ---- Realloc ---- */

/* The owner gets the slot back as soon as it is free. */
static void one_full_span(void) {
  heap_start();
  fill(object, SPAN_SLOTS);
  *(uint64_t *)object[0] = 1;
}

static void take_and_write(void) {
  take_one();
  *(uint64_t *)fresh = 2;
}
static void resize(void) { interleave_assert(other = vgc_realloc(object[0], 2 * SLOT)); }

static void realloc_of_anothers(void) {
  actors_run((struct actor[]){{.act = take_and_write}, {.act = resize}}, 2);
  interleave_assert(errors() == 0);
  interleave_assert(*(uint64_t *)other == 1);
  expect_live((void *[]){object[1], object[2], object[3], fresh, other}, 5);
}
INTERLEAVE_MODEL(realloc_of_anothers, .setup = one_full_span, .run = realloc_of_anothers, .preemptions = 2,
                 .learn = 1000,
                 .title = "a thread resizes another's object: its contents are moved before the slot is issued again");
