/* Threads that come: registered from their first instruction, with an argument that nothing else holds. */
#include <pthread.h>
#include <string.h>

#include "marked.h"
#include "stopping.h"

static void *uses_argument(void *argument) {
  expect_marked(argument);
  return NULL;
}

static pthread_t threads[4];

static __attribute__((noinline)) void create_marked(unsigned index) {
  interleave_assert(pthread_create(&threads[index], NULL, uses_argument, marked()) == 0);
}

/* ---- The argument ---- */

/* Where the frames of calls that have returned were, nothing points at the argument. */
static __attribute__((noinline)) void overwrite_dead_frames(void) {
  char dead[16384];
  memset(dead, 0, sizeof dead);
  __asm__ volatile("" : : "r"(dead) : "memory");
}

static void creates(void) {
  create_marked(0);
  overwrite_dead_frames();
  interleave_assert(pthread_join(threads[0], NULL) == 0);
}

static void argument(void) {
  static void (*const parts[])(void) = {collect_and_sweep, creates};
  together(2, parts);
}
INTERLEAVE_MODEL(argument, .setup = stopping_start, .run = argument, .prompt_signals = true,
                 .title = "a new thread's argument lives, though the creator has let go of it");

/* ---- Against a stop ---- */

static void *works(void *arg) {
  (void)arg;
  work();
  return NULL;
}

static void creates_a_worker(void) {
  interleave_assert(pthread_create(&threads[0], NULL, works, NULL) == 0);
  interleave_assert(pthread_join(threads[0], NULL) == 0);
}

/* One thread, or two, or one again. */
static void stops(void) {
  thread_registry_lock();
  unsigned stopped = world_stop();
  interleave_assert(stopped == 1 || stopped == 2);
  work_look();
  world_goes_on();
}

static void birth(void) {
  static void (*const parts[])(void) = {stops, creates_a_worker};
  together(2, parts);
  work_expect_whole();
}
INTERLEAVE_MODEL(birth, .setup = stopping_start, .run = birth, .preemptions = 2, .prompt_signals = true,
                 .title = "a thread that is born during a stop has done nothing, or is stopped");

/* What it holds is on its stack alone. */
static void *allocates(void *arg) {
  (void)arg;
  uint64_t *object = marked();
  interleave_point();
  expect_marked(object);
  return NULL;
}

static void creates_an_allocator(void) {
  interleave_assert(pthread_create(&threads[0], NULL, allocates, NULL) == 0);
  interleave_assert(pthread_join(threads[0], NULL) == 0);
}

static void birth_allocates(void) {
  static void (*const parts[])(void) = {collect_and_sweep, creates_an_allocator};
  together(2, parts);
  interleave_assert(thread_records() == 1);
  interleave_assert(thread_count() == 1);
}
INTERLEAVE_MODEL(birth_allocates, .setup = stopping_start, .run = birth_allocates, .prompt_signals = true,
                 .title = "what a new thread allocates first lives; it has one record");

/* ---- The table, the count ---- */

static void one_entry_start(void) {
  struct vgc_config tiny = tiny_config();
  tiny.thread_table = 1;
  strict_start(&tiny);
}

static void creates_three(void) {
  for (unsigned i = 0; i < 3; i++) create_marked(i);
  for (unsigned i = 0; i < 3; i++) interleave_assert(pthread_join(threads[i], NULL) == 0);
}

static void creates_one_more(void) {
  create_marked(3);
  interleave_assert(pthread_join(threads[3], NULL) == 0);
}

static void table(void) {
  static void (*const parts[])(void) = {creates_three, creates_one_more};
  together(2, parts);
  interleave_assert(thread_records() == 1);
}
INTERLEAVE_MODEL(table, .setup = one_entry_start, .run = table, .prompt_signals = true,
                 .title = "the table of threads grows while two threads create others");

static void counts(void) {
  size_t count = thread_count();
  interleave_assert(count >= 2 && count <= 3);
}

static void count(void) {
  static void (*const parts[])(void) = {counts, creates_a_worker};
  together(2, parts);
  interleave_assert(thread_count() == 1);
}
INTERLEAVE_MODEL(count, .setup = stopping_start, .run = count, .preemptions = 2, .prompt_signals = true,
                 .title = "the number of threads is read while one comes and goes");
