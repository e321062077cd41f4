#include "sweep.h"

#include "point.h"

/* Poisons the slots of a word's dead objects, so that a use after reclaim shows at its first touch. */
static void poison(const struct span *span, uint32_t word, uint64_t dead) {
  for (; dead; dead &= dead - 1) {
    uintptr_t slot = word * 64 + bitmap_first(dead);
    platform_poison((void *)(span->base + slot * span->size), span->size);
  }
}

uint32_t sweep_span(struct span *span) {
  uint32_t count = 0;
  for (uint32_t w = 0; w < span->words; w++) {
    span_fold(span, w);
    uint64_t free = load_relaxed(&span->bits[w].free);
    uint64_t dead = bitmap_valid(span->slots, w) & ~free & ~span->bits[w].mark;
    span->bits[w].mark = 0;
    store_relaxed(&span->bits[w].free, free | dead);
    poison(span, w, dead);
    count += bitmap_count(dead);
  }
  return count;
}

uint32_t sweep_owned_span(struct span *span) {
  uint32_t count = 0;
  uint32_t active = load_relaxed(&span->active) & SPAN_NO_WORD;
  for (uint32_t w = 0; w < span->words; w++) {
    _Atomic uint64_t *remote = &span_remote(span)[w];
    uint64_t free = load_relaxed(&span->bits[w].free);
    if (w == active) free |= load_relaxed(&span->avail);
    uint64_t dead = bitmap_valid(span->slots, w) & ~free & ~span->bits[w].mark & ~load_relaxed(remote);
    span->bits[w].mark = 0;
    if (!dead) continue;
    poison(span, w, dead);
    /* Release, as in a remote free; acquire in the owner's span_fold. */
    fetch_or_release(remote, dead);
    count += bitmap_count(dead);
  }
  return count;
}
