/* Statistics are read, and memory is given back, while others allocate and collect. */
#include <pthread.h>

#include "stopping.h"

#define SMALL   32u
#define SLOT    ((size_t)8192) /* four to a span */
#define SLOTS   ((size_t)4)
#define LARGE   ((size_t)64 * 1024)
#define AT_ONCE .preemptions = UINT32_MAX, .learn = 1000

static struct vgc_stats statistics(void) {
  struct vgc_stats stats = {.struct_size = sizeof stats};
  interleave_assert(vgc_get_stats(&stats) == 0);
  return stats;
}

static void *allocate(size_t size) {
  void *object = vgc_malloc_noscan(size);
  interleave_assert(object);
  return object;
}

/* ---- Against allocation ---- */

static void asks_for_pages(void) {
  struct vgc_stats stats = statistics();
  interleave_assert(stats.heap_bytes <= stats.peak_heap_bytes);
}

static void takes_pages(void) { allocate(LARGE); }

static void stats_pages(void) {
  static void (*const parts[])(void) = {asks_for_pages, takes_pages};
  together(2, parts);
}
INTERLEAVE_MODEL(stats_pages, .setup = stopping_start, .run = stats_pages, .preemptions = UINT32_MAX, .learn = 200,
                 .title = "statistics are read while another thread takes pages");

static void *allocates_first(void *arg) {
  (void)arg;
  interleave_meet(2, true);
  allocate(SMALL);
  interleave_meet(2, false);
  return NULL;
}

/* The list of caches is walked without a lock. */
static void stats_caches(void) {
  pthread_t thread;
  interleave_meet(1, false);
  interleave_assert(cache_ensure());
  interleave_assert(pthread_create(&thread, NULL, allocates_first, NULL) == 0);
  interleave_meet(2, true);
  statistics();
  interleave_meet(2, false);
  interleave_assert(pthread_join(thread, NULL) == 0);
  interleave_assert(statistics().objects_allocated == 1);
}
INTERLEAVE_MODEL(stats_caches, .setup = stopping_start, .run = stats_caches, .preemptions = 1, .learn = 500,
                 .title = "statistics are read while another thread gets its first cache");

/* ---- Against a cycle ---- */

/* With garbage to sweep, and the list of loaded objects. */
static void collected_start(void) {
  stopping_start();
  interleave_assert(vgc_collect() == 0);
  for (unsigned i = 0; i < 2 * SLOTS; i++) allocate(SLOT);
}

/* A stop may come between any two accesses. */
static void asks_for_totals(void) {
  struct collect_totals totals = collect_totals();
  interleave_assert(totals.cycles == totals.stops);
  interleave_assert(totals.suspensions == totals.cycles - 1);
}

static void collects(void) { interleave_assert(vgc_collect() == 0); }

static void totals(void) {
  static void (*const parts[])(void) = {asks_for_totals, collects};
  together(2, parts);
}
INTERLEAVE_MODEL(totals, .setup = collected_start, .run = totals, .preemptions = 1, .learn = 200,
                 .title = "what is told of the cycles is all from before or all from after one");

static void collects_and_sweeps(void) {
  collects();
  central_finish_sweep();
}

static void asks(void) { statistics(); }

static void stats_sweep(void) {
  static void (*const parts[])(void) = {asks, collects_and_sweeps};
  together(2, parts);
  interleave_assert(statistics().live_objects <= 2 * SLOTS);
}
INTERLEAVE_MODEL(stats_sweep, .setup = collected_start, .run = stats_sweep, .preemptions = 1, .prompt_signals = true,
                 .title = "statistics are read while another thread collects and sweeps");

/* ---- Giving back ---- */

/* Pages that the system can take back. */
static void system_pages_start(void) {
  struct vgc_config tiny = tiny_config();
  tiny.page_bytes = 4096;
  tiny.arena_bytes = (size_t)1024 * 1024;
  strict_start(&tiny);
  vgc_free(allocate(LARGE));
}

static void trims(void) { vgc_trim(); }

static void trim(void) {
  static void (*const parts[])(void) = {trims, takes_pages};
  together(2, parts);
}
INTERLEAVE_MODEL(trim, .setup = system_pages_start, .run = trim, AT_ONCE,
                 .title = "free memory is given back while another thread takes pages");

static void trim_of_cycle(void) {
  static void (*const parts[])(void) = {collects, takes_pages};
  together(2, parts);
}
INTERLEAVE_MODEL(trim_of_cycle, .setup = system_pages_start, .run = trim_of_cycle, .preemptions = 1,
                 .prompt_signals = true, .title = "a cycle gives free memory back while another thread takes pages");

/* ---- Counts that several threads write ---- */

/* How many bytes more are enough for a cycle to pay. */
static size_t bytes_to_go(void) {
  size_t least = 0, most = config.minimum_heap;
  while (least < most) {
    size_t middle = least + (most - least) / 2;
    if (pace_should_collect(middle))
      most = middle;
    else
      least = middle + 1;
  }
  return least;
}

static void takes_span(void) { allocate(SLOT); }
static void takes_other_span(void) { allocate(SLOT / 2); }

/* Spans of two classes, so that no lock is between those who take them. */
static void central_start(void) {
  stopping_start();
  vgc_free(allocate(SLOT));
  vgc_free(allocate(SLOT / 2));
  void *kept[] = {allocate(SLOT), allocate(SLOT / 2)};
  (void)kept;
  interleave_assert(vgc_thread_detach() == 0);
}

static void issued_bytes(void) {
  size_t before = bytes_to_go();
  static void (*const parts[])(void) = {takes_span, takes_other_span};
  together(2, parts);
  /* All but the one object that is in each. */
  interleave_assert(before - bytes_to_go() == 3 * SLOT + 7 * (SLOT / 2));
}
INTERLEAVE_MODEL(issued_bytes, .setup = central_start, .run = issued_bytes, AT_ONCE,
                 .title = "what two threads take from central is counted towards the next cycle");
