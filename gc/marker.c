#include "marker.h"

#include "arena.h"
#include "config.h"
#include "layout.h"

/* Objects larger than this are scanned in pieces, so that one array neither fills the stack at once nor hides from
 * other markers. */
#define PIECE_BYTES 4096u
#define AHEAD_BYTES 512u /* of an object, fetched while it waits */
#define GIVE_LEAST  8u   /* ranges on the stack before some are given away, which costs two system calls */

/* The bounds, and of the first arena, which is the only one of most programs, what span_of would fetch. */
struct view {
  uintptr_t low, bytes, first_low, first_bytes;
  const _Atomic uint32_t *first_map;
  char *first_descriptors;
  uint32_t first_shift;
};

/* As marker_bounds. */
static struct view view COLLECTOR_DATA;
struct marker_bounds marker_bounds COLLECTOR_DATA;

/* ---- The stack ---- */

static int stack_reserve(struct marker *marker, size_t entries) {
  struct progress *progress = &marker->progress;
  size_t bytes = (entries * sizeof(struct mark_range) + 4095) / 4096 * 4096;
  struct mark_range *stack = platform_reserve(bytes, 4096);
  if (!stack) return -1;
  if (progress->stack) {
    __builtin_memcpy(stack, progress->stack, progress->depth * sizeof *stack);
    platform_release(progress->stack, marker->bytes_reserved);
  }
  progress->stack = stack;
  progress->capacity = entries;
  marker->bytes_reserved = bytes;
  return 0;
}

int marker_stack(struct marker *marker) {
  if (marker->progress.stack) return 0;
  size_t entries = config.mark_stack < config.mark_stack_max ? config.mark_stack : config.mark_stack_max;
  return stack_reserve(marker, entries);
}

void marker_release(struct marker *marker) {
  if (marker->progress.stack) platform_release(marker->progress.stack, marker->bytes_reserved);
  *marker = (struct marker){0};
}

void marker_begin(struct marker *marker) {
  struct progress *progress = &marker->progress;
  progress->given = progress->depth = progress->candidates = progress->ranges = 0;
  marker->overflowed = false;
}

static COLD void note_overflow(struct marker *marker, uintptr_t address) {
  struct span *span = span_of(address);
  if (span) store_loose(&span->overflowed, 1); /* loose: several markers may, and all alike */
  marker->overflowed = true;
}

/* Makes room, or notes the span of what there is no room for. */
static COLD struct progress stack_full(struct marker *marker, struct progress progress, uintptr_t address) {
  if (progress.given) {
    progress.depth -= progress.given;
    __builtin_memmove(progress.stack, progress.stack + progress.given, progress.depth * sizeof *progress.stack);
    progress.given = 0;
    return progress;
  }
  marker->progress = progress;
  size_t wish = progress.capacity * 2 < config.mark_stack_max ? progress.capacity * 2 : config.mark_stack_max;
  if (wish <= progress.capacity || stack_reserve(marker, wish)) note_overflow(marker, address);
  return marker->progress;
}

static ALWAYS_INLINE void push(struct marker *marker, struct progress *progress, struct mark_range range) {
  if (UNLIKELY(progress->depth == progress->capacity)) {
    *progress = stack_full(marker, *progress, range.low);
    if (progress->depth == progress->capacity) return;
  }
  progress->stack[progress->depth++] = range;
}

/* ---- Objects ---- */

/* The word that names a typed object's layout, which AddressSanitizer holds poisoned against the program. Not forced
 * inline: the caller's instrumentation would come with it. */
NO_SANITIZE static vgc_layout_id layout_id_at(uintptr_t word) { return (vgc_layout_id) * (const uintptr_t *)word; }

/* What of a marked object is to be scanned. */
static ALWAYS_INLINE struct mark_range object_range(const struct span *span, uint32_t slot) {
  size_t size = LIKELY(span->size) ? span->size : (size_t)span->pages * config.page_bytes;
  uintptr_t low = span->base + slot * size;
  return (struct mark_range){low, (low + size) | (span->kind == KIND_TYPED ? MARK_TYPED : 0)};
}

/* Marks the object that the address points into, if there is one that is not marked yet. */
static ALWAYS_INLINE void mark_candidate(struct marker *marker, struct progress *progress, struct candidate candidate,
                                         bool shared) {
  struct span *span = candidate.span;
  uint32_t slot = span_slot(span, candidate.address);
  if (UNLIKELY(slot >= span->slots)) return;
  uint64_t bit = UINT64_C(1) << slot % 64;
  struct span_bits *bits = &span->bits[slot / 64];
  uint64_t mark = load_loose(&bits->mark);
  if ((mark | load_relaxed(&bits->free)) & bit) return;
  if (!span_set_mark(bits, mark, bit, shared)) return;
  if (span->kind != KIND_NOSCAN) push(marker, progress, object_range(span, slot));
}

/* Relaxed: whoever made the span held the pages lock, which the collector holds. */
static ALWAYS_INLINE struct span *find_span(const struct view *in, uintptr_t address) {
  uintptr_t offset = address - in->first_low;
  if (UNLIKELY(offset >= in->first_bytes)) return span_of(address);
  uint32_t line = load_relaxed(&in->first_map[offset >> in->first_shift]);
  return line ? (struct span *)(void *)(in->first_descriptors + (size_t)line * PLATFORM_CACHE_LINE) : NULL;
}

/* A word that may be a pointer. */
static ALWAYS_INLINE void consider(const struct view *in, struct marker *marker, struct progress *progress,
                                   uintptr_t word, bool shared) {
  if (LIKELY(word - in->low >= in->bytes)) return;
  struct span *span = find_span(in, word);
  if (UNLIKELY(!span)) return;
  __builtin_prefetch(&span->base);
  struct candidate *place = &marker->candidates[progress->candidates_next++ % MARKER_QUEUE];
  struct candidate before = *place;
  *place = (struct candidate){word, span};
  if (LIKELY(progress->candidates == MARKER_QUEUE))
    mark_candidate(marker, progress, before, shared);
  else
    progress->candidates++;
}

/* Marks what is left of the candidates. */
static ALWAYS_INLINE void flush_candidates(struct marker *marker, struct progress *progress, bool shared) {
  for (; progress->candidates; progress->candidates--)
    mark_candidate(marker, progress,
                   marker->candidates[(progress->candidates_next - progress->candidates) % MARKER_QUEUE], shared);
}

/* ---- Scanning ---- */

/* A word that its thread may have been about to write, or that AddressSanitizer holds poisoned. */
NO_SANITIZE uintptr_t marker_word(uintptr_t address) { return *(const uintptr_t *)address; }

static ALWAYS_INLINE void scan_words(const struct view *in, struct marker *marker, struct progress *progress,
                                     uintptr_t low, uintptr_t high, bool shared) {
  for (uintptr_t at = low; at < high; at += sizeof(uintptr_t)) consider(in, marker, progress, marker_word(at), shared);
}

static ALWAYS_INLINE void scan_elements(const struct view *in, struct marker *marker, struct progress *progress,
                                        const struct layout *layout, uintptr_t low, uintptr_t high, bool shared) {
  size_t element = layout->words * sizeof(uintptr_t);
  for (; low + element <= high; low += element)
    for (size_t word = 0; word < layout->words; word += 64)
      for (uint64_t bits = layout->bits[word / 64]; bits; bits &= bits - 1)
        consider(in, marker, progress, marker_word(low + (word + bitmap_first(bits)) * sizeof(uintptr_t)), shared);
}

static size_t piece_bytes(const struct layout *layout) {
  size_t element = layout ? layout->words * sizeof(uintptr_t) : sizeof(uintptr_t);
  return element >= PIECE_BYTES ? element : PIECE_BYTES / element * element;
}

/* End of the range, or of its first piece, putting the rest back. */
static ALWAYS_INLINE uintptr_t first_piece(struct marker *marker, struct progress *progress, struct mark_range range,
                                           const struct layout *layout) {
  uintptr_t high = range.high & ~(uintptr_t)MARK_TYPED;
  if (LIKELY(high - range.low <= PIECE_BYTES)) return high;
  size_t piece = piece_bytes(layout);
  if (high - range.low <= piece) return high;
  push(marker, progress, (struct mark_range){range.low + piece, range.high});
  return range.low + piece;
}

/* Scans the range, or its first piece. */
static ALWAYS_INLINE void scan_range(const struct view *in, struct marker *marker, struct progress *progress,
                                     struct mark_range range, bool shared) {
  if (LIKELY(!(range.high & MARK_TYPED))) {
    scan_words(in, marker, progress, range.low, first_piece(marker, progress, range, NULL), shared);
    return;
  }
  uintptr_t last_word = range.high - MARK_TYPED - sizeof(uintptr_t);
  const struct layout *layout = layout_of(layout_id_at(last_word));
  uintptr_t high = first_piece(marker, progress, range, layout);
  if (high > last_word) high = last_word;
  if (layout)
    scan_elements(in, marker, progress, layout, range.low, high, shared);
  else
    scan_words(in, marker, progress, range.low, high, shared);
}

/* More is for the processor to foresee. */
static ALWAYS_INLINE void fetch_ahead(struct mark_range range) {
  uintptr_t high = range.high - range.low > AHEAD_BYTES ? range.low + AHEAD_BYTES : range.high;
  uintptr_t at = range.low;
  do __builtin_prefetch((const void *)at);
  while ((at += PLATFORM_CACHE_LINE) < high);
}

/* The next range to scan: one whose first lines have had time to arrive, if there are others meanwhile. False: none. */
static ALWAYS_INLINE bool next_range(struct marker *marker, struct progress *progress, struct mark_range *next) {
  while (LIKELY(progress->depth > progress->given)) {
    struct mark_range range = progress->stack[--progress->depth];
    if (UNLIKELY(!progress->ranges && progress->depth == progress->given)) { /* alone, as in a list */
      *next = range;
      return true;
    }
    fetch_ahead(range);
    struct mark_range *place = &marker->ranges[progress->ranges_next++ % MARKER_QUEUE];
    *next = *place;
    *place = range;
    if (LIKELY(progress->ranges == MARKER_QUEUE)) return true;
    progress->ranges++;
  }
  if (!progress->ranges) return false;
  *next = marker->ranges[(progress->ranges_next - progress->ranges--) % MARKER_QUEUE];
  return true;
}

/* The older half of what the stack holds, to who waits for it. */
static NOINLINE size_t give(const struct progress *progress) {
  return mark_team_give(progress->stack + progress->given, (progress->depth - progress->given) / 2);
}

/* Scans what is on the stack, and what comes of it. */
static ALWAYS_INLINE void drain_as(struct marker *marker, bool shared) {
  const struct view in = view;
  struct progress progress = marker->progress;
  struct mark_range range;
  do {
    while (next_range(marker, &progress, &range)) {
      scan_range(&in, marker, &progress, range, shared);
      if (shared && UNLIKELY(mark_team_hungry()) && progress.depth - progress.given >= GIVE_LEAST)
        progress.given += give(&progress);
    }
    flush_candidates(marker, &progress, shared);
  } while (progress.depth > progress.given);
  progress.given = progress.depth = 0;
  marker->progress = progress;
}

static NOINLINE void drain_alone(struct marker *marker) { drain_as(marker, false); }
static NOINLINE void drain_shared(struct marker *marker) { drain_as(marker, true); }

void marker_drain(struct marker *marker, bool shared) {
  if (shared)
    drain_shared(marker);
  else
    drain_alone(marker);
}

/* ---- One by one ---- */

void marker_consider(struct marker *marker, uintptr_t word, bool shared) {
  if (shared)
    consider(&view, marker, &marker->progress, word, true);
  else
    consider(&view, marker, &marker->progress, word, false);
}

void marker_scan(struct marker *marker, const struct span *span, uint32_t slot, bool draining) {
  const struct view in = view;
  struct mark_range range = object_range(span, slot);
  uintptr_t high = range.high & ~(uintptr_t)MARK_TYPED;
  const struct layout *layout = NULL;
  if (range.high & MARK_TYPED) {
    high -= sizeof(uintptr_t);
    layout = layout_of(layout_id_at(high));
  }
  size_t step = layout ? layout->words * sizeof(uintptr_t) : PIECE_BYTES / 16;
  for (uintptr_t low = range.low, end; low < high; low = end) {
    end = high - low > step ? low + step : high;
    if (layout)
      scan_elements(&in, marker, &marker->progress, layout, low, end, false);
    else
      scan_words(&in, marker, &marker->progress, low, end, false);
    if (draining) drain_alone(marker);
  }
  flush_candidates(marker, &marker->progress, false);
}

void marker_learn_bounds(void) {
  uintptr_t low = UINTPTR_MAX, high = 0;
  for (uint32_t i = 0, count = load_relaxed(&arenas_count); i < count; i++) {
    uintptr_t end = load_relaxed(&arenas[i].base) + (arenas[i].used_pages << arenas[i].page_shift);
    if (load_relaxed(&arenas[i].base) < low) low = load_relaxed(&arenas[i].base);
    if (end > high) high = end;
  }
  marker_bounds = (struct marker_bounds){low, high > low ? high - low : 0};
  const struct arena *first = &arenas[0];
  view = (struct view){.low = low,
                       .bytes = marker_bounds.bytes,
                       .first_low = load_relaxed(&first->base),
                       .first_bytes = first->used_pages << first->page_shift,
                       .first_map = first->map,
                       .first_descriptors = first->descriptors,
                       .first_shift = first->page_shift};
}
