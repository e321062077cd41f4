#include "pages.h"

#include "arena.h"
#include "config.h"

/* Exact bins below 64 pages, then four to a doubling up to 2^32 pages. */
#define EXACT_BINS 64u
#define BINS       (EXACT_BINS + 4 * 26)

/* Pages lock, all of it. A list link names an arena by its index in the upper half. */
static struct {
  uint64_t heads[ARENA_MAX][BINS]; /* page + 1 of the first run, 0 none */
  _Atomic size_t taken, free;      /* pages; written under the lock, read by the pace without (relaxed) */
  size_t peak, high;               /* pages; high: most taken since it was last asked for */
} state COLLECTOR_DATA;

static unsigned bin_of(size_t pages) {
  if (pages < EXACT_BINS) return (unsigned)pages;
  unsigned log = 63 - (unsigned)__builtin_clzll(pages);
  return EXACT_BINS + (log - 6) * 4 + (unsigned)((pages >> (log - 2)) & 3);
}

static unsigned index_of(const struct arena *arena) { return (unsigned)(arena - arenas); }

/* By a writer with the lock; anyone reads. `pages` may be negative. */
static void count_free(size_t pages) { store_relaxed(&state.free, load_relaxed(&state.free) + pages); }

static void bin_insert(struct arena *arena, size_t page, size_t length, size_t dirty) {
  struct run_tag *first = &arena->tags[page], *last = &arena->tags[page + length - 1];
  uint64_t *head = &state.heads[index_of(arena)][bin_of(length)];
  last->length = length & PAGES_MAX;
  last->state = RUN_FREE;
  if (dirty > length) dirty = length;
  *first = (struct run_tag){
      .length = length & PAGES_MAX, .state = RUN_FREE, .dirty = dirty & PAGES_MAX, .next = (uint32_t)*head};
  if (*head) arena->tags[*head - 1].previous = (uint32_t)page + 1;
  *head = page + 1;
  count_free(dirty);
}

static void bin_remove(struct arena *arena, size_t page) {
  struct run_tag *first = &arena->tags[page];
  count_free(-(size_t)first->dirty);
  if (first->next) arena->tags[first->next - 1].previous = first->previous;
  if (first->previous)
    arena->tags[first->previous - 1].next = first->next;
  else
    state.heads[index_of(arena)][bin_of(first->length)] = first->next;
  arena->tags[page + first->length - 1].state = RUN_NONE;
  first->state = RUN_NONE;
}

/* Pages to skip at the run's start so that it begins aligned as an address. */
static size_t skip_for(const struct arena *arena, size_t page, size_t align) {
  size_t number = (load_relaxed(&arena->base) >> arena->page_shift) + page;
  return (align - number % align) % align;
}

static void count_taken(size_t pages) {
  size_t taken = load_relaxed(&state.taken) + pages;
  store_relaxed(&state.taken, taken);
  if (taken > state.peak) state.peak = taken;
  if (taken > state.high) state.high = taken;
}

static void discard(struct arena *arena, size_t page, size_t pages) {
  platform_discard((void *)(load_relaxed(&arena->base) + (page << arena->page_shift)), pages << arena->page_shift);
}

static bool can_discard(void) { return config.page_bytes >= 4096; /* else the system's pages are larger than ours */ }

/* Takes pages [page + skip, + pages) out of the free run at `page`; the rest goes back to the bins, each part as dirty
 * as it can be. Of a run with few dirty pages they are given back, or all of it would have to be cleared. */
static struct run split(struct arena *arena, size_t page, size_t skip, size_t pages) {
  size_t length = arena->tags[page].length, dirty = arena->tags[page].dirty;
  bin_remove(arena, page);
  if (skip) bin_insert(arena, page, skip, dirty);
  if (length > skip + pages) bin_insert(arena, page + skip + pages, length - skip - pages, dirty);
  count_taken(pages);
  if (dirty && dirty < pages / 8 && can_discard()) {
    discard(arena, page + skip, pages);
    dirty = 0;
  }
  return (struct run){arena, page + skip, pages, !dirty};
}

struct run pages_take(size_t pages, size_t align) {
  for (uint32_t i = 0, count = load_relaxed(&arenas_count); i < count; i++)
    for (unsigned bin = bin_of(pages); bin < BINS; bin++) {
      size_t best = 0;
      for (uint64_t link = state.heads[i][bin]; link; link = arenas[i].tags[link - 1].next) {
        size_t page = link - 1;
        if (arenas[i].tags[page].length < skip_for(&arenas[i], page, align) + pages) continue;
        if (!best || arenas[i].tags[page].length < arenas[i].tags[best - 1].length) best = link;
        if (bin < EXACT_BINS) break;
      }
      if (best) return split(&arenas[i], best - 1, skip_for(&arenas[i], best - 1, align), pages);
    }
  return (struct run){0};
}

/* Joins the run with free neighbours. */
static void free_run(struct arena *arena, size_t page, size_t pages, size_t dirty) {
  if (page && arena->tags[page - 1].state == RUN_FREE) {
    size_t length = arena->tags[page - 1].length;
    page -= length;
    pages += length;
    dirty += arena->tags[page].dirty;
    bin_remove(arena, page);
  }
  size_t after = page + pages;
  if (after < arena->used_pages && arena->tags[after].state == RUN_FREE) {
    pages += arena->tags[after].length;
    dirty += arena->tags[after].dirty;
    bin_remove(arena, after);
  }
  bin_insert(arena, page, pages, dirty);
}

static struct run carve_from(struct arena *arena, size_t pages, size_t align) {
  size_t skip = skip_for(arena, arena->used_pages, align);
  size_t limit = load_relaxed(&arena->bytes) >> arena->page_shift;
  if (skip + pages < pages || skip + pages > limit - arena->used_pages) return (struct run){0};
  size_t page = arena->used_pages + skip;
  arena_use(arena, page + pages);
  count_taken(pages);
  if (skip) free_run(arena, page - skip, skip, 0);
  return (struct run){arena, page, pages, true};
}

struct run pages_carve(size_t pages, size_t align) {
  uint32_t count = load_relaxed(&arenas_count);
  for (uint32_t i = 0; i < count; i++) {
    struct run run = carve_from(&arenas[i], pages, align);
    if (run.arena) return run;
  }
  if (pages > PAGES_MAX || align > PAGES_MAX - pages) return (struct run){0};
  size_t wish = count ? load_relaxed(&arenas[count - 1].bytes) * 2 : config.arena_bytes;
  if (wish > PAGES_MAX * config.page_bytes) wish = PAGES_MAX * config.page_bytes;
  struct arena *arena = arena_add(wish, (pages + align) * config.page_bytes);
  return arena ? carve_from(arena, pages, align) : (struct run){0};
}

void pages_give(struct run run) {
  store_relaxed(&state.taken, load_relaxed(&state.taken) - run.pages);
  free_run(run.arena, run.page, run.pages, run.zero ? 0 : run.pages);
}

size_t pages_trim(bool all, size_t keep) {
  if (!can_discard()) return 0;
  size_t before = load_relaxed(&state.free);
  for (uint32_t i = load_relaxed(&arenas_count); i-- > 0;)
    for (unsigned bin = BINS; bin-- > 1;)
      for (uint64_t link = state.heads[i][bin]; link;) {
        struct run_tag *tag = &arenas[i].tags[link - 1];
        size_t page = link - 1;
        link = tag->next;
        if (!tag->dirty) continue;
        bool drop = all || (tag->idle && load_relaxed(&state.free) * config.page_bytes > keep);
        tag->idle = 1;
        if (!drop) continue;
        discard(&arenas[i], page, tag->length);
        count_free(-(size_t)tag->dirty);
        tag->dirty = 0;
      }
  return (before - load_relaxed(&state.free)) * config.page_bytes;
}

size_t pages_taken_bytes(void) { return load_relaxed(&state.taken) * config.page_bytes; }
size_t pages_free_bytes(void) { return load_relaxed(&state.free) * config.page_bytes; }
size_t pages_high_bytes(void) {
  size_t high = state.high;
  state.high = load_relaxed(&state.taken);
  return high * config.page_bytes;
}

size_t pages_peak_bytes(void) { return state.peak * config.page_bytes; }

void pages_reset(void) { __builtin_memset(&state, 0, sizeof state); }
