/* How long a collector takes to stop threads that compute, by its own clock: each stop is a collection of a near-empty
 * heap. */
#include "stop.h"

#include <stdlib.h>

#if defined(BENCH_VGC_COLLECT)

static void stop_prepare(struct bench_thread *thread) { (void)thread; }

static uint64_t stop_once(struct bench_thread *thread) {
  struct vgc_stats stats = {.struct_size = sizeof stats};
  (void)thread;
  bench_collect();
  if (vgc_get_stats(&stats)) abort();
  return stats.stop_ns_last;
}

#elif defined(BENCH_LIBGC)

static uint64_t stop_began, stop_took; /* of the thread that collects */

static void on_event(GC_EventType event) {
  if (event == GC_EVENT_PRE_STOP_WORLD) stop_began = bench_now();
  if (event == GC_EVENT_POST_STOP_WORLD) stop_took = bench_now() - stop_began;
}

static void stop_prepare(struct bench_thread *thread) {
  if (thread->index == 0) GC_set_on_collection_event(on_event);
}

static uint64_t stop_once(struct bench_thread *thread) {
  (void)thread;
  bench_collect();
  return stop_took;
}

#endif
