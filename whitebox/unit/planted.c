#include "planted.h"

struct span *planted_span(size_t size, enum span_state state) {
  lock_acquire(&heap_lock);
  unsigned class_index = sizeclass_of(size);
  struct run run = pages_carve(sizeclass_table[class_index].pages, 1);
  struct span *span = span_create(run, class_index, KIND_SCAN, NULL, state);
  lock_release(&heap_lock);
  assert_non_null(span);
  return span;
}

struct planted planted_make(struct span *span, unsigned pattern, unsigned states) {
  struct planted planted = {.span = span};
  for (uint32_t slot = 0; slot < PLANTED_SLOTS; slot++, pattern /= states)
    planted.in[pattern % states] |= UINT64_C(1) << slot;
  store_relaxed(&span->bits[0].free, planted.in[SLOT_FREE]);
  store_relaxed(&span->avail, planted.in[SLOT_AVAILABLE]);
  store_relaxed(&span->active, planted.in[SLOT_AVAILABLE] ? 0 : SPAN_NO_WORD);
  span->avail_base = span->base;
  span->avail_at = planted.in[SLOT_AVAILABLE] ? (uint32_t)span_bits_at(0) : SPAN_NOWHERE;
  span->cursor = 0;
  store_relaxed(&span_remote(span)[0], planted.in[SLOT_RETURNED]);
  span->bits[0].mark = planted.in[SLOT_MARKED];
  return planted;
}
