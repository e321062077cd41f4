/* The two fast paths. In the steady state neither takes a lock, writes a line that another thread writes, or does an
 * atomic read-modify-write. A thread may be suspended between any two instructions of them. */
#ifndef VGC_FAST_H
#define VGC_FAST_H

#include "cache.h"
#include "point.h"

/* Issues the first of the span's available slots. */
static ALWAYS_INLINE void *cache_issue(struct span *span, uint64_t available, size_t size) {
  uint32_t offset = bitmap_first(available) * span->size;
  void *ptr = (void *)(span->avail_base + offset);
  /* Address first, commit second: a thread that is suspended between the two holds it where its scan finds it, and
   * until the commit the slot is available, which the collector leaves alone (N01). */
  OPAQUE(ptr);
  POINT(allocate_before_commit);
  /* Relaxed: orders nothing; continues the release sequence that span_refill began. */
  store_relaxed(&span->avail, available & (available - 1));
  POINT(allocate_after_commit);
  platform_unpoison(ptr, size);
  return ptr;
}

/* One slot of the kind and class, zeroed unless noscan. */
static ALWAYS_INLINE void *cache_allocate(enum kind kind, unsigned class_index, size_t size) {
  struct span *span = load_relaxed(&cache_current->current[span_cache_index(kind, 0)] + class_index);
  uint64_t available = load_relaxed(&span->avail);
  if (UNLIKELY(!available)) return cache_allocate_slow(kind, size);
  return cache_issue(span, available, size);
}

/* Frees the slot that begins at ptr. */
static ALWAYS_INLINE void cache_free_slot(struct span *span, uintptr_t slot, void *ptr) {
  struct cache *cache = cache_current;
  POINT(free_before_owner_test);
  if (UNLIKELY(load_relaxed(&span->owner) != cache)) {
    cache_free_remote(ptr, span, (uint32_t)slot);
    return;
  }
  uintptr_t at = span_bits_at(slot);
  uint64_t bit = UINT64_C(1) << slot % 64;
  _Atomic uint64_t *place = &span_bits_there(span, at)->free;
  uint64_t free = load_relaxed(place);
  uint64_t available = load_relaxed(&span->avail);
  if ((uint32_t)at != span->avail_at) available = 0;
  OPAQUE(available); /* a move under a condition: a branch would be mispredicted too often */
  if (UNLIKELY((free | available) & bit)) {
    cache_free_error(ptr, span);
    return;
  }
  platform_poison(ptr, span->size);
  POINT(free_before_commit);
  store_relaxed(place, free | bit);
  POINT(free_after_commit);
  if (UNLIKELY(span_state(span) == SPAN_FULL)) {
    cache_free_into_full(ptr, span, cache);
    return;
  }
  /* Past the last use of the span as its owner: what the thread's stack or registers point into stays live, and its
   * span stays owned (N51, cache_surrender). */
  KEEP_ALIVE(ptr);
}

/* Frees what lies in the span. */
static ALWAYS_INLINE void cache_free_in(struct span *span, void *ptr) {
  uint64_t product = span_product(span, (uintptr_t)ptr);
  if (UNLIKELY(!span_product_is_start(span, product)))
    cache_free_odd(ptr, span);
  else
    cache_free_slot(span, product >> 32, ptr);
}

/* vgc_free. What is rare ends in a call, so that nothing need be kept over one. */
static ALWAYS_INLINE void cache_free(void *ptr) {
  uintptr_t offset;
  if (UNLIKELY(!arena_first_holds((uintptr_t)ptr, &offset))) {
    cache_free_elsewhere(ptr);
    return;
  }
  cache_free_in(arena_descriptor_at(&arenas[0], offset), ptr);
}

#endif
