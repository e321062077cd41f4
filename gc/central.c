#include "central.h"

#include "cache.h"
#include "event.h"
#include "heap.h"
#include "pace.h"
#include "point.h"
#include "sweep.h"

struct central central[SIZECLASS_COUNT] COLLECTOR_DATA;

static struct {
  struct lock lock;
} __attribute__((aligned(PLATFORM_FALSE_SHARING))) locks[CENTRAL_LOCKS] COLLECTOR_DATA;

void central_lock(unsigned class_index) { lock_acquire(&locks[class_index % CENTRAL_LOCKS].lock); }
void central_unlock(unsigned class_index) { lock_release(&locks[class_index % CENTRAL_LOCKS].lock); }

void central_initialize(void) {
  for (unsigned i = 0; i < SIZECLASS_COUNT; i++) {
    struct central *class = &central[i];
    for (unsigned kind = 0; kind < KIND_COUNT; kind++)
      class->partial[kind] = class->exhausted[kind] = class->unswept[kind] = (struct span_list){0};
    class->swept_objects = 0;
    store_relaxed(&class->returned, NULL);
  }
  for (unsigned i = 0; i < CENTRAL_LOCKS; i++) lock_init(&locks[i].lock, LOCK_CENTRAL, i);
}

static void file(struct central *class, struct span *span, enum span_state state) {
  struct span_list *list = state == SPAN_PARTIAL ? class->partial : class->exhausted;
  store_relaxed(&span->state, (uint16_t)state);
  span_list_push(&list[span->kind], span);
}

/* Spans that were exhausted and have a returned slot since become partial; those that changed hands are passed on. A
 * span that is no more is dropped: had a slot of the descriptor's next life been returned before SPAN_NOTIFIED was
 * cleared, the clearing would have read that from cache_notify, and this would be the next life. One that lives on and
 * is of this class stays what it is while its lock is held. */
static void take_returned(struct central *class) {
  if (LIKELY(!load_relaxed(&class->returned))) return;
  /* Acquire: cache.c's push releases the list with each span's remote_next. */
  for (struct span *span = exchange_acquire(&class->returned, NULL), *next; span; span = next) {
    next = span->remote_next;
    /* Acquire-release: see cache_notify; acquire also of span_create's release: state, owner and class are no older. */
    uint32_t life = fetch_and_acq_rel(&span->life, ~SPAN_NOTIFIED);
    bool exhausted = span_state(span) == SPAN_EXHAUSTED;
    POINT(central_returned_looking);
    bool ours = !load_relaxed(&span->owner) && span_class(span) == class - central;
    if (!span_lives_on(span, life) || span_class(span) == SPAN_CLASS_LARGE) continue;
    if (!ours) {
      cache_notify(span);
    } else if (exhausted && span_fold_all(span)) {
      span_list_remove(&class->exhausted[span->kind], span);
      file(class, span, SPAN_PARTIAL);
    }
  }
}

static void destroy(struct span *span) {
  lock_acquire(&heap_lock);
  span_destroy(span);
  lock_release(&heap_lock);
}

static struct span *hand_out(struct span *span, struct cache *cache) {
  store_relaxed(&span->owner, cache);
  store_relaxed(&span->state, SPAN_CURRENT);
  event_record(EVENT_SPAN_TAKEN, (uintptr_t)span, span_class(span));
  pace_count_issued((size_t)span_free_count(span) * span->size);
  return span;
}

struct span *central_take(unsigned class_index, enum kind kind, struct cache *cache) {
  struct central *class = &central[class_index];
  central_lock(class_index);
  take_returned(class);
  struct span *span = span_list_pop(&class->partial[kind]);
  while (!span && (span = span_list_pop(&class->unswept[kind]))) {
    class->swept_objects += sweep_span(span);
    if (span_free_count(span)) break;
    file(class, span, SPAN_EXHAUSTED);
    span = NULL;
  }
  if (span) hand_out(span, cache);
  POINT(central_take_before_unlock);
  central_unlock(class_index);
  return span;
}

void central_give(struct span *span) {
  unsigned class_index = span_class(span); /* the span may be gone by the end */
  struct central *class = &central[class_index];
  central_lock(class_index);
  span_park(span);
  bool room = span_fold_all(span);
  if (span_free_count(span) == span->slots) {
    store_relaxed(&span->owner, NULL);
    destroy(span);
  } else {
    /* A slot returned before the span is disowned is folded above or notified to the old owner, who passes it on; one
     * returned after it is notified to central, which looks under this lock. */
    file(class, span, room ? SPAN_PARTIAL : SPAN_EXHAUSTED);
    POINT(central_give_before_disown);
    store_relaxed(&span->owner, NULL);
  }
  central_unlock(class_index);
}

/* Sweeps unswept spans of one class until `pages` pages came free. Returns the pages. */
static size_t sweep_class(unsigned class_index, size_t pages) {
  struct central *class = &central[class_index];
  size_t freed = 0;
  central_lock(class_index);
  take_returned(class);
  for (unsigned kind = 0; kind < KIND_COUNT; kind++)
    for (struct span *span; freed < pages && (span = span_list_pop(&class->unswept[kind]));) {
      class->swept_objects += sweep_span(span);
      uint32_t free = span_free_count(span);
      if (free == span->slots) {
        freed += span->pages;
        destroy(span);
      } else {
        file(class, span, free ? SPAN_PARTIAL : SPAN_EXHAUSTED);
      }
    }
  central_unlock(class_index);
  return freed;
}

void central_finish_sweep(void) {
  for (unsigned i = 0; i < SIZECLASS_COUNT; i++) sweep_class(i, SIZE_MAX);
}

size_t central_sweep_some(size_t pages) {
  size_t freed = 0;
  for (unsigned i = 0; i < SIZECLASS_COUNT && freed < pages; i++) freed += sweep_class(i, pages - freed);
  return freed;
}

void central_add_unswept(struct span *span) {
  store_relaxed(&span->state, SPAN_UNSWEPT);
  span_list_push(&central[span_class(span)].unswept[span->kind], span);
}

static void flip_list(struct span_list *to, struct span_list *from) {
  for (struct span *span = from->first; span; span = span->next) store_relaxed(&span->state, SPAN_UNSWEPT);
  span_list_splice(to, from);
}

void central_flip(void) {
  for (unsigned i = 0; i < SIZECLASS_COUNT; i++)
    for (unsigned kind = 0; kind < KIND_COUNT; kind++) {
      flip_list(&central[i].unswept[kind], &central[i].partial[kind]);
      flip_list(&central[i].unswept[kind], &central[i].exhausted[kind]);
    }
}

void central_lock_all(void) {
  for (unsigned i = 0; i < CENTRAL_LOCKS; i++) lock_acquire(&locks[i].lock);
}

void central_unlock_all(void) {
  for (unsigned i = CENTRAL_LOCKS; i-- > 0;) lock_release(&locks[i].lock);
}

void central_file(struct span *span) {
  file(&central[span_class(span)], span, span_free_count(span) ? SPAN_PARTIAL : SPAN_EXHAUSTED);
}

void central_forget_returned(void) {
  for (unsigned i = 0; i < SIZECLASS_COUNT; i++) store_relaxed(&central[i].returned, NULL);
}
