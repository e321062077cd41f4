/* The thread that gives idle memory back. */
#include "stopping.h"

#define LARGE ((size_t)64 * 1024)

static void timed_start(void) {
  struct vgc_config tiny = tiny_config();
  tiny.page_bytes = 4096; /* that the system can take back */
  tiny.arena_bytes = (size_t)1024 * 1024;
  strict_start(&tiny);
  vgc_free(vgc_malloc_noscan(LARGE));
  config.trim_ms = 1; /* from here on: there are no threads in a setup */
}

static void takes_pages(void) { interleave_assert(vgc_malloc_noscan(LARGE)); }

static void trim_by_time(void) {
  interleave_meet(1, false);
  interleave_assert(cache_ensure());
  trim_start();
  interleave_meet(1, true);
  takes_pages();
  interleave_meet(1, false);
  trim_stop();
}
INTERLEAVE_MODEL(trim_by_time, .setup = timed_start, .run = trim_by_time, .preemptions = 2, .learn = 200,
                 .title = "memory is given back by time while a thread takes pages");

static void starts_and_stops(void) {
  trim_start();
  trim_stop();
}

static void two_start_and_stop(void) {
  static void (*const parts[])(void) = {starts_and_stops, starts_and_stops};
  together_bare(2, parts);
  trim_stop();
}
INTERLEAVE_MODEL(two_start_and_stop, .setup = timed_start, .run = two_start_and_stop, .preemptions = 2, .learn = 200,
                 .title = "two threads start and end the thread that gives memory back: there is one at a time");
