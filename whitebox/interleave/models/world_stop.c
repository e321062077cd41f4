/* The handshake of a stop: signals that come early, late, twice, from elsewhere, or are refused. */
#include <pthread.h>
#include <signal.h>

#include "stopping.h"

static void one_stop(void) { world_stops_for_a_moment(1); }
static void two_stops(void) {
  world_stops_for_a_moment(1);
  world_stops_for_a_moment(1);
}
static void one_work(void) { work(); }
static void two_works(void) {
  work();
  work();
}

static void stop(void) {
  static void (*const parts[])(void) = {one_stop, two_works};
  together_bare(2, parts);
  work_expect_whole();
}
INTERLEAVE_MODEL(stop, .setup = stopping_start, .run = stop, .preemptions = 3, .prompt_signals = true,
                 .title = "a stop: what the thread did is seen, what the stopped world did is seen by the thread");

static void stop_late(void) {
  static void (*const parts[])(void) = {one_stop, one_work};
  together_bare(2, parts);
  work_expect_whole();
}
INTERLEAVE_MODEL(stop_late, .setup = stopping_start, .run = stop_late, .preemptions = 2,
                 .title = "the same, with a signal that is delivered at any later access");

static void stops_back_to_back(void) {
  static void (*const parts[])(void) = {two_stops, one_work};
  together_bare(2, parts);
  work_expect_whole();
}
INTERLEAVE_MODEL(stops_back_to_back, .setup = stopping_start, .run = stops_back_to_back, .preemptions = 3,
                 .prompt_signals = true,
                 .title = "a stop follows another whose handler has not left yet: it counts its own answers only");

/* ---- Two that are stopped, two that stop ---- */

static void stop_two(void) { world_stops_for_a_moment(2); }

static void nothing(void) {}

static void stop_of_two(void) {
  static void (*const parts[])(void) = {stop_two, one_work, nothing};
  together_bare(3, parts);
  work_expect_whole();
}
INTERLEAVE_MODEL(stop_of_two, .setup = stopping_start, .run = stop_of_two, .preemptions = 2, .prompt_signals = true,
                 .title = "a stop of two threads waits for both answers");

static void two_stoppers(void) {
  static void (*const parts[])(void) = {one_stop, one_stop};
  together_bare(2, parts);
  work_expect_whole();
}
INTERLEAVE_MODEL(two_stoppers, .setup = stopping_start, .run = two_stoppers, .preemptions = 3, .prompt_signals = true,
                 .title = "two threads stop the world: one after the other, each stopping the other where it waits");

/* ---- Signals from elsewhere ---- */

/* The model's main thread. */
static pthread_t target;

static void foreign(void) { interleave_assert(pthread_kill(target, (int)thread_signal()) == 0); }

static void stop_and_foreign(void) {
  target = pthread_self();
  static void (*const parts[])(void) = {one_work, stop_two, foreign};
  together_bare(3, parts);
  work_expect_whole();
}
INTERLEAVE_MODEL(stop_and_foreign, .setup = stopping_start, .run = stop_and_foreign, .preemptions = 2,
                 .prompt_signals = true,
                 .title = "a suspend signal that no stopper sent, before, during or after a stop, does no harm");

static void foreign_to_stopper(void) {
  target = pthread_self();
  static void (*const parts[])(void) = {one_stop, foreign};
  together_bare(2, parts);
  work_expect_whole();
}
INTERLEAVE_MODEL(foreign_to_stopper, .setup = stopping_start, .run = foreign_to_stopper, .preemptions = 2,
                 .prompt_signals = true,
                 .title = "a suspend signal from elsewhere that comes to the stopper does not park it");

static void stop_refused(void) {
  static void (*const parts[])(void) = {one_stop, one_work};
  together_bare(2, parts);
  work_expect_whole();
}
/* The first that queues: those below are never refused. */
static void real_time_start(void) {
  struct vgc_config tiny = tiny_config();
  tiny.suspend_signal = 40;
  strict_start(&tiny);
}
INTERLEAVE_MODEL(stop_refused, .setup = real_time_start, .run = stop_refused, .preemptions = 2, .prompt_signals = true,
                 .full_signal_queue = true,
                 .title = "the queue of signals is full: the thread is told later, and not taken for dead");
