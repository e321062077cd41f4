#include "large.h"

#include "cache.h"
#include "collect.h"
#include "config.h"
#include "heap.h"
#include "point.h"
#include "special.h"

/* Pages lock. */
static struct span_list swept COLLECTOR_DATA, unswept COLLECTOR_DATA;
static uint64_t swept_objects COLLECTOR_DATA, swept_bytes COLLECTOR_DATA;

/* A typed object bears no id of an object before it while it is zeroed, after the commit. */
static void forget_id(const struct span *span) {
  uintptr_t word = span->base + span_slot_bytes(span) - sizeof(uintptr_t);
  platform_unpoison((void *)word, sizeof(uintptr_t));
  *(uintptr_t *)word = 0;
}

/* The address first, the commit second, as for small objects (N01); the pages lock keeps the sweeper away meanwhile. */
static void issue(struct span *span, void *held) {
  if (span->kind == KIND_TYPED && !span->zeroed) forget_id(span);
  *(void *volatile *)held = (void *)span->base;
  store_relaxed(&span->bits[0].free, 0);
  span_list_push(&swept, span);
}

void *large_allocate(enum kind kind, size_t size, size_t alignment) {
  return large_allocate_as(kind, !kind_is_noscan(kind), size, alignment);
}

void *large_allocate_as(enum kind kind, bool zeroed, size_t size, size_t alignment) {
  struct cache *cache = cache_ensure();
  if (!cache || collect_here()) return NULL;
  cache_count_down(cache);
  size_t pages = size / config.page_bytes + (size % config.page_bytes != 0);
  if (pages > UINT32_MAX) return NULL;
  size_t align = alignment > config.page_bytes ? alignment / config.page_bytes : 1;
  /* In this frame from before the commit: between the pages lock's release and the return nothing else would hold the
   * address, and a stop there would reclaim the object (X21). */
  void *volatile held = NULL;
  struct span *span = heap_make_large(pages, align, kind, issue, (void *)(uintptr_t)&held);
  if (!span) return NULL;
  POINT(large_after_issue);
  char *ptr = held;
  OPAQUE(ptr);
  POINT(large_after_commit);
  size_t bytes = pages * config.page_bytes;
  platform_unpoison(ptr, bytes);
  if (zeroed && !span->zeroed) __builtin_memset(ptr, 0, bytes);
  platform_poison(ptr + size, bytes - size);
  cache_count(&cache->issued_large, 1);
  cache_count(&cache->issued_large_bytes, bytes);
  KEEP_ALIVE(ptr);
  return ptr;
}

bool large_free(struct span *span, void *ptr) {
  cache_ensure(); /* as in return_first */
  enum special_freed freed = special_free(ptr, load_loose(&span->pages) * (size_t)config.page_bytes);
  if (freed != SPECIAL_FREE) return freed == SPECIAL_LEFT;
  lock_acquire(&heap_lock);
  bool live =
      span_of((uintptr_t)ptr) == span && span_class(span) == SPAN_CLASS_LARGE && !load_relaxed(&span->bits[0].free);
  if (live) {
    span_list_remove(span_state(span) == SPAN_UNSWEPT ? &unswept : &swept, span);
    span_destroy(span);
  }
  lock_release(&heap_lock);
  KEEP_ALIVE(ptr);
  return live;
}

void large_finish_sweep(void) {
  lock_acquire(&heap_lock);
  for (struct span *span; (span = span_list_pop(&unswept));) {
    if (span->bits[0].mark) {
      span->bits[0].mark = 0;
      store_relaxed(&span->state, SPAN_LARGE);
      span_list_push(&swept, span);
      continue;
    }
    swept_objects++;
    swept_bytes += (size_t)span->pages * config.page_bytes;
    span_destroy(span);
  }
  lock_release(&heap_lock);
}

void large_flip(void) {
  for (struct span *span = swept.first; span; span = span->next) store_relaxed(&span->state, SPAN_UNSWEPT);
  span_list_splice(&unswept, &swept);
}

uint64_t large_swept_objects(void) { return swept_objects; }
uint64_t large_swept_bytes(void) { return swept_bytes; }

void large_reset(void) {
  swept = unswept = (struct span_list){0};
  swept_objects = swept_bytes = 0;
}
