#include "cache.h"

#include <errno.h>

#include "atomic.h"
#include "central.h"
#include "check.h"
#include "clear.h"
#include "collect.h"
#include "config.h"
#include "error.h"
#include "event.h"
#include "fast.h"
#include "finalize.h"
#include "heap.h"
#include "init.h"
#include "large.h"
#include "pace.h"
#include "point.h"
#include "special.h"
#include "thread.h"

/* Nothing is available here, and nothing is ever written: it stands in for an empty slot and for a missing cache. */
static struct span span_none COLLECTOR_DATA = {.active = SPAN_NO_WORD};
struct cache cache_none COLLECTOR_DATA = {.current = {[0 ... CACHE_SLOTS - 1] = &span_none}};
_Thread_local struct cache *cache_current __attribute__((tls_model("initial-exec"))) = &cache_none;

/* Release after a cache is complete, acquire in cache_all. */
static _Atomic(struct cache *) caches COLLECTOR_DATA;
static struct cache *caches_free COLLECTOR_DATA; /* registry lock */

static void busy_set(struct cache *cache, uint32_t busy) {
  signal_order();
  store_relaxed(&cache->busy, busy);
  signal_order();
}

/* ---- Caches and threads ---- */

static struct cache *cache_make(void) {
  size_t bytes = (sizeof(struct cache) + 4095) / 4096 * 4096;
  struct cache *cache = platform_reserve(bytes, 4096);
  if (!cache) return NULL;
  POINT(cache_half_made);
  for (unsigned i = 0; i < CACHE_SLOTS; i++) store_relaxed(&cache->current[i], &span_none);
  cache->next = load_relaxed(&caches);
  store_release(&caches, cache); /* release: complete; acquire in cache_all */
  return cache;
}

struct cache *cache_ensure(void) {
  if (LIKELY(cache_current != &cache_none)) return cache_current;
  if (collect_here()) { /* a helper, in a procedure: the locks are the collecting thread's */
    errno = ENOMEM;
    return NULL;
  }
  if (!init_ensure()) return NULL;
  struct thread *self = thread_ensure();
  if (!self) return NULL;
  thread_registry_lock();
  struct cache *cache = caches_free;
  if (cache)
    caches_free = cache->next_free;
  else
    cache = cache_make();
  if (cache) {
    cache->thread = self;
    cache->countdown = CONFIG(collect_every);
    self->cache = cache;
    cache_current = cache;
  }
  thread_registry_unlock();
  if (!cache) errno = ENOMEM;
  return cache;
}

struct cache *cache_all(void) {
  return load_acquire(&caches); /* acquire: cache_make's release */
}

static void give_up(struct cache *cache) {
  for (unsigned slot = 0; slot < CACHE_SLOTS; slot++) {
    struct span *span = load_relaxed(&cache->current[slot]);
    store_relaxed(&cache->current[slot], &span_none);
    if (span != &span_none) {
      cache_count(&cache->issued[slot], -(uint64_t)bitmap_count(load_relaxed(&span->avail)));
      central_give(span);
    }
    while ((span = span_list_pop(&cache->full[slot]))) central_give(span);
    while ((span = span_list_pop(&cache->usable[slot]))) central_give(span);
  }
}

void cache_thread_exit(struct thread *self) {
  struct cache *cache = self->cache;
  if (!cache) return;
  busy_set(cache, 1);
  cache_take_returned(cache);
  give_up(cache);
  POINT(cache_exit_given);
  /* What was pushed meanwhile goes to the new holders. */
  cache_take_returned(cache);
  busy_set(cache, 0);
  POINT(cache_exit_before_release);
  thread_registry_lock();
  self->cache = NULL;
  if (cache_current == cache) cache_current = &cache_none;
  cache->thread = NULL;
  cache->next_free = caches_free;
  caches_free = cache;
  thread_registry_unlock();
}

void cache_abandon(struct cache *cache) {
  cache->thread = NULL;
  store_relaxed(&cache->busy, 0);
  store_relaxed(&cache->returned, NULL);
  for (unsigned slot = 0; slot < CACHE_SLOTS; slot++) {
    cache_count(&cache->issued[slot],
                -(uint64_t)bitmap_count(load_relaxed(&load_relaxed(&cache->current[slot])->avail)));
    store_relaxed(&cache->current[slot], &span_none);
    cache->full[slot] = cache->usable[slot] = (struct span_list){0};
  }
  cache->next_free = caches_free;
  caches_free = cache;
}

void cache_reset(void) {
  size_t bytes = (sizeof(struct cache) + 4095) / 4096 * 4096;
  for (struct cache *cache = load_relaxed(&caches), *next; cache; cache = next) {
    next = cache->next;
    if (cache->thread) cache->thread->cache = NULL;
    platform_release(cache, bytes);
  }
  store_relaxed(&caches, NULL);
  caches_free = NULL;
  cache_current = &cache_none;
}

/* ---- Returned spans ---- */

static void push(_Atomic(struct span *) *list, struct span *span) {
  struct span *head = load_relaxed(list);
  do {
    span->remote_next = head;
    POINT(cache_notify_before_push);
    /* Acquire-release. Who takes the list (acquire: cache_take_returned, pass_on, central's take_returned) sees
     * remote_next; lists are only taken whole, so there is no ABA. Acquire: see announce. */
  } while (!cas_weak_acq_rel(list, &head, span));
}

static void pass_on(struct cache *cache);

/* Pushes a span to whoever holds it. SPAN_NOTIFIED is the caller's: it has set it, or found it set in a list that it
 * took. */
static void announce(struct span *span) {
  struct cache *owner = load_relaxed(&span->owner);
  if (!owner) {
    push(&central[span_class(span) % SIZECLASS_COUNT].returned, span);
    return;
  }
  push(&owner->returned, span);
  /* An owner gives its spans up before it looks at its list for the last time. If that look, an acquire-release
   * exchange, came before the push, the push has read from it, and this load sees that the span has changed hands. */
  if (UNLIKELY(load_relaxed(&span->owner) != owner)) pass_on(owner);
}

/* Announces each span in the list to who holds it now. Any thread: a list is taken whole. They stay SPAN_NOTIFIED:
 * nobody has looked for what was returned to them. */
static void pass_on(struct cache *cache) {
  /* Acquire: push's release, for remote_next. */
  for (struct span *span = exchange_acquire(&cache->returned, NULL), *next; span; span = next) {
    next = span->remote_next;
    announce(span);
  }
}

void cache_notify(struct span *span) {
  /* Acquire-release: if somebody else has set it, that one's clearing of it (also acquire-release, before it looks for
   * returned slots) reads from this and so sees what the caller returned. If not, this has read from the last clearing,
   * and push may write the remote_next that was read before it. */
  if (!(fetch_or_acq_rel(&span->life, SPAN_NOTIFIED) & SPAN_NOTIFIED)) announce(span);
}

static void make_usable(struct cache *cache, struct span *span) {
  POINT(cache_usable_before_list);
  size_t slot = span_index(span);
  span_list_remove(&cache->full[slot], span);
  store_relaxed(&span->state, SPAN_USABLE);
  span_list_push(&cache->usable[slot], span);
}

void cache_take_returned(struct cache *cache) {
  /* Acquire-release. Acquire: push's release, for remote_next. Release: see the end of announce. */
  for (struct span *span = exchange_acq_rel(&cache->returned, NULL), *next; span; span = next) {
    next = span->remote_next;
    fetch_and_acq_rel(&span->life, ~SPAN_NOTIFIED); /* acquire-release: see cache_notify */
    POINT(cache_returned_cleared);
    if (load_relaxed(&span->owner) == cache) {
      if (span_state(span) == SPAN_FULL && span_fold_all(span)) make_usable(cache, span);
      POINT(cache_returned_folded);
    } else {
      cache_notify(span); /* changed hands since it was pushed, or is no more; only its holder may look closer */
    }
  }
}

/* ---- Allocation ---- */

/* Counts where the slots become available, for a hook may have done as much by the time that the caller goes on. */
static bool refill(struct cache *cache, struct span *span) {
  if (!span_refill(span)) return false;
  size_t slot = span_index(span);
  uint64_t bit = UINT64_C(1) << slot % 64, used = load_relaxed(&cache->used[slot / 64]);
  if (UNLIKELY(!(used & bit))) store_relaxed(&cache->used[slot / 64], used | bit);
  cache_count(&cache->issued[slot], bitmap_count(load_relaxed(&span->avail)));
  return true;
}

/* The span becomes current, unless a hook of the cycle that was run for it has allocated meanwhile and so made another
 * current. */
static void adopt_fresh(struct cache *cache, struct span *span) {
  size_t slot = span_index(span);
  if (load_relaxed(&cache->current[slot]) == &span_none) {
    store_relaxed(&cache->current[slot], span);
    return;
  }
  busy_set(cache, 1);
  store_relaxed(&span->state, SPAN_USABLE);
  span_list_push(&cache->usable[slot], span);
  busy_set(cache, 0);
}

/* The next span to allocate from becomes current. False if there is no memory. */
static bool next_span(struct cache *cache, enum kind kind, unsigned class_index) {
  size_t slot = span_cache_index(kind, class_index);
  clear_stack_piece();
  busy_set(cache, 1);
  struct span *span = load_relaxed(&cache->current[slot]);
  if (span != &span_none) {
    if (refill(cache, span)) {
      busy_set(cache, 0);
      return true;
    }
    POINT(cache_refill_failed);
    /* Full before the returned spans are looked at: a slot returned from here on finds it so. */
    store_relaxed(&cache->current[slot], &span_none);
    store_relaxed(&span->state, SPAN_FULL);
    span_list_push(&cache->full[slot], span);
  }
  if (load_relaxed(&cache->returned)) cache_take_returned(cache);
  span = span_list_pop(&cache->usable[slot]);
  if (!span) span = central_take(class_index, kind, cache);
  if (span) {
    store_relaxed(&span->state, SPAN_CURRENT);
    store_relaxed(&cache->current[slot], span);
  }
  busy_set(cache, 0);
  if (span) return true;
  span = heap_make_span(class_index, kind, cache);
  if (!span) return false;
  adopt_fresh(cache, span);
  return true;
}

void cache_count_down(struct cache *cache) {
  uint32_t every = CONFIG(collect_every);
  if (LIKELY(!every)) return;
  if (cache->countdown > every) cache->countdown = every; /* as it is now */
  if (cache->countdown > 1) {
    cache->countdown--;
    return;
  }
  cache->countdown = every;
  collect_now(COLLECT_STRESS);
}

/* Once for each crowd; without a cycle the table doubles. Tables below a sixteenth of the heap are not worth one. */
static COLD void collect_crowd(void) {
  store_relaxed(&special_crowded, false);
  if (special_bytes() >= pace_marked() / 16) collect_now(COLLECT_PACE);
}

/* Fills the current span's available word, whatever it takes. */
static struct cache *cache_fill(enum kind kind, unsigned class_index) {
  struct cache *cache = cache_ensure();
  if (!cache) return NULL;
  finalize_now_and_then();
  if (UNLIKELY(load_relaxed(&special_crowded))) collect_crowd();
  platform_poll(); /* a program under ThreadSanitizer stops here, if this library is not instrumented */
  cache_count_down(cache);
  size_t slot = span_cache_index(kind, class_index);
  while (!load_relaxed(&load_relaxed(&cache->current[slot])->avail)) {
    struct span *span = load_relaxed(&cache->current[slot]);
    bool filled = false;
    if (span != &span_none) {
      if (UNLIKELY(config.check_level >= 2)) check_span(span);
      filled = refill(cache, span);
    }
    if (!filled && !next_span(cache, kind, class_index)) return NULL;
  }
  return cache;
}

/* ---- Free ---- */

COLD void cache_free_error(void *ptr, struct span *span) {
  uintptr_t address = (uintptr_t)ptr;
  uint32_t slot = span ? span_slot(span, address) : 0;
  if (!span && !arena_of(address)) {
    error_report(VGC_ERROR_FREE_FOREIGN, ptr,
                 "free of a pointer outside the heap (stack, global, unmapped or another allocator's); free only what "
                 "this library allocated");
  } else if (!span || slot >= span->slots) {
    error_report(VGC_ERROR_FREE_STALE, ptr,
                 "free of a pointer to no object: its memory was given back or never used; free each object once");
  } else if (span->base + (uintptr_t)slot * span->size != address) {
    error_report(VGC_ERROR_FREE_INTERIOR, ptr,
                 "free of a pointer into an object; free its start, as vgc_base_of tells it");
  } else {
    error_report(VGC_ERROR_DOUBLE_FREE, ptr, "double free: the object is free already; free each object once");
  }
  errno = EINVAL;
}

COLD void *cache_allocate_slow(enum kind kind, size_t size) {
  for (;;) {
    if (UNLIKELY(collect_here())) return hooks_out_of_memory(size);
    unsigned class_index = sizeclass_of(size);
    struct cache *cache = cache_fill(kind, class_index);
    if (!cache) return hooks_out_of_memory(size);
    struct span *span = load_relaxed(&cache->current[span_cache_index(kind, class_index)]);
    uint64_t available = load_relaxed(&span->avail);
    if (LIKELY(available)) return cache_issue(span, available, size);
  }
}

/* Of a span to whose objects something may be attached. False: no slot begins there. */
static bool free_special(void *ptr, struct span *span) {
  uint64_t product = span_product(span, (uintptr_t)ptr);
  if (product >> 32 >= span->slots || (uint32_t)product >= sizeclass_table[span_class(span)].starts) return false;
  enum special_freed freed = special_free(ptr, span->size);
  if (freed == SPECIAL_AGAIN) return false;
  if (freed == SPECIAL_FREE) cache_free_slot(span, product >> 32, ptr);
  return true;
}

NOINLINE void cache_free_odd(void *ptr, struct span *span) {
  bool done;
  if (span_class(span) == SPAN_CLASS_LARGE)
    done = span->base == (uintptr_t)ptr && large_free(span, ptr);
  else
    done = !load_loose(&span->starts) && free_special(ptr, span);
  if (!done) cache_free_error(ptr, span);
}

NOINLINE void cache_free_elsewhere(void *ptr) {
  struct span *span = span_of((uintptr_t)ptr);
  if (span)
    cache_free_in(span, ptr);
  else if (ptr)
    cache_free_error(ptr, NULL);
}

/* A slot of another's span is returned to it, unless it is not issued. */
static ALWAYS_INLINE void return_slot(void *ptr, struct span *span, uint32_t slot) {
  uint32_t word = slot / 64;
  uint64_t bit = UINT64_C(1) << slot % 64;
  _Atomic uint64_t *remote = &span_remote(span)[word];
  if (UNLIKELY(!(span_issued_in(span, word, remote) & bit))) {
    cache_free_error(ptr, span);
    return;
  }
  platform_poison(ptr, span->size);
  POINT(free_remote_before_return);
  /* Release: the holder that folds it in (acquire, span_fold) has this thread's uses of the object behind it. The
   * pointer is kept alive past the store (N51). */
  uint64_t before = fetch_or_release(remote, bit);
  KEEP_ALIVE(ptr);
  POINT(free_remote_returned);
  if (UNLIKELY(before & bit)) {
    cache_free_error(ptr, span);
    return;
  }
  if (!before) cache_notify(span);
}

/* Without a cache: what a thread holds that nobody knows, a cycle meanwhile would end, too. */
static NOINLINE void return_first(void *ptr, struct span *span, uint32_t slot) {
  cache_ensure();
  platform_edge_release(&span_remote(span)[slot / 64]);
  return_slot(ptr, span, slot);
}

NOINLINE void cache_free_remote(void *ptr, struct span *span, uint32_t slot) {
  if (UNLIKELY(cache_current == &cache_none || platform_sees_edges()))
    return_first(ptr, span, slot);
  else
    return_slot(ptr, span, slot);
}

NOINLINE void cache_free_into_full(void *ptr, struct span *span, struct cache *cache) {
  POINT(free_into_full);
  busy_set(cache, 1);
  make_usable(cache, span);
  busy_set(cache, 0);
  KEEP_ALIVE(ptr); /* as in cache_free_in */
}

/* ---- Surrender ---- */

static uint32_t surrender_list(struct span_list *list, void (*take)(struct span *)) {
  uint32_t count = 0;
  for (struct span *span = list->first, *next; span; span = next) {
    next = span->next;
    if (span->pinned) continue;
    span_list_remove(list, span);
    store_relaxed(&span->owner, NULL);
    take(span);
    count++;
  }
  return count;
}

uint32_t cache_surrender(struct cache *cache, void (*take)(struct span *)) {
  if (load_relaxed(&cache->busy)) return 0;
  uint32_t count = 0;
  for (unsigned slot = 0; slot < CACHE_SLOTS; slot++) {
    count += surrender_list(&cache->full[slot], take);
    count += surrender_list(&cache->usable[slot], take);
  }
  /* Its owner may be idle for long, and what is announced to it now belongs to others. */
  if (count) pass_on(cache);
  return count;
}
