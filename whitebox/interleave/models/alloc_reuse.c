/* An address is looked up while its object is freed, its span ends, and the descriptor serves another span over the
 * same pages: the answer is of the one or of the other, or none. */
#include "alloc.h"

/* Two slots a span: 40 pages of 1 KiB, as many as a large object has. */
#define HALF 20480u
/* The classes of both have descriptors of one size; this one's is larger, so that it is made anew. */
#define TINY 16u

static char *old;
static void *fresh, *seen;
static size_t seen_bytes;
static vgc_layout_id layout;

static void *half(void) { return vgc_malloc_noscan(HALF); }

/* The calling thread's spans become nobody's, and those without an object end. */
static void give_up(void) { cache_thread_exit(thread_self()); }

static void look_up_second_half(void) { seen = vgc_base_of(old + HALF + 100); }
static void ask_for_size(void) { seen_bytes = vgc_usable_size(old); }

/* ---- Two slots, then a large object ---- */

static void own_first_half(void) {
  interleave_assert((old = half()));
  void *second = half();
  interleave_assert(second == old + HALF);
  vgc_free(second);
}

static void end_small(void) {
  vgc_free(old);
  give_up();
}

static void end_small_and_make_large(void) {
  end_small();
  fresh = vgc_malloc_noscan(LARGE);
}

static void end_small_and_make_typed(void) {
  end_small();
  fresh = vgc_malloc_typed(layout, LARGE / 8 - 1);
}

static void expect_reused(void) {
  interleave_assert(fresh == old && errors() == 0);
  interleave_assert(vgc_base_of(old + HALF + 100) == old);
  expect_live(&fresh, 1);
}

/* Nothing ever began at the second half but a slot that was free from first to last. */
static void reuse(void) {
  actors_run(
      (struct actor[]){{.act = look_up_second_half}, {.before = own_first_half, .act = end_small_and_make_large}}, 2);
  interleave_assert(!seen || seen == old);
  expect_reused();
}
INTERLEAVE_MODEL(reuse, .setup = heap_start, .run = reuse, .learn = 1000,
                 .title = "an address is looked up while a large object takes the place of a small one");

static void heap_with_layout(void) {
  heap_start();
  layout = vgc_layout_register(&(struct vgc_layout){.size = 8, .pointer_words = (const uint64_t[]){0}});
  interleave_assert(layout);
}

static void reuse_for_kind(void) {
  actors_run((struct actor[]){{.act = ask_for_size}, {.before = own_first_half, .act = end_small_and_make_typed}}, 2);
  interleave_assert(!seen_bytes || seen_bytes == HALF || seen_bytes == LARGE - 8);
  expect_reused();
}
INTERLEAVE_MODEL(reuse_for_kind, .setup = heap_with_layout, .run = reuse_for_kind, .learn = 1000,
                 .title = "an object's size is asked for while one of another size and kind takes its place");

/* ---- A large object, then two slots ---- */

static void one_large(void) {
  heap_start();
  interleave_assert((old = vgc_malloc_noscan(LARGE)));
}

static void free_large(void) { vgc_free(old); }

static void end_large_and_make_small(void) {
  free_large();
  fresh = half();
}

static void reuse_for_small(void) {
  actors_run((struct actor[]){{.act = end_large_and_make_small}, {.act = look_up_second_half}}, 2);
  interleave_assert(!seen || seen == old);
  interleave_assert(fresh == old && errors() == 0 && !vgc_base_of(old + HALF + 100));
  expect_live(&fresh, 1);
}
INTERLEAVE_MODEL(reuse_for_small, .setup = one_large, .run = reuse_for_small, .learn = 1000,
                 .title = "an address is looked up while a small object takes the place of a large one");

/* The descriptor goes to other pages: where it was is a span with one of another size. */
static void end_large_and_make_elsewhere(void) {
  free_large();
  interleave_assert(vgc_malloc_noscan(TINY) == old);
  fresh = vgc_malloc_noscan(LARGE);
}

static void reuse_elsewhere(void) {
  actors_run((struct actor[]){{.act = end_large_and_make_elsewhere}, {.act = look_up_second_half}}, 2);
  interleave_assert(!seen || seen == old);
  interleave_assert(fresh && fresh != old && errors() == 0);
}
INTERLEAVE_MODEL(reuse_elsewhere, .setup = one_large, .run = reuse_elsewhere, .learn = 1000,
                 .title = "an address is looked up while its descriptor goes to a span elsewhere");

/* ---- One life ---- */

static struct span *span;
static struct run run_of_span;

static void one_span(void) {
  one_large();
  span = span_of((uintptr_t)old);
  run_of_span = (struct run){&arenas[0], ((uintptr_t)old - arenas[0].base) >> arenas[0].page_shift, span->pages, false};
}

/* The run stays taken; of the two slots none is ever issued. */
static void end_and_begin(void) {
  lock_acquire(&heap_lock);
  span_destroy(span);
  interleave_assert(span_create(run_of_span, sizeclass_of(HALF), KIND_SCAN, NULL, SPAN_PARTIAL) == span);
  lock_release(&heap_lock);
}

/* An end and a beginning, and what else is said of the descriptor meanwhile is kept. */
static void expect_next_life(uint32_t flag) { interleave_assert(load_relaxed(&span->life) == (3 * SPAN_LIVES | flag)); }

static void read_in_one_life(void) {
  uint32_t life = load_acquire(&span->life);
  uint32_t size = load_loose(&span->size), kind = load_loose(&span->kind);
  bool large = !size && kind == KIND_NOSCAN, small = size == HALF && kind == KIND_SCAN;
  if (span_lives_on(span, life)) interleave_assert(large || small);
}

static void one_life(void) {
  actors_run((struct actor[]){{.act = read_in_one_life}, {.act = end_and_begin}}, 2);
  expect_next_life(0);
}
ALLOC_MODEL(one_life, .setup = one_span, .run = one_life,
            .title = "a descriptor is read while its span ends and another begins: what lives on is of one life");

static void one_look_up(void) {
  actors_run((struct actor[]){{.act = end_and_begin}, {.act = look_up_second_half}}, 2);
  interleave_assert(!seen || seen == old);
  expect_next_life(0);
}
INTERLEAVE_MODEL(one_look_up, .setup = one_span, .run = one_look_up, .learn = 1000,
                 .title = "an address is looked up while its span ends and another begins");

static void announce(void) { cache_notify(span); }

static void one_notice(void) {
  actors_run((struct actor[]){{.act = announce}, {.act = end_and_begin}}, 2);
  expect_next_life(SPAN_NOTIFIED);
}
ALLOC_MODEL(one_notice, .setup = one_span, .run = one_notice,
            .title = "a span is announced while it ends and another begins: the descriptor is in a list, and says so");

/* ---- A stale free ---- */

/* Three frees of two objects, one after the other at one place. */
static void reuse_and_free(void) {
  free_large();
  fresh = vgc_malloc_noscan(TINY);
  interleave_assert(fresh == old);
  vgc_free(fresh);
}

static void stale_large_free(void) {
  actors_run((struct actor[]){{.act = reuse_and_free}, {.act = free_large}}, 2);
  disown(); /* folds in what was returned */
  interleave_assert(errors() == 1);
  expect_live(NULL, 0);
}
INTERLEAVE_MODEL(stale_large_free, .setup = one_large, .run = stale_large_free, .learn = 1000,
                 .title = "a large object is freed again while a small one comes and goes in its place: told once");
