/* Threads that go: their records, results and caches. */
#include <pthread.h>

#include "marked.h"
#include "stopping.h"

static void stops(void) {
  thread_registry_lock();
  interleave_assert(world_stop() <= 2);
  work_look();
  world_goes_on();
}

/* ---- Leaving against a stop ---- */

static void comes_back(void) {
  interleave_assert(vgc_thread_detach() == 0);
  interleave_assert(vgc_thread_attach() == 0);
}

/* Who has come back is watched, as no destructor may see it off: that ends under the lock too. */
static void leaves(void) {
  comes_back();
  work();
  interleave_assert(vgc_thread_detach() == 0);
}

static void leave(void) {
  static void (*const parts[])(void) = {stops, leaves};
  together(2, parts);
  work_expect_whole();
  interleave_assert(thread_count() == 1);
}
INTERLEAVE_MODEL(leave, .setup = stopping_start, .run = leave, .preemptions = 2, .prompt_signals = true,
                 .title = "a thread leaves while the world stops: it is stopped, or it has left");

static void comes_back_to_work(void) {
  comes_back();
  work();
}

static void leave_and_return(void) {
  static void (*const parts[])(void) = {stops, comes_back_to_work};
  together(2, parts);
  work_expect_whole();
}
INTERLEAVE_MODEL(leave_and_return, .setup = stopping_start, .run = leave_and_return, .prompt_signals = true,
                 .title = "a thread leaves and registers again while the world stops");

/* Two that leave change one list. */
static void two_leave(void) {
  static void (*const parts[])(void) = {stops, leaves, comes_back};
  together(3, parts);
  interleave_assert(thread_count() == 1);
}
INTERLEAVE_MODEL(two_leave, .setup = stopping_start, .run = two_leave, .prompt_signals = true,
                 .title = "two threads leave and one returns while the world stops");

/* ---- Results ---- */

static pthread_t thread;

static void *gives_result(void *arg) {
  (void)arg;
  return marked();
}

static void creates(void) { interleave_assert(pthread_create(&thread, NULL, gives_result, NULL) == 0); }

static __attribute__((noinline)) void joins(void) {
  void *value;
  interleave_assert(pthread_join(thread, &value) == 0);
  expect_marked(value);
}

static void result(void) {
  interleave_meet(1, false);
  creates();
  static void (*const parts[])(void) = {joins, collect_and_sweep};
  together(2, parts);
}
INTERLEAVE_MODEL(result, .setup = stopping_start, .run = result, .prompt_signals = true,
                 .title = "the result of a thread lives from its return until its joiner has it");

/* ---- Caches ---- */

static void *object[3];

static void *starts_with_cache(void *arg) {
  object[2] = marked();
  interleave_point();
  expect_marked(object[2]);
  return arg;
}

static void starts_another(void) {
  pthread_t other;
  interleave_assert(pthread_create(&other, NULL, starts_with_cache, NULL) == 0);
  interleave_assert(pthread_join(other, NULL) == 0);
}

/* Its cache has come free before anything is explored. It registers again, with that one or another: never with one
 * that somebody else has by now. */
static void *leaves_and_allocates(void *arg) {
  object[0] = marked();
  interleave_assert(vgc_thread_detach() == 0);
  interleave_meet(2, true);
  object[1] = marked();
  return arg;
}

static void cache_changes_hands(void) {
  interleave_meet(1, false);
  interleave_assert(pthread_create(&thread, NULL, leaves_and_allocates, NULL) == 0);
  interleave_meet(2, true);
  starts_another();
  interleave_assert(pthread_join(thread, NULL) == 0);
  for (unsigned i = 0; i < 3; i++) {
    expect_marked(object[i]);
    for (unsigned j = 0; j < i; j++) interleave_assert(object[i] != object[j]);
  }
}
INTERLEAVE_MODEL(cache_changes_hands, .setup = stopping_start, .run = cache_changes_hands, .prompt_signals = true,
                 .title = "a thread that left does not touch its old cache, which another has");
