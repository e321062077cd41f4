/* Arenas: large reservations of address space, each with a page map, descriptors and run tags of its own.
 *
 * The page map gives for each page the descriptor of the span that covers it, as an index of cache lines into the
 * arena's descriptor area, 0 for none. `span_of` is lock-free and right for any address whatever: filter by arena, one
 * load from the map, then the descriptor. */
#ifndef VGC_ARENA_H
#define VGC_ARENA_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "atomic.h"
#include "platform.h"

struct span;
struct run_tag;

/* Sizes double as arenas are chained, so that the table cannot fill before the address space does. */
#define ARENA_MAX 64u

/* Lines of the descriptor that entry 0 of a page map stands for: no span's, all zero, and no address is in a slot of
 * it. */
#define ARENA_NO_SPAN_LINES 2u

struct arena {
  /* Immutable once `bytes` (release by arena_add, acquire by arena_of) has published it; 0 holds no address (V03): */
  _Atomic size_t bytes;
  /* Read by who has seen 0 bytes, too, and then without effect: relaxed (X62). */
  _Atomic uintptr_t base;
  uint32_t page_shift;
  _Atomic uint32_t *map; /* entries: release by whoever makes the span (pages lock), acquire by span_of */
  char *descriptors;
  struct run_tag *tags; /* pages lock */
  size_t map_bytes, descriptor_bytes, tag_bytes;
  struct {
    size_t used_pages;       /* pages below this have been handed out at least once */
    size_t descriptor_lines; /* lines below this have been handed out at least once */
    size_t leak_root_bytes;  /* from the base on: what a leak checker has been told of */
    size_t huge_bytes;       /* from the base on: where the system was asked for huge pages */
    /* Pages lock; apart from what every free reads. */
  } __attribute__((aligned(PLATFORM_FALSE_SHARING)));
};

extern INTERNAL struct arena arenas[ARENA_MAX];
/* Release by arena_add after the entry is complete, acquire by arena_of (V03, G01). */
extern INTERNAL _Atomic uint32_t arenas_count;

/* Reserves and publishes another arena of at least bytes; halves the wish if refused. NULL if there is no room. Pages
 * lock, or initialisation. */
struct arena *arena_add(size_t wish, size_t least);
/* Hands out the pages below `pages`, which is more than before. Pages lock. */
void arena_use(struct arena *, size_t pages);
/* A cycle has marked so many bytes: asks for huge pages for a heap that grows to twice its size. Pages lock. */
void arenas_prefer_huge(size_t marked);
/* Unmaps all (shutdown). */
void arena_release_all(void);
/* Upper bound of resident bytes of maps, tags and descriptors. Pages lock. */
size_t arena_metadata_bytes(void);

/* The descriptor of the span that covers the offset, or of none. */
static ALWAYS_INLINE struct span *arena_descriptor_at(const struct arena *arena, uintptr_t offset) {
  /* Acquire: pairs with publish's release, so that the descriptor is complete. */
  uint32_t line = load_acquire(&arena->map[offset >> arena->page_shift]);
  return (struct span *)(void *)(arena->descriptors + (size_t)line * PLATFORM_CACHE_LINE);
}

/* The span that covers the offset, or NULL. */
static ALWAYS_INLINE struct span *arena_span_at(const struct arena *arena, uintptr_t offset) {
  struct span *span = arena_descriptor_at(arena, offset);
  return LIKELY((char *)span != arena->descriptors) ? span : NULL;
}

/* The arena that holds the address, or NULL. Before initialisation arenas[0] is all zero and holds nothing. */
static ALWAYS_INLINE struct arena *arena_of(uintptr_t address) {
  /* Acquire: reserve's release of the bytes, arena_add's of the count, each after the rest of the entry. */
  size_t bytes = load_acquire(&arenas[0].bytes);
  if (LIKELY(address - load_relaxed(&arenas[0].base) < bytes)) return &arenas[0];
  uint32_t count = load_acquire(&arenas_count);
  for (uint32_t i = 1; i < count; i++)
    if (address - load_relaxed(&arenas[i].base) < load_relaxed(&arenas[i].bytes)) return &arenas[i];
  return NULL;
}

/* Whether the first arena holds the address, and at which offset. */
static ALWAYS_INLINE bool arena_first_holds(uintptr_t address, uintptr_t *offset) {
  /* Acquire: reserve's release, after the rest of the entry. */
  size_t bytes = load_acquire(&arenas[0].bytes);
  *offset = address - load_relaxed(&arenas[0].base);
  return *offset < bytes;
}

/* The span that covers the address, or NULL. */
static ALWAYS_INLINE struct span *span_of(uintptr_t address) {
  struct arena *arena = arena_of(address);
  return arena ? arena_span_at(arena, address - load_relaxed(&arena->base)) : NULL;
}

#endif
