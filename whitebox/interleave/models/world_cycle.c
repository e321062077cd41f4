/* A cycle against what threads are in the middle of: allocating, freeing, counting, inside the C library. */
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>

#include "marked.h"
#include "stopping.h"

#define MARK UINT64_C(0xa5a5f00dba11ad00)

static void collect(void) { interleave_assert(vgc_collect() == 0); }

/* ---- What of a cycle is explored ---- */

/* The way into the stop, or what comes after it. */
static _Atomic bool way_in;
static sem_t stopped;

static void meet_other(void) { interleave_meet(2, way_in); }

static void cycle_starts(void *arg) {
  (void)arg;
  meet_other();
}

static void world_is_stopped_now(void *arg, vgc_root_push *push, void *sink) {
  (void)arg, (void)push, (void)sink;
  interleave_meet(1, !way_in);
  sem_post(&stopped);
}

static void watched_start(const struct vgc_config *given) {
  strict_start(given);
  interleave_assert(vgc_root_add_callback(world_is_stopped_now, NULL) == 0);
  interleave_assert(roots_list_modules());
}

static void watched_collection(bool explore_way_in) {
  interleave_meet(2, false);
  way_in = explore_way_in;
  vgc_set_hooks(&(struct vgc_hooks){.struct_size = sizeof(struct vgc_hooks), .cycle_start = cycle_starts}, NULL);
  collect();
}

/* The other thread is suspended wherever it is. */
static void collects(void) { watched_collection(true); }
/* The other thread is let go on wherever the cycle is. */
static void collects_and_lets_go(void) { watched_collection(false); }

/* What of the other thread is explored comes after this. */
static void prepare(void (*what)(void)) {
  interleave_meet(2, false);
  if (what) what();
  meet_other();
  if (!way_in) sem_wait(&stopped);
}

/* ---- Allocation ---- */

/* Few: a signal comes within 64 accesses. */
#define FEW 3u

static uint64_t *allocate(unsigned index) {
  uint64_t *object = vgc_malloc(32);
  interleave_assert(object);
  object[0] = object[3] = MARK + index;
  return object;
}

static void expect_object(const uint64_t *object, unsigned index) {
  interleave_assert(vgc_base_of(object) == object);
  interleave_assert(object[0] == MARK + index && object[3] == MARK + index);
}

static void warm_up(void) { expect_object(allocate(0), 0); }

static void allocates(void) {
  uint64_t *object[FEW];
  prepare(warm_up);
  for (unsigned i = 0; i < FEW; i++) object[i] = allocate(i);
  for (unsigned i = 0; i < FEW; i++) expect_object(object[i], i);
}

static void cycle_start(void) {
  struct vgc_config tiny = tiny_config();
  watched_start(&tiny);
}

static void cycle_and_allocation(void) {
  static void (*const parts[])(void) = {collects, allocates};
  together(2, parts);
  expect_statistics();
}
INTERLEAVE_MODEL(cycle_and_allocation, .setup = cycle_start, .run = cycle_and_allocation, .learn = 200,
                 .title = "a thread that is stopped inside an allocation has its object, or the slot is not issued");

/* ---- Counts ---- */

enum { AT_ONCE = 64 };

/* Nothing is available afterwards. */
static void use_up(void) {
  for (unsigned i = 0; i < AT_ONCE; i++) expect_object(allocate(i), i);
}

static uint64_t allocated(void) {
  struct vgc_stats stats = {.struct_size = sizeof stats};
  interleave_assert(vgc_get_stats(&stats) == 0);
  return stats.objects_allocated;
}

static void refills(void) {
  prepare(use_up);
  expect_object(allocate(0), 0);
}

static void cycle_and_refill(void) {
  static void (*const parts[])(void) = {collects, refills};
  together(2, parts);
  interleave_assert(allocated() == AT_ONCE + 1);
}
INTERLEAVE_MODEL(cycle_and_refill, .setup = cycle_start, .run = cycle_and_refill, .learn = 200,
                 .title = "a thread that is stopped between a refill and its count counts it once");

/* ---- The end of a cycle ---- */

static void allocation_and_end_of_cycle(void) {
  static void (*const parts[])(void) = {collects_and_lets_go, allocates};
  together(2, parts);
  expect_statistics();
}
INTERLEAVE_MODEL(allocation_and_end_of_cycle, .setup = cycle_start, .run = allocation_and_end_of_cycle, .learn = 200,
                 .title = "what a thread allocates as soon as it is let go on is no part of the cycle");

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

/* So often does a thread do what it is to be stopped in: most of a run is the cycle's. */
#define OFTEN 24u

static void prints(void) {
  for (unsigned i = 0; i < OFTEN; i++) fputs("a line, of which a run shows nothing\n", stderr);
}

static void cycle_and_stdio(void) {
  static void (*const parts[])(void) = {collect, prints};
  together(2, parts);
}
INTERLEAVE_MODEL(cycle_and_stdio, .setup = stopping_start, .run = cycle_and_stdio, .prompt_signals = true,
                 .title = "a thread may be stopped while it holds a lock of the C library's");
