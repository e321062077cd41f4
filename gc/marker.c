#include "marker.h"

#include "arena.h"
#include "config.h"
#include "layout.h"

/* Objects larger than this are scanned in pieces, so that one array neither fills the stack at once nor hides from
 * other markers. */
#define PIECE_BYTES 4096u
#define AHEAD_BYTES 512u /* of an object, fetched while it waits */
#define PATIENCE    256u /* ranges between two questions whether to give up */
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
bool marker_exact COLLECTOR_DATA;
_Atomic uint64_t marker_displacements[MARKER_DISPLACEMENTS / 64] COLLECTOR_DATA = {1};

/* What a loop is compiled for, `how`. */
#define SHARED  1u /* there may be other markers at the same time */
#define EXACT   2u /* words name objects by their starts, and by starts with a displacement */
#define LIMITED 4u /* marking may be given up */
#define WATCHED 8u /* marker_watch */

/* ---- Giving up ---- */

static bool limited COLLECTOR_DATA; /* as marker_bounds */
/* Relaxed: a marker that sees it late marks a little more, in vain. */
static _Atomic bool given_up COLLECTOR_DATA;

void marker_limit(struct marker *marker, bool (*enough)(void)) {
  marker->enough = enough;
  limited = enough != NULL;
  store_relaxed(&given_up, false);
}

bool marker_gave_up(void) { return load_relaxed(&given_up); }

static NOINLINE bool gives_up(const struct marker *marker) {
  if (marker->enough && !load_relaxed(&given_up) && marker->enough()) store_relaxed(&given_up, true);
  return load_relaxed(&given_up);
}

/* ---- Being watched ---- */

static void (*watcher)(uintptr_t object) COLLECTOR_DATA; /* as marker_bounds; NULL while there are several markers */

void marker_watch(void (*seen)(uintptr_t object)) { watcher = seen; }

static NOINLINE void tell_watcher(const struct span *span, uint32_t slot) {
  watcher(span->base + slot * (uintptr_t)span->size);
}

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

/* What of a marked object is to be scanned. */
static ALWAYS_INLINE struct mark_range object_range(const struct span *span, uint32_t slot) {
  size_t size = LIKELY(span->size) ? span->size : (size_t)span->pages * config.page_bytes;
  uintptr_t low = span->base + slot * size;
  return (struct mark_range){low, (low + size) | (span->kind == KIND_TYPED ? MARK_TYPED : 0)};
}

static ALWAYS_INLINE bool names_exactly(const struct span *span, uint32_t slot, uintptr_t address) {
  return marker_is_displacement(address - span->base - slot * (uintptr_t)span->size);
}

/* Marks the object that the address names, if there is one that is not marked yet. */
static ALWAYS_INLINE void mark_candidate(struct marker *marker, struct progress *progress, struct candidate candidate,
                                         unsigned how) {
  struct span *span = candidate.span;
  uint32_t slot = span_slot(span, candidate.address);
  if (UNLIKELY(slot >= span->slots)) return;
  if (how & EXACT && !names_exactly(span, slot, candidate.address)) return;
  uint64_t bit = UINT64_C(1) << slot % 64;
  struct span_bits *bits = &span->bits[slot / 64];
  uint64_t mark = load_loose(&bits->mark);
  if ((mark | load_relaxed(&bits->free)) & bit) return;
  if (!span_set_mark(bits, mark, bit, how & SHARED)) return;
  if (how & WATCHED && UNLIKELY(!load_loose(&span->starts))) tell_watcher(span, slot);
  if (!kind_is_noscan(span->kind)) push(marker, progress, object_range(span, slot));
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
                                   uintptr_t word, unsigned how) {
  if (LIKELY(word - in->low >= in->bytes)) return;
  struct span *span = find_span(in, word);
  if (UNLIKELY(!span)) return;
  __builtin_prefetch(&span->base);
  struct candidate *place = &marker->candidates[progress->candidates_next++ % MARKER_QUEUE];
  struct candidate before = *place;
  *place = (struct candidate){word, span};
  if (LIKELY(progress->candidates == MARKER_QUEUE))
    mark_candidate(marker, progress, before, how);
  else
    progress->candidates++;
}

/* Marks what is left of the candidates. */
static ALWAYS_INLINE void flush_candidates(struct marker *marker, struct progress *progress, unsigned how) {
  for (; progress->candidates; progress->candidates--)
    mark_candidate(marker, progress,
                   marker->candidates[(progress->candidates_next - progress->candidates) % MARKER_QUEUE], how);
}

/* ---- Scanning ---- */

/* A word that its thread may have been about to write, or that AddressSanitizer holds poisoned. */
NO_SANITIZE uintptr_t marker_word(uintptr_t address) { return *(const uintptr_t *)address; }

static ALWAYS_INLINE void scan_words(const struct view *in, struct marker *marker, struct progress *progress,
                                     uintptr_t low, uintptr_t high, unsigned how) {
  for (uintptr_t at = low; at < high; at += sizeof(uintptr_t)) consider(in, marker, progress, marker_word(at), how);
}

static ALWAYS_INLINE void scan_elements(const struct view *in, struct marker *marker, struct progress *progress,
                                        const struct layout *layout, uintptr_t low, uintptr_t high, unsigned how) {
  size_t element = layout->words * sizeof(uintptr_t);
  for (; low + element <= high; low += element)
    for (size_t word = 0; word < layout->words; word += 64)
      for (uint64_t bits = layout->bits[word / 64]; bits; bits &= bits - 1)
        consider(in, marker, progress, marker_word(low + (word + bitmap_first(bits)) * sizeof(uintptr_t)), how);
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

static unsigned how_now(bool shared) {
  return (shared ? SHARED : 0) | (marker_exact ? EXACT : 0) | (limited ? LIMITED : 0) | (watcher ? WATCHED : 0);
}

static void show(const struct vgc_marker *to, uintptr_t word) { marker_consider(to->marker, word, to->shared); }

/* An object of a kind that is not scanned word by word. Its procedure finds in the marker what registers hold. */
static NOINLINE struct progress see_to(struct marker *marker, struct progress progress, const struct layout *layout,
                                       struct mark_range object, unsigned how) {
  if (layout->scan != VGC_SCAN_PROCEDURE) return progress;
  marker->progress = progress;
  struct vgc_marker to = {.show = show, .marker = marker, .shared = how & SHARED};
  layout_ask(layout, object.low, object.high - object.low, &to);
  return marker->progress;
}

/* Scans the range, or its first piece. */
static ALWAYS_INLINE void scan_range(const struct view *in, struct marker *marker, struct progress *progress,
                                     struct mark_range range, unsigned how) {
  if (LIKELY(!(range.high & MARK_TYPED))) {
    scan_words(in, marker, progress, range.low, first_piece(marker, progress, range, NULL), how);
    return;
  }
  uintptr_t last_word = range.high - MARK_TYPED - sizeof(uintptr_t);
  const struct layout *layout = layout_of(layout_id_at(last_word));
  if (UNLIKELY(layout && layout_is_kind(layout))) {
    if (layout->scan != VGC_SCAN_ALL) {
      *progress = see_to(marker, *progress, layout, (struct mark_range){range.low, last_word}, how);
      return;
    }
    layout = NULL;
  }
  uintptr_t high = first_piece(marker, progress, range, layout);
  if (high > last_word) high = last_word;
  if (layout)
    scan_elements(in, marker, progress, layout, range.low, high, how);
  else
    scan_words(in, marker, progress, range.low, high, how);
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
static ALWAYS_INLINE void drain_as(struct marker *marker, unsigned how) {
  const struct view in = view;
  struct progress progress = marker->progress;
  struct mark_range range;
  unsigned scanned = 0;
  if (how & LIMITED && gives_up(marker)) {
    marker_begin(marker);
    return;
  }
  do {
    while (next_range(marker, &progress, &range)) {
      scan_range(&in, marker, &progress, range, how);
      if (how & LIMITED && UNLIKELY(++scanned % PATIENCE == 0) && gives_up(marker)) {
        marker_begin(marker);
        return;
      }
      if (how & SHARED && UNLIKELY(mark_team_hungry()) && progress.depth - progress.given >= GIVE_LEAST)
        progress.given += give(&progress);
    }
    flush_candidates(marker, &progress, how);
  } while (progress.depth > progress.given);
  progress.given = progress.depth = 0;
  marker->progress = progress;
}

static NOINLINE void drain_alone(struct marker *marker) { drain_as(marker, 0); }
static NOINLINE void drain_shared(struct marker *marker) { drain_as(marker, SHARED); }
static NOINLINE void drain_exact(struct marker *marker) { drain_as(marker, EXACT); }
static NOINLINE void drain_exact_shared(struct marker *marker) { drain_as(marker, EXACT | SHARED); }
static NOINLINE void drain_limited(struct marker *marker) { drain_as(marker, LIMITED); }
static NOINLINE void drain_limited_shared(struct marker *marker) { drain_as(marker, LIMITED | SHARED); }
static NOINLINE void drain_limited_exact(struct marker *marker) { drain_as(marker, LIMITED | EXACT); }
static NOINLINE void drain_limited_exact_shared(struct marker *marker) { drain_as(marker, LIMITED | EXACT | SHARED); }

static NOINLINE void drain_watched(struct marker *marker) { drain_as(marker, WATCHED); }
static NOINLINE void drain_watched_exact(struct marker *marker) { drain_as(marker, WATCHED | EXACT); }

void marker_drain(struct marker *marker, bool shared) {
  static void (*const drains[])(struct marker *) = {
      drain_alone,   drain_shared,         drain_exact,         drain_exact_shared,
      drain_limited, drain_limited_shared, drain_limited_exact, drain_limited_exact_shared};
  if (LIKELY(!watcher))
    drains[how_now(shared)](marker);
  else if (marker_exact)
    drain_watched_exact(marker);
  else
    drain_watched(marker);
}

/* ---- One by one ---- */

void marker_consider(struct marker *marker, uintptr_t word, bool shared) {
  if (UNLIKELY(marker_exact || watcher))
    consider(&view, marker, &marker->progress, word, how_now(shared));
  else if (shared)
    consider(&view, marker, &marker->progress, word, SHARED);
  else
    consider(&view, marker, &marker->progress, word, 0);
}

/* Where it matters, at once: what waits in the queue is taken for exact. */
void marker_consider_anywhere(struct marker *marker, uintptr_t word, bool shared) {
  if (LIKELY(!marker_exact)) {
    marker_consider(marker, word, shared);
    return;
  }
  struct span *span = marker_may_point(word) ? span_of(word) : NULL;
  if (span) mark_candidate(marker, &marker->progress, (struct candidate){word, span}, shared ? SHARED : 0);
}

/* The layout by which words of the object are scanned, in *scanned, whose end is made the last word's; NULL: every
 * word. False if the object has been seen to otherwise. */
static bool scanned_by(struct marker *marker, struct mark_range *scanned, const struct layout **layout) {
  *layout = NULL;
  if (!(scanned->high & MARK_TYPED)) return true;
  scanned->high -= MARK_TYPED + sizeof(uintptr_t);
  *layout = layout_of(layout_id_at(scanned->high));
  if (!*layout || !layout_is_kind(*layout)) return true;
  bool all = (*layout)->scan == VGC_SCAN_ALL;
  if (!all) marker->progress = see_to(marker, marker->progress, *layout, *scanned, 0);
  *layout = NULL;
  return all;
}

void marker_scan(struct marker *marker, const struct span *span, uint32_t slot, bool draining) {
  const struct view in = view;
  const unsigned how = how_now(false);
  struct mark_range range = object_range(span, slot);
  const struct layout *layout;
  if (!scanned_by(marker, &range, &layout)) range.high = range.low;
  size_t step = layout ? layout->words * sizeof(uintptr_t) : PIECE_BYTES / 16;
  for (uintptr_t low = range.low, end; low < range.high; low = end) {
    end = range.high - low > step ? low + step : range.high;
    if (layout)
      scan_elements(&in, marker, &marker->progress, layout, low, end, how);
    else
      scan_words(&in, marker, &marker->progress, low, end, how);
    if (draining) marker_drain(marker, false);
  }
  flush_candidates(marker, &marker->progress, how);
  if (draining) marker_drain(marker, false); /* what a procedure has shown */
}

void marker_learn_bounds(void) {
  marker_exact = CONFIG(exact_pointers);
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
