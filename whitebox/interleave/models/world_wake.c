/* A stop waits for answers and never for time: a wake-up that is lost costs a sleep of milliseconds, which nothing else
 * would show. */
#include "stopping.h"

/* Time passes by a microsecond with each look at a clock, and else only when nobody can go on. */
#define PROMPT_NS UINT64_C(1000000)

static void stops_promptly(unsigned others) {
  thread_registry_lock();
  uint64_t before = platform_now_ns();
  interleave_assert(world_stop() == others);
  interleave_assert(platform_now_ns() - before < PROMPT_NS);
}

/* What follows the stop is certain. */
static void ends(void) {
  interleave_meet(1, false);
  world_look();
  world_goes_on();
}

static void stop_one(void) {
  stops_promptly(1);
  ends();
}
static void stop_one_twice(void) {
  stops_promptly(1);
  world_goes_on();
  stops_promptly(1);
  ends();
}
static void stop_two(void) {
  stops_promptly(2);
  ends();
}
static void nothing(void) {}

static void wake(void) {
  static void (*const parts[])(void) = {stop_one, nothing};
  together_bare(2, parts);
}
INTERLEAVE_MODEL(wake, .setup = stopping_start, .run = wake, .preemptions = UINT32_MAX, .learn = 100,
                 .prompt_signals = true, .title = "the answer of a thread wakes the stopper");

static void wake_again(void) {
  static void (*const parts[])(void) = {stop_one_twice, nothing};
  together_bare(2, parts);
}
INTERLEAVE_MODEL(wake_again, .setup = stopping_start, .run = wake_again, .preemptions = 3, .learn = 100,
                 .prompt_signals = true, .title = "and the second time");

static void wake_by_two(void) {
  static void (*const parts[])(void) = {stop_two, nothing, nothing};
  together_bare(3, parts);
}
INTERLEAVE_MODEL(wake_by_two, .setup = stopping_start, .run = wake_by_two, .preemptions = 2, .learn = 100,
                 .prompt_signals = true,
                 .title = "the later of two answers wakes the stopper, though both count at once");

static void enter_and_leave(void) {
  vgc_blocking_enter();
  vgc_blocking_leave();
}

static void wake_from_region(void) {
  static void (*const parts[])(void) = {stop_one, enter_and_leave};
  together_bare(2, parts);
}
INTERLEAVE_MODEL(
    wake_from_region, .setup = stopping_start, .run = wake_from_region, .preemptions = 3, .learn = 100,
    .prompt_signals = true,
    .title = "a thread that enters or leaves its region when it is told to stop is not waited for in vain");
