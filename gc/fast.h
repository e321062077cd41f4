/* The two fast paths. In the steady state neither takes a lock, writes a line that another thread writes, or does an
 * atomic read-modify-write. A thread may be suspended between any two instructions of them. */
#ifndef VGC_FAST_H
#define VGC_FAST_H

#include "cache.h"
#include "point.h"

/* Zeroes a slot, a multiple of 16 bytes or 8 bytes. */
static ALWAYS_INLINE void zero(void *ptr, size_t size) {
  typedef long long pair __attribute__((vector_size(16), aligned(8), may_alias));
  char *at = ptr, *last = at + size - sizeof(pair);
  if (LIKELY(size - sizeof(pair) <= sizeof(pair))) {
    *(pair *)(void *)at = *(pair *)(void *)last = (pair){0, 0};
    return;
  }
  if (UNLIKELY(size > 256)) {
    __builtin_memset(ptr, 0, size);
    return;
  }
  if (UNLIKELY(size < sizeof(pair))) {
    *(uint64_t *)ptr = 0;
    return;
  }
  /* By offset: a pointer past the end would keep the next slot's object alive. */
  for (size_t i = 0; i < size - sizeof(pair); i += 2 * sizeof(pair)) {
    OPAQUE(i); /* a loop, not a call of memset */
    ((pair *)(void *)(at + i))[0] = (pair){0, 0};
    ((pair *)(void *)(at + i))[1] = (pair){0, 0};
  }
  *(pair *)(void *)last = (pair){0, 0};
}

/* Issues the first of the span's available slots, zeroed unless noscan. */
static ALWAYS_INLINE void *cache_issue(struct span *span, uint64_t available, enum kind kind, size_t size) {
  void *ptr = (void *)(span->avail_base + (uintptr_t)bitmap_first(available) * span->size);
  /* Address first, commit second: a thread that is suspended between the two holds it where its scan finds it, and
   * until the commit the slot is available, which the collector leaves alone (N01). */
  OPAQUE(ptr);
  POINT(allocate_before_commit);
  /* Relaxed: orders nothing; continues the release sequence that span_refill began. */
  store_relaxed(&span->avail, available & (available - 1));
  POINT(allocate_after_commit);
  platform_unpoison(ptr, span->size);
  if (kind != KIND_NOSCAN) zero(ptr, span->size);
  platform_poison((char *)ptr + size, span->size - size);
  return ptr;
}

/* One slot of the kind, zeroed unless noscan. size <= SIZECLASS_SMALL_MAX. */
static ALWAYS_INLINE void *cache_allocate(enum kind kind, size_t size) {
  struct span *span = load_relaxed(&cache_current->current[span_cache_index(kind, sizeclass_of(size))]);
  uint64_t available = load_relaxed(&span->avail);
  if (UNLIKELY(!available)) return cache_allocate_slow(kind, size);
  return cache_issue(span, available, kind, size);
}

/* Frees what lies in the span. */
static ALWAYS_INLINE void cache_free_in(struct span *span, void *ptr) {
  uintptr_t address = (uintptr_t)ptr;
  uint64_t product = span_product(span, address);
  uint32_t slot = (uint32_t)(product >> 32);
  if (UNLIKELY(!span_product_is_whole(span, product) || slot >= span->slots)) {
    cache_free_odd(span, ptr);
    return;
  }
  struct cache *cache = cache_current;
  POINT(free_before_owner_test);
  if (UNLIKELY(load_relaxed(&span->owner) != cache)) {
    cache_free_remote(span, slot, ptr);
    return;
  }
  uint32_t word = slot / 64;
  uint64_t bit = UINT64_C(1) << slot % 64;
  uint64_t free = load_relaxed(&span->bits[word].free);
  if (UNLIKELY(free & bit) ||
      ((load_relaxed(&span->active) & SPAN_NO_WORD) == word && UNLIKELY(load_relaxed(&span->avail) & bit))) {
    cache_free_error(ptr, span);
    return;
  }
  platform_poison(ptr, span->size);
  POINT(free_before_commit);
  store_relaxed(&span->bits[word].free, free | bit);
  POINT(free_after_commit);
  cache_count(&cache->freed[span->cache_index], 1);
  if (UNLIKELY(!free) && span_state(span) == SPAN_FULL) {
    cache_free_into_full(cache, span, ptr);
    return;
  }
  /* Past the last use of the span as its owner: what the thread's stack or registers point into stays live, and its
   * span stays owned (N51, cache_surrender). */
  KEEP_ALIVE(ptr);
}

/* vgc_free. What is rare ends in a call, so that nothing need be kept over one. */
static ALWAYS_INLINE void cache_free(void *ptr) {
  struct span *span = arena_span_first((uintptr_t)ptr);
  if (UNLIKELY(!span)) {
    cache_free_elsewhere(ptr);
    return;
  }
  cache_free_in(span, ptr);
}

#endif
