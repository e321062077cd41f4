/* The counts, and a heap in use against a stop. */
#include "alloc.h"

static void *object[SPAN_SLOTS], *fresh;

static void three_of_four(void) {
  heap_start();
  fill(object, 3);
}

static struct vgc_stats seen;

static void count(void) {
  seen.struct_size = sizeof seen;
  interleave_assert(vgc_get_stats(&seen) == 0);
}
static void free_and_take(void) {
  vgc_free(object[0]);
  fresh = take();
}
static void free_1(void) { vgc_free(object[1]); }

/* What lives is in another thread's span. One object does all the time, and there may be three; no instant is common to
 * all that is read. */
static void count_and_use(void) {
  actors_run((struct actor[]){{.act = free_and_take}, {.before = free_1, .act = count}}, 2);
  interleave_assert(seen.objects_allocated >= 3 && seen.objects_allocated <= 4);
  interleave_assert(seen.live_objects >= 1 && seen.live_objects <= 3 && seen.objects_freed <= 2);
  expect_live((void *[]){object[2], fresh}, 2);
}
INTERLEAVE_MODEL(count_and_use, .setup = three_of_four, .run = count_and_use, .preemptions = 3, .learn = 1000,
                 .steps = 100000,
                 .title = "statistics are read while a thread allocates and frees: what lives counts once");

static void collect(void) { interleave_assert(vgc_collect() == 0); }

static void count_and_stop(void) {
  actors_run((struct actor[]){{.act = free_and_take}, {.act = collect}}, 2);
  interleave_assert(errors() == 0);
  expect_live((void *[]){object[1], object[2], fresh}, 3);
}
INTERLEAVE_MODEL(count_and_stop, .setup = three_of_four, .run = count_and_stop, .learn = 1000, .steps = 100000,
                 .title = "a stop between any two steps of an allocation and a free: counts equal the objects");

static void *roots[2 * SPAN_SLOTS];

static void full_and_rooted(void) {
  heap_start();
  fill(roots, 2 * SPAN_SLOTS);
}
static void free_roots(void) {
  for (unsigned i = 0; i < 2; i++) {
    void *old = roots[i];
    vgc_free(old);
    roots[i] = NULL;
  }
  roots[0] = take();
}

static void surrender(void) {
  actors_run((struct actor[]){{.act = free_roots}, {.act = collect}}, 2);
  interleave_assert(errors() == 0);
  expect_live((void *[]){roots[0], roots[2], roots[3], roots[4], roots[5], roots[6], roots[7]}, 7);
}
INTERLEAVE_MODEL(surrender, .setup = full_and_rooted, .run = surrender, .steps = 100000,
                 .title = "the collector takes spans from a thread that frees and allocates");

static void *big;
static void one_big(void) {
  heap_start();
  interleave_assert(big = vgc_malloc_noscan(LARGE));
}
static void free_big(void) {
  vgc_free(big);
  big = NULL;
  interleave_assert(big = vgc_malloc_noscan(LARGE));
}
static void large_and_collect(void) {
  actors_run((struct actor[]){{.act = free_big}, {.act = collect}}, 2);
  interleave_assert(errors() == 0);
  expect_live(&big, 1);
}
INTERLEAVE_MODEL(large_and_collect, .setup = one_big, .run = large_and_collect, .learn = 1000, .steps = 100000,
                 .title = "a large object is freed and another made while a thread collects");
