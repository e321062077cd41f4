#include "heap.h"

#include <errno.h>

#include "arena.h"
#include "central.h"
#include "collect.h"
#include "config.h"
#include "error.h"
#include "finalize.h"
#include "large.h"
#include "pace.h"
#include "pages.h"
#include "point.h"

struct lock heap_lock COLLECTOR_DATA = LOCK_INITIALIZER(LOCK_PAGES, 0);

struct request {
  size_t pages, align;
  unsigned class_index;
  enum kind kind;
  struct cache *owner;
  void (*made)(struct span *, void *);
  void *arg;
};

/* One attempt under the lock: from free runs, then from fresh address space. The hard limit is for all threads
 * together, so it is asked here. */
static struct span *attempt(const struct request *request) {
  struct span *span = NULL;
  struct run run = {0};
  POINT(heap_before_attempt);
  lock_acquire(&heap_lock);
  if (pace_within_hard_limit(request->pages * config.page_bytes)) {
    run = pages_take(request->pages, request->align);
    if (!run.arena) run = pages_carve(request->pages, request->align);
  }
  if (run.arena) {
    enum span_state state = request->class_index == SPAN_CLASS_LARGE ? SPAN_LARGE : SPAN_CURRENT;
    span = span_create(run, request->class_index, request->kind, request->owner, state);
    if (!span) pages_give(run);
  }
  if (span && request->made) request->made(span, request->arg);
  lock_release(&heap_lock);
  return span;
}

static bool may_grow(const struct request *request) { return pace_may_take(request->pages * config.page_bytes); }

/* False if there is no collection now. */
static bool collect_for_memory(void) {
  bool collected = collect_now(COLLECT_MEMORY);
  finalize_now_and_then();
  large_finish_sweep();
  central_finish_sweep();
  return collected;
}

/* The order: free runs within the goal; sweep for more; collect, if enough was allocated since the last time to make it
 * pay; grow. The hard limit collects whatever it costs before it refuses. */
static struct span *make(const struct request *request) {
  struct span *span = NULL;
  if (may_grow(request) && (span = attempt(request))) return span;
  large_finish_sweep();
  central_sweep_some(request->pages);
  if (may_grow(request) && (span = attempt(request))) return span;
  if (pace_should_collect(request->pages * config.page_bytes)) collect_now(COLLECT_PACE);
  bool more = true;
  for (unsigned tries = 0; !(span = attempt(request)) && more && tries < CONFIG(memory_retries); tries++)
    more = collect_for_memory();
  if (!span) errno = ENOMEM;
  return span;
}

struct span *heap_make_span(unsigned class_index, enum kind kind, struct cache *cache) {
  struct request request = {.pages = sizeclass_table[class_index].pages,
                            .align = 1,
                            .class_index = class_index,
                            .kind = kind,
                            .owner = cache};
  struct span *span = make(&request);
  if (span) pace_count_issued((size_t)span->slots * span->size);
  return span;
}

struct span *heap_make_large(size_t pages, size_t align, enum kind kind, void (*made)(struct span *, void *),
                             void *arg) {
  struct request request = {
      .pages = pages, .align = align, .class_index = SPAN_CLASS_LARGE, .kind = kind, .made = made, .arg = arg};
  struct span *span = make(&request);
  if (span) pace_count_issued(pages * config.page_bytes);
  return span;
}
