/* A stopped world takes spans from a thread's lists, wherever in its work on them the thread was stopped. */
#include "stopping.h"

/* Few slots a span, so few steps. */
#define SLOT    8192u
#define OBJECTS 9u

static void *object[OBJECTS], *fresh;
static _Atomic(struct cache *) owner;
static _Atomic(struct span *) in_use;

static void *take(void) {
  void *taken = vgc_malloc_noscan(SLOT);
  interleave_assert(taken);
  return taken;
}

static void own(unsigned objects) {
  for (unsigned i = 0; i < objects; i++) object[i] = take();
  atomic_store(&owner, cache_current);
}

/* Three spans: two are full, and one has begun. */
static void own_two_full(void) { own(OBJECTS); }
/* Two spans: one is full, and one is about to be. */
static void own_one_full(void) { own(OBJECTS - 1); }

static void prepare(void (*what)(void)) {
  interleave_meet(2, false);
  if (what) what();
  interleave_meet(2, true);
}

/* ---- The collector's side ---- */

/* What a thread is about to store into is on its stack, so it is pinned. */
static void surrender(void) {
  struct span *pinned = atomic_load(&in_use);
  if (pinned) pinned->pinned = 1;
  cache_surrender(atomic_load(&owner), central_file);
  if (pinned) pinned->pinned = 0;
}

static void stops(void) {
  prepare(NULL);
  thread_registry_lock();
  central_lock_all();
  lock_acquire(&heap_lock);
  interleave_assert(world_stop() == 1);
  surrender();
  world_resume();
  lock_release(&heap_lock);
  central_unlock_all();
  thread_registry_unlock();
}

/* ---- The oracle: each span of nobody's is in one list, once, and each list holds together ---- */

static void count_filed(struct span *span, void *count) {
  check_span(span);
  interleave_assert(!load_relaxed(&span->owner));
  if (span->size == SLOT) ++*(unsigned *)count;
}

static unsigned length(const struct span_list *list) {
  unsigned length = 0;
  const struct span *previous = NULL;
  for (const struct span *span = list->first; span; previous = span, span = span->next) {
    interleave_assert(span->previous == previous);
    interleave_assert(++length <= OBJECTS);
  }
  interleave_assert(list->last == previous);
  return length;
}

static void expect_filed(void) {
  unsigned spans = 0;
  lock_acquire(&heap_lock);
  span_each(count_filed, &spans);
  lock_release(&heap_lock);
  struct central *class = &central[sizeclass_of(SLOT)];
  interleave_assert(length(&class->partial[KIND_NOSCAN]) + length(&class->exhausted[KIND_NOSCAN]) == spans);
}

static void expect_whole(void (*const parts[])(void)) {
  together(2, parts);
  expect_filed();
}

/* ---- Models ---- */

static void free_one(unsigned index) {
  atomic_store_explicit(&in_use, span_of((uintptr_t)object[index]), memory_order_relaxed);
  vgc_free(object[index]);
  atomic_store_explicit(&in_use, NULL, memory_order_relaxed);
}

/* Of the span that is first in the list of full ones. */
static void frees(void) {
  prepare(own_two_full);
  free_one(4);
}

static void surrender_in_free(void) {
  static void (*const parts[])(void) = {stops, frees};
  expect_whole(parts);
}
INTERLEAVE_MODEL(surrender_in_free, .setup = stopping_start, .run = surrender_in_free, .preemptions = 1, .learn = 200,
                 .title = "a cache is asked for spans while its owner moves one that has a free slot again");

static void allocates(void) {
  prepare(own_one_full);
  fresh = take();
  interleave_assert(vgc_base_of(fresh) == fresh);
}

static void surrender_in_refill(void) {
  static void (*const parts[])(void) = {stops, allocates};
  expect_whole(parts);
}
INTERLEAVE_MODEL(surrender_in_refill, .setup = stopping_start, .run = surrender_in_refill, .preemptions = 1,
                 .learn = 200, .title = "a cache is asked for spans while its owner puts one by that is full");

/* It comes back with a cache, perhaps the same. */
static void leaves(void) {
  prepare(own_two_full);
  interleave_assert(vgc_thread_detach() == 0);
}

static void stops_or_not(void) {
  prepare(NULL);
  thread_registry_lock();
  central_lock_all();
  lock_acquire(&heap_lock);
  world_stop();
  surrender();
  world_resume();
  lock_release(&heap_lock);
  central_unlock_all();
  thread_registry_unlock();
}

static void surrender_in_exit(void) {
  static void (*const parts[])(void) = {stops_or_not, leaves};
  expect_whole(parts);
}
INTERLEAVE_MODEL(surrender_in_exit, .setup = stopping_start, .run = surrender_in_exit, .preemptions = 1, .learn = 200,
                 .title = "a cache is asked for spans while its owner gives all of them up");
