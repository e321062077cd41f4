/* What a dead thread left is given back while another thread stops the world, and sweeps it there. */
#include <pthread.h>

#include "stopping.h"

#define SLOT  8192u
#define SLOTS 4u

static void *object[SLOTS];
static struct span *span;
static unsigned stopped; /* threads that the stop finds */

static void *returns(void *arg) { return arg; }

/* The caller's cache becomes that of a thread that ended by a raw system call. Its first span is full. */
static void leave_cache(void) {
  for (unsigned i = 0; i < SLOTS; i++) interleave_assert((object[i] = vgc_malloc_noscan(SLOT)));
  span = span_of((uintptr_t)object[0]);
  interleave_assert(vgc_malloc_noscan(SLOT) && span_state(span) == SPAN_FULL);
  struct thread *self = thread_self(), *lost = thread_birth(returns, NULL, true);
  lost->cache = self->cache;
  lost->cache->thread = lost;
  self->cache = NULL;
  cache_current = &cache_none;
  thread_registry_lock();
  thread_lost(lost);
  thread_registry_unlock();
}

static void reaps(void) {
  interleave_meet(2, false);
  leave_cache();
  interleave_meet(2, true);
  thread_reap();
  interleave_meet(2, false);
}

static void *reaps_there(void *arg) {
  interleave_meet(2, true);
  thread_reap();
  interleave_meet(2, false);
  return arg;
}

static void reaps_in_region(void) {
  interleave_meet(2, false);
  leave_cache();
  vgc_call_blocking(reaps_there, NULL);
}

static void reaps_unregistered(void) {
  interleave_meet(2, false);
  leave_cache();
  interleave_assert(vgc_thread_detach() == 0);
  reaps_there(NULL);
  interleave_assert(vgc_thread_attach() == 0);
}

/* All that the last mark found is live, but for what was freed. */
static void sweep_what_is_owned(void) {
  if (!load_relaxed(&span->owner)) return;
  span->bits[0].mark = 1 | 4 | 8;
  sweep_owned_span(span);
}

static void stops_and_sweeps(void) {
  interleave_meet(2, false);
  interleave_meet(2, true);
  vgc_free(object[1]);
  thread_registry_lock();
  central_lock_all();
  interleave_assert(world_stop() == stopped);
  sweep_what_is_owned();
  world_resume();
  central_unlock_all();
  thread_registry_unlock();
  interleave_meet(2, false);
}

static void beside_stop(void (*part)(void), unsigned found) {
  void (*const parts[])(void) = {stops_and_sweeps, part};
  stopped = found;
  together(2, parts);
  interleave_assert(vgc_collect() == 0); /* which gives back what is left, and has all returned slots folded in */
}

static void reap_in_region(void) { beside_stop(reaps_in_region, 1); }
INTERLEAVE_MODEL(reap_in_region, .setup = stopping_start, .run = reap_in_region, .preemptions = 2, .learn = 2000,
                 .prompt_signals = true, .title = "who is in a region gives nothing back that a stop sweeps");

static void reap_unregistered(void) { beside_stop(reaps_unregistered, 0); }
INTERLEAVE_MODEL(reap_unregistered, .setup = stopping_start, .run = reap_unregistered, .preemptions = 2, .learn = 2000,
                 .prompt_signals = true, .title = "who is not registered gives nothing back that a stop sweeps");

static void reap_stopped(void) { beside_stop(reaps, 1); }
INTERLEAVE_MODEL(reap_stopped, .setup = stopping_start, .run = reap_stopped, .preemptions = 1, .learn = 2000,
                 .prompt_signals = true, .title = "who gives back what a stop sweeps is stopped");
