/* The hard limit, by threads that come to it together. */
#include "alloc.h"

static void *one, *other;

/* Room for one large object. */
static void limited_start(void) {
  heap_start();
  config.hard_limit = pages_taken_bytes() + LARGE + LARGE / 2;
}

static void make_one(void) { one = vgc_malloc_noscan(LARGE); }
static void make_other(void) { other = vgc_malloc_noscan(LARGE); }

static void limit_together(void) {
  actors_run((struct actor[]){{.act = make_one}, {.act = make_other}}, 2);
  interleave_assert(pages_peak_bytes() <= config.hard_limit);
  interleave_assert(!one != !other);
  config.hard_limit = SIZE_MAX;
  expect_live((void *[]){one ? one : other}, 1);
}
INTERLEAVE_MODEL(limit_together, .setup = limited_start, .run = limit_together, .preemptions = 2, .learn = 1000,
                 .steps = 100000, .title = "two threads want what the hard limit leaves to one: one of them gets it");
