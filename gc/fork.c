#include "fork.h"

#include <pthread.h>
#include <stdbool.h>

#include "cache.h"
#include "central.h"
#include "collect.h"
#include "heap.h"
#include "init.h"
#include "large.h"
#include "lock.h"
#include "platform.h"
#include "point.h"
#include "roots.h"
#include "span.h"
#include "thread.h"

/* All locks in order of rank, so that no structure is halfway in the child's copy, and no cycle runs. The child's
 * thread is the one that took them, and releases them. */
static void prepare(void) {
  POINT(fork_prepare);
  init_lock_acquire();
  collect_lock_acquire();
  thread_registry_lock();
  roots_lock();
  central_lock_all();
  lock_acquire(&heap_lock);
  POINT(fork_prepared);
}

static void release(void) {
  lock_release(&heap_lock);
  central_unlock_all();
  roots_unlock();
  thread_registry_unlock();
  collect_lock_release();
  init_lock_release();
}

/* A thread that is no more may have been anywhere in its fast path or its slow path; what it owned reads right all the
 * same, slot by slot (span.h). Only what it was about to free stays, for the next cycle to find. */
static void adopt(struct span *span, void *arg) {
  const struct cache *mine = arg;
  const struct cache *owner = load_relaxed(&span->owner);
  if (owner && owner != mine) {
    span_park(span);
    store_relaxed(&span->owner, NULL);
    central_file(span);
  }
  if (span_anything_returned(span)) cache_notify(span);
}

/* ---- Counters ---- */

/* What is in use as the spans tell. */
struct in_use {
  uint64_t slots[SIZECLASS_COUNT], large, large_bytes;
};

static void count_span(struct span *span, void *arg) {
  struct in_use *in_use = arg;
  if (span_class(span) == SPAN_CLASS_LARGE) {
    in_use->large++;
    in_use->large_bytes += span_slot_bytes(span);
    return;
  }
  for (uint32_t w = 0; w < span->words; w++) in_use->slots[span_class(span)] += bitmap_count(span_issued(span, w));
}

/* The same as the counters tell. */
static void count_counted(struct in_use *counted) {
  for (unsigned i = 0; i < SIZECLASS_COUNT; i++) counted->slots[i] = span_ended_twice(i) - central[i].swept_objects;
  counted->large = 0 - large_swept_objects();
  counted->large_bytes = 0 - large_swept_bytes();
  for (struct cache *cache = cache_all(); cache; cache = cache->next) {
    for (unsigned slot = 0; slot < CACHE_SLOTS; slot++)
      counted->slots[slot % SIZECLASS_COUNT] += load_relaxed(&cache->issued[slot]) - load_relaxed(&cache->freed[slot]) -
                                                bitmap_count(load_relaxed(&load_relaxed(&cache->current[slot])->avail));
    counted->large += load_relaxed(&cache->issued_large) - load_relaxed(&cache->freed_large);
    counted->large_bytes += load_relaxed(&cache->issued_large_bytes) - load_relaxed(&cache->freed_large_bytes);
  }
}

static void balance(_Atomic uint64_t *issued, _Atomic uint64_t *freed, uint64_t used, uint64_t counted) {
  if ((int64_t)(used - counted) > 0)
    cache_count(issued, used - counted);
  else
    cache_count(freed, counted - used);
}

/* A thread that is no more may have stood between a step and its count. The spans are right; any cache takes the rest,
 * for there is no other thread. */
static void settle(void) {
  struct cache *any = cache_all();
  if (!any) return;
  struct in_use used = {0}, counted;
  span_each(count_span, &used);
  count_counted(&counted);
  for (unsigned i = 0; i < SIZECLASS_COUNT; i++)
    balance(&any->issued[i], &any->freed[i], used.slots[i], counted.slots[i]);
  balance(&any->issued_large, &any->freed_large, used.large, counted.large);
  balance(&any->issued_large_bytes, &any->freed_large_bytes, used.large_bytes, counted.large_bytes);
}

static void in_child(void) {
  thread_registry_after_fork(cache_abandon);
  struct thread *self = thread_self();
  struct cache *mine = self ? self->cache : NULL;
  /* Every list of returned spans is forgotten, and what others were about to put into one. */
  central_forget_returned();
  for (struct cache *cache = cache_all(); cache; cache = cache->next) store_relaxed(&cache->returned, NULL);
  span_forget_notices();
  span_each(adopt, mine);
  settle();
  release();
}

/* Before main already: handlers before a fork run last first, so the program's own, which may use the heap, find it
 * unlocked. */
__attribute__((constructor(101))) void fork_install(void) {
  static bool installed COLLECTOR_DATA;
  if (installed) return;
  installed = !pthread_atfork(prepare, release, in_child);
}
