/* Blocking regions: who is in one is not signalled, and who leaves one waits for a stop that counted it in. */
#include "marked.h"
#include "stopping.h"

static void stop(void) { world_stops_for_a_moment(1); }

/* What a thread that is counted as blocking may not do: touch what the stopped world looks at. */
static void leave_and_work(void) {
  vgc_blocking_enter();
  vgc_blocking_leave();
  work();
}

static void blocking(void) {
  static void (*const parts[])(void) = {stop, leave_and_work};
  together_bare(2, parts);
  work_expect_whole();
}
INTERLEAVE_MODEL(blocking, .setup = stopping_start, .run = blocking, .preemptions = 3, .prompt_signals = true,
                 .title = "the stopper sees that a thread blocks, or the thread that leaves sees the stop");

static void work_and_enter(void) {
  work();
  vgc_blocking_enter();
}

static void stop_and_leave(void) { vgc_blocking_leave(); }

/* Its work before it entered is seen by a stop that finds it blocking, position and registers as well. */
static void enter_and_stay(void) {
  work_and_enter();
  interleave_point();
  stop_and_leave();
}

static void blocking_entry(void) {
  static void (*const parts[])(void) = {stop, enter_and_stay};
  together_bare(2, parts);
  work_expect_whole();
}
INTERLEAVE_MODEL(blocking_entry, .setup = stopping_start, .run = blocking_entry, .preemptions = 2,
                 .prompt_signals = true, .title = "a stop sees all that a thread did before it entered its region");

static void stop_twice(void) {
  world_stops_for_a_moment(1);
  world_stops_for_a_moment(1);
}

static void blocking_over_two_stops(void) {
  static void (*const parts[])(void) = {stop_twice, leave_and_work};
  together_bare(2, parts);
  work_expect_whole();
}
INTERLEAVE_MODEL(blocking_over_two_stops, .setup = stopping_start, .run = blocking_over_two_stops, .preemptions = 2,
                 .prompt_signals = true, .title = "a thread that waited for one stop to end may meet the next");

static void leaves_only(void) {
  interleave_meet(2, false);
  vgc_blocking_enter();
  interleave_meet(2, true);
  vgc_blocking_leave();
}

/* What follows the stop is certain. */
static void stops_who_leaves(void) {
  interleave_meet(2, false);
  thread_registry_lock();
  interleave_meet(2, true);
  interleave_assert(world_stop() == 1);
  interleave_meet(1, false);
  world_look();
  world_goes_on();
}

static void leave_or_wait(void) {
  static void (*const parts[])(void) = {stops_who_leaves, leaves_only};
  together_bare(2, parts);
}
INTERLEAVE_MODEL(leave_or_wait, .setup = stopping_start, .run = leave_or_wait, .preemptions = UINT32_MAX,
                 .prompt_signals = true, .title = "a stop meets a thread that leaves its region, and nothing else");

/* ---- Scanned where it entered ---- */

static void *kept;

static __attribute__((noinline)) void block_with_object(void) {
  uint64_t *object = vgc_malloc(32);
  object[0] = UINT64_C(0x1234567890abcdef);
  vgc_blocking_enter();
  interleave_point();
  vgc_blocking_leave();
  interleave_assert(object[0] == UINT64_C(0x1234567890abcdef) && vgc_base_of(object) == object);
  kept = object;
}

static void collect(void) {
  interleave_assert(vgc_collect() == 0);
  central_finish_sweep();
}

static void blocking_holds(void) {
  static void (*const parts[])(void) = {collect, block_with_object};
  together(2, parts);
  interleave_assert(vgc_base_of(kept) == kept);
}
INTERLEAVE_MODEL(blocking_holds, .setup = stopping_start, .run = blocking_holds, .prompt_signals = true,
                 .title = "what a blocking thread's frames and registers hold stays live");

/* ---- Out of it and back ---- */

static void *work_active(void *arg) {
  work();
  return arg;
}

/* Back in the region, it changes nothing more. */
static void *call_out(void *arg) { return vgc_call_active(work_active, arg); }

static void call_and_call_out(void) { vgc_call_blocking(call_out, NULL); }

static void active(void) {
  static void (*const parts[])(void) = {stop, call_and_call_out};
  together_bare(2, parts);
  work_expect_whole();
}
INTERLEAVE_MODEL(active, .setup = stopping_start, .run = active, .preemptions = 2, .prompt_signals = true,
                 .title = "a stop sees all that a thread did while it was out of its region, and none of it half");

static void *hold_object(void *arg) {
  uint64_t *object = marked();
  interleave_point();
  expect_marked(object);
  kept = object;
  return arg;
}

static void *call_out_to_hold(void *arg) { return vgc_call_active(hold_object, arg); }

static void hold_while_out(void) { vgc_call_blocking(call_out_to_hold, NULL); }

static void active_holds(void) {
  static void (*const parts[])(void) = {collect, hold_while_out};
  together(2, parts);
  expect_marked(kept);
}
INTERLEAVE_MODEL(active_holds, .setup = stopping_start, .run = active_holds, .prompt_signals = true,
                 .title = "what a thread holds that is out of its region stays live");
