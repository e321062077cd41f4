#include "mark.h"

#include "arena.h"
#include "cache.h"
#include "config.h"
#include "layout.h"
#include "platform.h"
#include "point.h"
#include "roots.h"
#include "span.h"
#include "thread.h"

/* Objects larger than this are scanned in pieces, so that one array neither fills the stack at once nor hides from
 * other markers. */
#define PIECE_BYTES 4096u
#define QUEUE       16u /* prefetches in flight; a power of two */

/* A range still to scan; layout 0: conservatively. Pieces of typed arrays begin at an element. */
struct range {
  uintptr_t low, high;
  const struct layout *layout;
};

/* An address whose span's line is on its way. */
struct candidate {
  uintptr_t address;
  struct span *span;
};

/* Where objects may be. All arenas lie within [low, + bytes): the filter for words, one subtract and compare. Of the
 * first arena, which is the only one of most programs, what span_of would fetch. */
struct view {
  uintptr_t low, bytes, first_low, first_bytes;
  const _Atomic uint32_t *first_map;
  char *first_descriptors;
  uint32_t first_shift;
};

/* How far marking is. Loops work on copies of this and of the view, which stay in registers: what they write into heap
 * and stack might be these words, for all that the compiler knows. */
struct progress {
  struct range *stack;
  size_t depth, capacity;
  uint64_t objects;
  size_t bytes;
  unsigned candidates_next, ranges_next;
};

/* The collecting thread, world stopped. */
static struct marker {
  struct view view;
  struct progress progress;
  size_t bytes_reserved; /* of the stack */
  bool overflowed;
  uint32_t rescans;
  struct candidate candidates[QUEUE];
  struct range ranges[QUEUE]; /* popped; their first line is on its way (Cher, Hosking, Vitek 2004) */
} marker COLLECTOR_DATA;

static int stack_reserve(size_t entries) {
  struct progress *progress = &marker.progress;
  size_t bytes = (entries * sizeof(struct range) + 4095) / 4096 * 4096;
  struct range *stack = platform_reserve(bytes, 4096);
  if (!stack) return -1;
  if (progress->stack) {
    __builtin_memcpy(stack, progress->stack, progress->depth * sizeof *stack);
    platform_release(progress->stack, marker.bytes_reserved);
  }
  progress->stack = stack;
  progress->capacity = entries;
  marker.bytes_reserved = bytes;
  return 0;
}

int mark_initialize(void) {
  size_t entries = config.mark_stack < config.mark_stack_max ? config.mark_stack : config.mark_stack_max;
  return stack_reserve(entries);
}

void mark_shutdown(void) {
  if (marker.progress.stack) platform_release(marker.progress.stack, marker.bytes_reserved);
  marker = (struct marker){0};
}

static COLD void note_overflow(uintptr_t address) {
  struct span *span = span_of(address);
  if (span) span->overflowed = 1;
  marker.overflowed = true;
}

/* Makes room, or notes the span of what there is no room for. */
static COLD struct progress stack_full(struct progress progress, uintptr_t address) {
  marker.progress = progress;
  size_t wish = progress.capacity * 2 < config.mark_stack_max ? progress.capacity * 2 : config.mark_stack_max;
  if (wish <= progress.capacity || stack_reserve(wish)) note_overflow(address);
  return marker.progress;
}

static ALWAYS_INLINE void push(struct progress *progress, struct range range) {
  if (UNLIKELY(progress->depth == progress->capacity)) {
    *progress = stack_full(*progress, range.low);
    if (progress->depth == progress->capacity) return;
  }
  progress->stack[progress->depth++] = range;
}

/* ---- Objects ---- */

/* The word that names a typed object's layout, which AddressSanitizer holds poisoned against the program. Not forced
 * inline: the caller's instrumentation would come with it. */
NO_SANITIZE static vgc_layout_id layout_id_at(uintptr_t word) { return (vgc_layout_id) * (const uintptr_t *)word; }

/* What of a marked object is to be scanned. */
static ALWAYS_INLINE struct range object_range(const struct span *span, uint32_t slot) {
  size_t size = span->size ? span->size : (size_t)span->pages * config.page_bytes;
  uintptr_t low = span->base + slot * size;
  struct range range = {low, low + (size & ~(sizeof(uintptr_t) - 1)), NULL};
  if (span->kind == KIND_TYPED) {
    range.high -= sizeof(uintptr_t);
    range.layout = layout_of(layout_id_at(range.high));
  }
  return range;
}

/* Marks the object that the address points into, if there is one that is not marked yet. */
static ALWAYS_INLINE void mark_candidate(struct progress *progress, struct candidate candidate) {
  struct span *span = candidate.span;
  uint32_t slot = span_slot(span, candidate.address);
  if (UNLIKELY(slot >= span->slots)) return;
  uint64_t bit = UINT64_C(1) << slot % 64;
  struct span_bits *bits = &span->bits[slot / 64];
  uint64_t mark = bits->mark;
  if ((mark | load_relaxed(&bits->free)) & bit) return;
  bits->mark = mark | bit;
  progress->objects++;
  progress->bytes += span->size ? span->size : (size_t)span->pages * config.page_bytes;
  if (span->kind != KIND_NOSCAN) push(progress, object_range(span, slot));
}

/* Relaxed: whoever made the span held the pages lock, which the collector holds. */
static ALWAYS_INLINE struct span *find_span(const struct view *view, uintptr_t address) {
  uintptr_t offset = address - view->first_low;
  if (UNLIKELY(offset >= view->first_bytes)) return span_of(address);
  uint32_t line = load_relaxed(&view->first_map[offset >> view->first_shift]);
  return line ? (struct span *)(void *)(view->first_descriptors + (size_t)line * PLATFORM_CACHE_LINE) : NULL;
}

/* A word that may be a pointer. */
static ALWAYS_INLINE void consider(const struct view *view, struct progress *progress, uintptr_t word) {
  if (LIKELY(word - view->low >= view->bytes)) return;
  struct span *span = find_span(view, word);
  if (UNLIKELY(!span)) return;
  __builtin_prefetch(&span->base);
  struct candidate *place = &marker.candidates[progress->candidates_next++ % QUEUE];
  struct candidate before = *place;
  *place = (struct candidate){word, span};
  if (LIKELY(before.span != NULL)) mark_candidate(progress, before);
}

/* Marks what is left of the candidates. False: there was nothing. */
static bool flush_candidates(struct progress *progress) {
  bool any = false;
  for (unsigned i = 0; i < QUEUE; i++) {
    struct candidate *place = &marker.candidates[progress->candidates_next++ % QUEUE];
    struct candidate candidate = *place;
    place->span = NULL;
    if (!candidate.span) continue;
    mark_candidate(progress, candidate);
    any = true;
  }
  return any;
}

/* ---- Scanning ---- */

/* A word that its thread may have been about to write, or that AddressSanitizer holds poisoned. */
NO_SANITIZE static uintptr_t word_at(uintptr_t address) { return *(const uintptr_t *)address; }

static ALWAYS_INLINE void scan_typed(const struct view *view, struct progress *progress, struct range range) {
  const struct layout *layout = range.layout;
  size_t element = layout->words * sizeof(uintptr_t);
  for (uintptr_t low = range.low; low + element <= range.high; low += element)
    for (size_t word = 0; word < layout->words; word += 64)
      for (uint64_t bits = layout->bits[word / 64]; bits; bits &= bits - 1)
        consider(view, progress, word_at(low + (word + bitmap_first(bits)) * sizeof(uintptr_t)));
}

static ALWAYS_INLINE void scan_piece(const struct view *view, struct progress *progress, struct range range) {
  if (UNLIKELY(range.layout != NULL)) {
    scan_typed(view, progress, range);
    return;
  }
  for (uintptr_t at = range.low; at < range.high; at += sizeof(uintptr_t)) consider(view, progress, word_at(at));
}

static size_t piece_bytes(const struct layout *layout) {
  size_t element = layout ? layout->words * sizeof(uintptr_t) : sizeof(uintptr_t);
  return element >= PIECE_BYTES ? element : PIECE_BYTES / element * element;
}

/* Scans the range, or its first piece, putting the rest back. */
static ALWAYS_INLINE void scan_range(const struct view *view, struct progress *progress, struct range range) {
  if (UNLIKELY(range.high - range.low > PIECE_BYTES)) {
    size_t piece = piece_bytes(range.layout);
    if (range.high - range.low > piece) {
      push(progress, (struct range){range.low + piece, range.high, range.layout});
      range.high = range.low + piece;
    }
  }
  scan_piece(view, progress, range);
}

/* Puts the range where its first line can arrive; gives one that has been there for a while, or none. */
static ALWAYS_INLINE struct range exchange_range(struct progress *progress, struct range range) {
  __builtin_prefetch((const void *)range.low);
  struct range *place = &marker.ranges[progress->ranges_next++ % QUEUE];
  struct range before = *place;
  *place = range;
  return before;
}

/* Empties the queues and the stack. */
static void drain(void) {
  const struct view view = marker.view;
  struct progress progress = marker.progress;
  unsigned idle = 0;
  do {
    while (progress.depth || idle < QUEUE) {
      struct range next = {0};
      idle++;
      if (LIKELY(progress.depth)) {
        next = progress.stack[--progress.depth];
        idle = 0;
      }
      struct range range = exchange_range(&progress, next);
      if (LIKELY(range.low)) scan_range(&view, &progress, range);
    }
    idle = 0;
  } while (flush_candidates(&progress));
  marker.progress = progress;
}

/* ---- Roots ---- */

/* A word of a thread's own stack or registers that points into a span of its own pins the span: the thread may be
 * suspended inside vgc_free of that slot, past its test of ownership (cache_surrender). */
static void pin(uintptr_t word, const struct thread *thread) {
  struct span *span = span_of(word);
  if (span && thread->cache && load_relaxed(&span->owner) == thread->cache) span->pinned = 1;
}

static void mark_root_range(void *context, const void *low, const void *high, struct thread *thread) {
  (void)context;
  const struct view view = marker.view;
  struct progress progress = marker.progress;
  for (uintptr_t at = (uintptr_t)low; at < (uintptr_t)high; at += sizeof(uintptr_t)) {
    uintptr_t word = word_at(at);
    if (LIKELY(word - view.low >= view.bytes)) continue;
    if (thread) pin(word, thread);
    consider(&view, &progress, word);
  }
  marker.progress = progress;
  drain();
}

static void mark_uncollectable(struct span *span, void *arg) {
  (void)arg;
  if (span->kind != KIND_UNCOLLECTABLE) return;
  for (uint32_t w = 0; w < span->words; w++)
    for (uint64_t issued = span_issued(span, w); issued; issued &= issued - 1)
      consider(&marker.view, &marker.progress, span->base + (uintptr_t)(w * 64 + bitmap_first(issued)) * span->size);
  drain();
}

/* ---- Overflow ---- */

static uint64_t available_in(const struct span *span, uint32_t word) {
  return (load_relaxed(&span->active) & SPAN_NO_WORD) == word ? load_relaxed(&span->avail) : 0;
}

static void rescan_span(struct span *span, void *arg) {
  (void)arg;
  if (!span->overflowed) return;
  span->overflowed = 0;
  for (uint32_t w = 0; w < span->words; w++)
    for (uint64_t marked = span->bits[w].mark & ~available_in(span, w); marked; marked &= marked - 1) {
      struct range range = object_range(span, w * 64 + bitmap_first(marked));
      /* In pieces and drained between them, so that a second overflow leaves less to do. */
      for (struct range piece = range; piece.low < range.high; piece.low = piece.high) {
        size_t step = range.layout ? range.layout->words * sizeof(uintptr_t) : PIECE_BYTES / 16;
        piece.high = range.high - piece.low > step ? piece.low + step : range.high;
        scan_piece(&marker.view, &marker.progress, piece);
        drain();
      }
    }
}

static void rescan(void) {
  while (marker.overflowed) {
    marker.overflowed = false;
    marker.rescans++;
    span_each(rescan_span, NULL);
  }
}

static void bound_heap(void) {
  uintptr_t low = UINTPTR_MAX, high = 0;
  for (uint32_t i = 0, count = load_relaxed(&arenas_count); i < count; i++) {
    uintptr_t end = load_relaxed(&arenas[i].base) + (arenas[i].used_pages << arenas[i].page_shift);
    if (load_relaxed(&arenas[i].base) < low) low = load_relaxed(&arenas[i].base);
    if (end > high) high = end;
  }
  const struct arena *first = &arenas[0];
  marker.view = (struct view){.low = low,
                              .bytes = high > low ? high - low : 0,
                              .first_low = load_relaxed(&first->base),
                              .first_bytes = first->used_pages << first->page_shift,
                              .first_map = first->map,
                              .first_descriptors = first->descriptors,
                              .first_shift = first->page_shift};
}

/* ---- Slots that are still to be issued ---- */

/* They are no objects. While they bear marks nothing finds them, and the marker needs not look at the owner's line. */
static void mark_available(struct span *span, void *arg) {
  (void)arg;
  uint32_t word = load_relaxed(&span->active) & SPAN_NO_WORD;
  if (word != SPAN_NO_WORD) span->bits[word].mark |= load_relaxed(&span->avail);
}

static void unmark_available(struct span *span, void *arg) {
  (void)arg;
  uint32_t word = load_relaxed(&span->active) & SPAN_NO_WORD;
  if (word != SPAN_NO_WORD) span->bits[word].mark &= ~load_relaxed(&span->avail);
}

size_t mark_all(void) {
  bound_heap();
  marker.progress.candidates_next = marker.progress.ranges_next = 0;
  for (unsigned i = 0; i < QUEUE; i++) {
    marker.candidates[i] = (struct candidate){0};
    marker.ranges[i] = (struct range){0};
  }
  marker.progress.objects = 0;
  marker.progress.bytes = 0;
  marker.rescans = 0;
  span_each(mark_available, NULL);
  span_each(mark_uncollectable, NULL);
  roots_scan(mark_root_range, NULL);
  POINT(mark_after_roots);
  rescan();
  span_each(unmark_available, NULL);
  return marker.progress.bytes;
}

uint64_t mark_objects(void) { return marker.progress.objects; }
uint32_t mark_overflows(void) { return marker.rescans; }
size_t mark_stack_bytes(void) { return marker.bytes_reserved; }
