#include "arena.h"

#include "config.h"
#include "pages.h"
#include "point.h"
#include "sizeclass.h"

#define HUGE_LEAST ((size_t)32 << 20) /* bytes marked */

struct arena arenas[ARENA_MAX] COLLECTOR_DATA;
_Atomic uint32_t arenas_count COLLECTOR_DATA;

static size_t round_up(size_t value, size_t unit) { return (value + unit - 1) / unit * unit; }

/* Lines that suffice however the arena is carved: descriptors are recycled only for the same number of lines, so in the
 * worst case every distinct number has once had as many spans as fit. */
static size_t descriptor_lines_bound(size_t pages) {
  size_t bound = ARENA_NO_SPAN_LINES;
  for (unsigned i = 0; i < SIZECLASS_COUNT; i++) {
    bool seen = false;
    size_t span_pages = sizeclass_table[i].pages;
    for (unsigned j = 0; j < SIZECLASS_COUNT; j++) {
      if (sizeclass_table[j].lines != sizeclass_table[i].lines) continue;
      if (j < i) seen = true;
      if (sizeclass_table[j].pages < span_pages) span_pages = sizeclass_table[j].pages;
    }
    if (!seen) bound += (pages / span_pages + 1) * sizeclass_table[i].lines;
  }
  size_t large_pages = SIZECLASS_SMALL_MAX / (size_t)config.page_bytes;
  return bound + (pages / (large_pages ? large_pages : 1) + 1) *
                     sizeclass_table[SIZECLASS_COUNT - 1].lines; /* one word of bits, as for a large object */
}

static void release(struct arena *arena, size_t bytes) {
  store_relaxed(&arena->bytes, 0);
  if (load_relaxed(&arena->base)) platform_release((void *)load_relaxed(&arena->base), bytes);
  if (arena->map) platform_release((void *)arena->map, arena->map_bytes);
  if (arena->descriptors) platform_release(arena->descriptors, arena->descriptor_bytes);
  if (arena->tags) platform_release(arena->tags, arena->tag_bytes);
  store_relaxed(&arena->base, 0);
  arena->map = NULL;
  arena->descriptors = NULL;
  arena->tags = NULL;
}

static bool reserve(struct arena *arena, size_t bytes) {
  size_t pages = bytes / config.page_bytes;
  arena->page_shift = (uint32_t)__builtin_ctzll(config.page_bytes);
  arena->map_bytes = round_up(pages * sizeof(uint32_t), 4096);
  arena->tag_bytes = round_up((pages + 2) * sizeof(struct run_tag), 4096);
  arena->descriptor_bytes = round_up(descriptor_lines_bound(pages) * PLATFORM_CACHE_LINE, 4096);
  arena->descriptor_lines = ARENA_NO_SPAN_LINES;
  arena->used_pages = 0;
  arena->leak_root_bytes = 0;
  arena->huge_bytes = 0;
  store_relaxed(&arena->base, (uintptr_t)platform_reserve(bytes, config.page_bytes < 4096 ? 4096 : config.page_bytes));
  POINT(arena_half_made);
  arena->map = platform_reserve(arena->map_bytes, 4096);
  arena->tags = platform_reserve(arena->tag_bytes, 4096);
  arena->descriptors = platform_reserve(arena->descriptor_bytes, 4096);
  if (!load_relaxed(&arena->base) || !arena->map || !arena->tags || !arena->descriptors) {
    release(arena, bytes);
    return false;
  }
  POINT(arena_before_publish);
  /* Release: the entry is complete; acquire in arena_of (V03). */
  store_release(&arena->bytes, bytes);
  return true;
}

struct arena *arena_add(size_t wish, size_t least) {
  uint32_t count = load_relaxed(&arenas_count);
  if (count == ARENA_MAX) return NULL;
  size_t unit = config.page_bytes < 4096 ? 4096 : config.page_bytes;
  least = round_up(least, unit);
  for (;; wish = round_up(wish / 2, unit)) {
    if (reserve(&arenas[count], wish > least ? wish : least)) break;
    if (wish <= least) return NULL;
  }
  /* Release: acquire in arena_of, which then reads the entry plainly. */
  store_release(&arenas_count, count + 1);
  return &arenas[count];
}

/* Marking touches memory at random, so most of its time would go into looking up 4 KiB pages. To clear huge ones may
 * cost more than what a program spends with memory that is not marked; and small programs are spared what they round
 * up. */
void arenas_prefer_huge(size_t marked) {
  if (marked < HUGE_LEAST) return;
  for (uint32_t i = 0, count = load_relaxed(&arenas_count); i < count; i++) {
    struct arena *arena = &arenas[i];
    size_t used = arena->used_pages << arena->page_shift, all = load_relaxed(&arena->bytes), before = arena->huge_bytes;
    size_t wish = used < all / 2 ? used * 2 : all;
    if (wish <= before) continue;
    arena->huge_bytes = wish;
    platform_prefer_huge((char *)load_relaxed(&arena->base) + before, wish - before);
  }
}

/* A leak checker reads all that it was told of: so it is told of what is in use, in steps, and not of the 64 GiB of
 * address space that an arena may be. */
void arena_use(struct arena *arena, size_t pages) {
  arena->used_pages = pages;
  size_t used = pages << arena->page_shift, all = load_relaxed(&arena->bytes);
  if (LIKELY(used <= arena->leak_root_bytes)) return;
  if (arena->leak_root_bytes) platform_leak_root_forget((void *)load_relaxed(&arena->base), arena->leak_root_bytes);
  arena->leak_root_bytes = used < all / 2 ? used * 2 : all;
  platform_leak_root((void *)load_relaxed(&arena->base), arena->leak_root_bytes);
}

void arena_release_all(void) {
  for (uint32_t i = load_relaxed(&arenas_count); i-- > 0;) {
    platform_unpoison((void *)load_relaxed(&arenas[i].base), arenas[i].used_pages << arenas[i].page_shift);
    if (arenas[i].leak_root_bytes)
      platform_leak_root_forget((void *)load_relaxed(&arenas[i].base), arenas[i].leak_root_bytes);
    release(&arenas[i], load_relaxed(&arenas[i].bytes));
  }
  store_relaxed(&arenas_count, 0);
}

size_t arena_metadata_bytes(void) {
  size_t bytes = 0;
  for (uint32_t i = 0, count = load_relaxed(&arenas_count); i < count; i++)
    bytes += arenas[i].descriptor_lines * PLATFORM_CACHE_LINE +
             arenas[i].used_pages * (sizeof(uint32_t) + sizeof(struct run_tag));
  return bytes;
}
