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

/* The collecting thread, world stopped. */
static struct marker {
  /* All arenas lie within [heap_low, + heap_bytes): the filter for words, one subtract and compare. Of the first arena,
   * which is the only one of most programs: */
  uintptr_t heap_low, heap_bytes, first_low, first_bytes;
  const _Atomic uint32_t *first_map;
  char *first_descriptors;
  uint32_t first_shift;
  struct range *stack;
  size_t depth, capacity, bytes_reserved;
  bool overflowed;
  uint32_t rescans;
  uint64_t objects;
  size_t bytes;
  struct candidate candidates[QUEUE];
  struct range ranges[QUEUE]; /* popped; their first line is on its way (Cher, Hosking, Vitek 2004) */
  unsigned candidates_next, ranges_next;
} marker COLLECTOR_DATA;

static int stack_reserve(size_t entries) {
  size_t bytes = (entries * sizeof(struct range) + 4095) / 4096 * 4096;
  struct range *stack = platform_reserve(bytes, 4096);
  if (!stack) return -1;
  if (marker.stack) {
    __builtin_memcpy(stack, marker.stack, marker.depth * sizeof *stack);
    platform_release(marker.stack, marker.bytes_reserved);
  }
  marker.stack = stack;
  marker.capacity = entries;
  marker.bytes_reserved = bytes;
  return 0;
}

int mark_initialize(void) {
  size_t entries = config.mark_stack < config.mark_stack_max ? config.mark_stack : config.mark_stack_max;
  return stack_reserve(entries);
}

void mark_shutdown(void) {
  if (marker.stack) platform_release(marker.stack, marker.bytes_reserved);
  marker = (struct marker){0};
}

static COLD bool stack_grow(void) {
  size_t wish = marker.capacity * 2 < config.mark_stack_max ? marker.capacity * 2 : config.mark_stack_max;
  return wish > marker.capacity && !stack_reserve(wish);
}

/* False if there is no room: the caller notes the object's span. */
static ALWAYS_INLINE bool push(struct range range) {
  if (UNLIKELY(marker.depth == marker.capacity) && !stack_grow()) return false;
  marker.stack[marker.depth++] = range;
  return true;
}

static COLD void note_overflow(uintptr_t address) {
  struct span *span = span_of(address);
  if (span) span->overflowed = 1;
  marker.overflowed = true;
}

/* ---- Scanning ---- */

static ALWAYS_INLINE void consider(uintptr_t address);

NO_SANITIZE static void scan_conservative(uintptr_t low, uintptr_t high) {
  for (; low < high; low += sizeof(uintptr_t)) consider(*(const uintptr_t *)low);
}

NO_SANITIZE static void scan_typed(uintptr_t low, uintptr_t high, const struct layout *layout) {
  size_t element = layout->words * sizeof(uintptr_t);
  for (; low + element <= high; low += element)
    for (size_t word = 0; word < layout->words; word += 64)
      for (uint64_t bits = layout->bits[word / 64]; bits; bits &= bits - 1)
        consider(*(const uintptr_t *)(low + (word + bitmap_first(bits)) * sizeof(uintptr_t)));
}

static void scan_piece(struct range range) {
  if (range.layout)
    scan_typed(range.low, range.high, range.layout);
  else
    scan_conservative(range.low, range.high);
}

/* Scans the range, or its first piece, putting the rest back. */
static void scan_range(struct range range) {
  size_t piece = PIECE_BYTES;
  if (range.layout) {
    size_t element = range.layout->words * sizeof(uintptr_t);
    piece = element >= PIECE_BYTES ? element : PIECE_BYTES / element * element;
  }
  if (range.high - range.low > piece) {
    struct range rest = {range.low + piece, range.high, range.layout};
    if (!push(rest)) {
      note_overflow(range.low);
    }
    range.high = rest.low;
  }
  scan_piece(range);
}

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

/* ---- Objects ---- */

/* Marks the object that the address points into, if there is one that is not marked yet. */
static ALWAYS_INLINE void mark_candidate(struct candidate candidate) {
  struct span *span = candidate.span;
  uint32_t slot = span_slot(span, candidate.address);
  if (UNLIKELY(slot >= span->slots)) return;
  uint64_t bit = UINT64_C(1) << slot % 64;
  struct span_bits *bits = &span->bits[slot / 64];
  uint64_t mark = bits->mark;
  if ((mark | load_relaxed(&bits->free)) & bit) return;
  bits->mark = mark | bit;
  marker.objects++;
  marker.bytes += span->size ? span->size : (size_t)span->pages * config.page_bytes;
  if (span->kind == KIND_NOSCAN) return;
  struct range range = object_range(span, slot);
  if (UNLIKELY(!push(range))) note_overflow(range.low);
}

/* Relaxed: whoever made the span held the pages lock, which the collector holds. */
static ALWAYS_INLINE struct span *find_span(uintptr_t address) {
  uintptr_t offset = address - marker.first_low;
  if (UNLIKELY(offset >= marker.first_bytes)) return span_of(address);
  uint32_t line = load_relaxed(&marker.first_map[offset >> marker.first_shift]);
  return line ? (struct span *)(void *)(marker.first_descriptors + (size_t)line * PLATFORM_CACHE_LINE) : NULL;
}

/* A word that may be a pointer. */
static ALWAYS_INLINE void consider(uintptr_t address) {
  if (LIKELY(address - marker.heap_low >= marker.heap_bytes)) return;
  struct span *span = find_span(address);
  if (UNLIKELY(!span)) return;
  __builtin_prefetch(&span->base);
  struct candidate *place = &marker.candidates[marker.candidates_next++ % QUEUE];
  struct candidate before = *place;
  *place = (struct candidate){address, span};
  if (LIKELY(before.span != NULL)) mark_candidate(before);
}

/* Puts the range where its first line can arrive; gives one that has been there for a while, or none. */
static ALWAYS_INLINE struct range exchange_range(struct range range) {
  __builtin_prefetch((const void *)range.low);
  struct range *place = &marker.ranges[marker.ranges_next++ % QUEUE];
  struct range before = *place;
  *place = range;
  return before;
}

/* Marks what is left of the candidates. False: there was nothing. */
static bool flush_candidates(void) {
  bool any = false;
  for (unsigned i = 0; i < QUEUE; i++) {
    struct candidate *place = &marker.candidates[marker.candidates_next++ % QUEUE];
    struct candidate candidate = *place;
    place->span = NULL;
    if (!candidate.span) continue;
    mark_candidate(candidate);
    any = true;
  }
  return any;
}

/* Empties the queues and the stack. */
static void drain(void) {
  unsigned idle = 0;
  do {
    while (marker.depth || idle < QUEUE) {
      struct range next = {0};
      idle++;
      if (marker.depth) {
        next = marker.stack[--marker.depth];
        idle = 0;
      }
      struct range range = exchange_range(next);
      if (range.low) scan_range(range);
    }
    idle = 0;
  } while (flush_candidates());
}

/* ---- Roots ---- */

/* A word of a thread's own stack or registers that points into a span of its own pins the span: the thread may be
 * suspended inside vgc_free of that slot, past its test of ownership (cache_surrender). */
static NOINLINE void pin_at(uintptr_t word, const struct thread *thread) {
  struct span *span = span_of(word);
  if (span && thread->cache && load_relaxed(&span->owner) == thread->cache) span->pinned = 1;
}

/* What is written is left to a function that is instrumented: the caller is not. */
static ALWAYS_INLINE void pin(uintptr_t word, const struct thread *thread) {
  if (UNLIKELY(word - marker.heap_low < marker.heap_bytes)) pin_at(word, thread);
}

NO_SANITIZE static void mark_root_range(void *context, const void *low, const void *high, struct thread *thread) {
  (void)context;
  for (const uintptr_t *at = low; at < (const uintptr_t *)high; at++) {
    if (thread) pin(*at, thread);
    consider(*at);
  }
  drain();
}

static void mark_uncollectable(struct span *span, void *arg) {
  (void)arg;
  if (span->kind != KIND_UNCOLLECTABLE) return;
  for (uint32_t w = 0; w < span->words; w++)
    for (uint64_t issued = span_issued(span, w); issued; issued &= issued - 1)
      consider(span->base + (uintptr_t)(w * 64 + bitmap_first(issued)) * span->size);
  drain();
}

/* ---- Overflow ---- */

static void rescan_span(struct span *span, void *arg) {
  (void)arg;
  if (!span->overflowed) return;
  span->overflowed = 0;
  for (uint32_t w = 0; w < span->words; w++)
    for (uint64_t marked = span->bits[w].mark & span_issued(span, w); marked; marked &= marked - 1) {
      struct range range = object_range(span, w * 64 + bitmap_first(marked));
      /* In pieces and drained between them, so that a second overflow leaves less to do. */
      for (struct range piece = range; piece.low < range.high; piece.low = piece.high) {
        size_t step = range.layout ? range.layout->words * sizeof(uintptr_t) : PIECE_BYTES / 16;
        piece.high = range.high - piece.low > step ? piece.low + step : range.high;
        scan_piece(piece);
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
  marker.heap_low = low;
  marker.heap_bytes = high > low ? high - low : 0;
  const struct arena *first = &arenas[0];
  marker.first_low = load_relaxed(&first->base);
  marker.first_bytes = first->used_pages << first->page_shift;
  marker.first_map = first->map;
  marker.first_descriptors = first->descriptors;
  marker.first_shift = first->page_shift;
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
  marker.candidates_next = marker.ranges_next = 0;
  for (unsigned i = 0; i < QUEUE; i++) {
    marker.candidates[i] = (struct candidate){0};
    marker.ranges[i] = (struct range){0};
  }
  marker.objects = 0;
  marker.bytes = 0;
  marker.rescans = 0;
  span_each(mark_available, NULL);
  span_each(mark_uncollectable, NULL);
  roots_scan(mark_root_range, NULL);
  POINT(mark_after_roots);
  rescan();
  span_each(unmark_available, NULL);
  return marker.bytes;
}

uint64_t mark_objects(void) { return marker.objects; }
uint32_t mark_overflows(void) { return marker.rescans; }
