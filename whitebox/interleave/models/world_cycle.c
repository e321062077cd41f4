/* A cycle against what threads are in the middle of: allocating, freeing, counting, inside the C library. */
#include <pthread.h>
#include <stdio.h>

#include "marked.h"
#include "stopping.h"

#define MARK UINT64_C(0xa5a5f00dba11ad00)

static void collect(void) { interleave_assert(vgc_collect() == 0); }

/* So often does a thread do what it is to be stopped in: most of a run is the cycle's. */
#define OFTEN 24u

/* ---- Allocation ---- */

static void allocates(void) {
  uint64_t *object[OFTEN];
  for (unsigned i = 0; i < OFTEN; i++) object[i] = vgc_malloc(32);
  for (unsigned i = 0; i < OFTEN; i++) object[i][0] = object[i][3] = MARK + i;
  for (unsigned i = 0; i < OFTEN; i++) {
    interleave_assert(object[i][0] == MARK + i && object[i][3] == MARK + i);
    interleave_assert(vgc_base_of(object[i]) == object[i]);
  }
}

static void warm_start(void) {
  stopping_start();
  interleave_assert(vgc_malloc(32));
}

static void cycle_and_allocation(void) {
  static void (*const parts[])(void) = {allocates, collect};
  together(2, parts);
  expect_statistics();
}
INTERLEAVE_MODEL(cycle_and_allocation, .setup = warm_start, .run = cycle_and_allocation,
                 .title = "a thread that is stopped inside an allocation has its object, or the slot is not issued");

/* ---- Free ---- */

static void *handed[OFTEN];

static void free_start(void) {
  stopping_start();
  for (unsigned i = 0; i < OFTEN; i++) handed[i] = vgc_malloc(32);
}

static __attribute__((noinline)) void free_handed(unsigned index) {
  void *object = handed[index];
  handed[index] = NULL;
  vgc_free(object);
}

static void frees(void) {
  for (unsigned i = 0; i < OFTEN; i++) free_handed(i);
}

/* By the owner: its counts and its words. */
static void cycle_and_free(void) {
  static void (*const parts[])(void) = {frees, collect};
  together(2, parts);
  expect_statistics();
}
INTERLEAVE_MODEL(cycle_and_free, .setup = free_start, .run = cycle_and_free,
                 .title = "a thread that is stopped inside a free ends its object once, and it counts once");

/* By another: the object that it is about to return is its own to the last store. */
static void cycle_and_remote_free(void) {
  static void (*const parts[])(void) = {collect, frees};
  together(2, parts);
  expect_statistics();
}
INTERLEAVE_MODEL(cycle_and_remote_free, .setup = free_start, .run = cycle_and_remote_free,
                 .title = "the same where another thread owns the span");

/* ---- The pace ---- */

/* More issued than makes a cycle worth it. */
static void paced_start(void) {
  struct vgc_config tiny = tiny_config();
  tiny.minimum_heap = 2048;
  strict_start(&tiny);
  pace_count_issued(4096);
}

/* What a thread sees that has been let go on: a cycle is over, and its goal holds. */
static void watches_pace(void) {
  for (unsigned i = 0; i < 4; i++) {
    bool over = world_epoch() >= 2;
    interleave_assert(!over || !pace_should_collect(0));
  }
}

static void cycle_and_pace(void) {
  static void (*const parts[])(void) = {collect, watches_pace};
  together(2, parts);
}
INTERLEAVE_MODEL(cycle_and_pace, .setup = paced_start, .run = cycle_and_pace, .prompt_signals = true,
                 .title = "whoever runs after a cycle finds its goal, not the one before");

/* ---- Statistics ---- */

static void reads_statistics(void) {
  struct vgc_stats stats = {.struct_size = sizeof stats};
  interleave_assert(vgc_get_stats(&stats) == 0);
  interleave_assert(stats.threads >= 1 && stats.threads <= 3);
}

static void *allocates_first(void *arg) {
  interleave_assert(vgc_malloc(32));
  return arg;
}

static void creates_an_allocator(void) {
  pthread_t thread;
  interleave_assert(pthread_create(&thread, NULL, allocates_first, NULL) == 0);
  interleave_assert(pthread_join(thread, NULL) == 0);
}

static void statistics(void) {
  static void (*const parts[])(void) = {reads_statistics, creates_an_allocator};
  together(2, parts);
  expect_statistics();
}
INTERLEAVE_MODEL(statistics, .setup = stopping_start, .run = statistics, .prompt_signals = true,
                 .title = "statistics are read while a thread makes its cache");

/* ---- Inside the C library ---- */

static void prints(void) {
  for (unsigned i = 0; i < OFTEN; i++) fputs("a line, of which a run shows nothing\n", stderr);
}

static void cycle_and_stdio(void) {
  static void (*const parts[])(void) = {collect, prints};
  together(2, parts);
}
INTERLEAVE_MODEL(cycle_and_stdio, .setup = stopping_start, .run = cycle_and_stdio, .prompt_signals = true,
                 .title = "a thread may be stopped while it holds a lock of the C library's");
