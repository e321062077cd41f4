#include "check.h"

#include "arena.h"
#include "cache.h"
#include "check_mark.h"
#include "config.h"
#include "error.h"
#include "span.h"

void check_span(const struct span *span) {
  bool large = span_class(span) == SPAN_CLASS_LARGE;
  CHECK(span->kind < KIND_COUNT);
  CHECK(large || span_class(span) < SIZECLASS_COUNT);
  CHECK(large || span->size == sizeclass_table[span_class(span)].size);
  CHECK(large || span->slots == sizeclass_table[span_class(span)].slots);
  CHECK(span_of(span->base) == span);
  uint32_t active = load_relaxed(&span->active) & SPAN_NO_WORD;
  CHECK(active == SPAN_NO_WORD || active < span->words);
  uint64_t available = load_relaxed(&span->avail);
  CHECK(!available || active != SPAN_NO_WORD);
  CHECK(!available || span->avail_base == span->base + (uintptr_t)active * 64 * span->size);
  CHECK(!available || !(available & ~bitmap_valid(span->slots, active)));
  for (uint32_t w = 0; w < span->words; w++)
    CHECK(!(load_relaxed(&span->bits[w].free) & ~bitmap_valid(span->slots, w)));
}

static void check_state(const struct span *span) {
  const struct cache *owner = load_relaxed(&span->owner);
  switch (span_state(span)) {
  case SPAN_CURRENT:
  case SPAN_FULL:
  case SPAN_USABLE:
    CHECK(owner);
    break;
  case SPAN_PARTIAL:
  case SPAN_EXHAUSTED:
  case SPAN_UNSWEPT:
  case SPAN_LARGE:
    CHECK(!owner);
    break;
  default:
    check_failed("a span in the page map has a state", __FILE__, __LINE__);
  }
}

static void check_one(struct span *span, void *arg) {
  (void)arg;
  check_span(span);
  check_state(span);
  for (uint32_t page = 0; page < span->pages; page++) CHECK(span_of(span->base + page * config.page_bytes) == span);
  for (uint32_t w = 0; w < span->words; w++) CHECK(!(span->bits[w].mark & load_relaxed(&span->bits[w].free)));
}

void check_heap(void) {
  span_each(check_one, NULL);
  check_mark_compare();
}
