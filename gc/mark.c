#include "mark.h"

#include "arena.h"
#include "cache.h"
#include "config.h"
#include "layout.h"
#include "mark_team.h"
#include "pace.h"
#include "platform.h"
#include "point.h"
#include "roots.h"
#include "span.h"
#include "thread.h"

/* Objects larger than this are scanned in pieces, so that one array neither fills the stack at once nor hides from
 * other markers. */
#define PIECE_BYTES 4096u
#define QUEUE       16u  /* prefetches in flight; a power of two */
#define AHEAD_BYTES 512u /* of an object, fetched while it waits */
#define GIVE_LEAST  8u   /* ranges on the stack before some are given away, which costs two system calls */

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

/* How far a marker is. Loops work on copies of this and of the view, which stay in registers: what they write into heap
 * and stack might be these words, for all that the compiler knows. */
struct progress {
  struct mark_range *stack;
  size_t given, depth, capacity;        /* entries from given to depth are to be scanned */
  unsigned candidates_next, candidates; /* where the next goes; how many there are */
  unsigned ranges_next, ranges;
};

/* Its own thread; the collecting thread before mark_team_open and after mark_team_close. */
struct marker {
  struct progress progress;
  size_t bytes_reserved; /* of the stack */
  bool overflowed;
  struct candidate candidates[QUEUE];
  struct mark_range ranges[QUEUE]; /* popped; their first line is on its way (Cher, Hosking, Vitek 2004) */
} __attribute__((aligned(PLATFORM_FALSE_SHARING)));

static struct marker markers[MARK_TEAM_MAX] COLLECTOR_DATA;
/* The collecting thread, world stopped; helpers read it while marking goes on. */
static struct view view COLLECTOR_DATA;
static bool together COLLECTOR_DATA; /* helpers take part */
static uint32_t rescans COLLECTOR_DATA;
static uint64_t objects_marked COLLECTOR_DATA;
static size_t bytes_marked COLLECTOR_DATA;

#define COLLECTOR (&markers[0])

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

static int first_stack(struct marker *marker) {
  size_t entries = config.mark_stack < config.mark_stack_max ? config.mark_stack : config.mark_stack_max;
  return stack_reserve(marker, entries);
}

int mark_initialize(void) { return first_stack(COLLECTOR); }

void mark_shutdown(void) {
  mark_team_stop();
  for (unsigned i = 0; i < MARK_TEAM_MAX; i++) {
    if (markers[i].progress.stack) platform_release(markers[i].progress.stack, markers[i].bytes_reserved);
    markers[i] = (struct marker){0};
  }
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
  struct candidate *place = &marker->candidates[progress->candidates_next++ % QUEUE];
  struct candidate before = *place;
  *place = (struct candidate){word, span};
  if (LIKELY(progress->candidates == QUEUE))
    mark_candidate(marker, progress, before, shared);
  else
    progress->candidates++;
}

/* Marks what is left of the candidates. */
static ALWAYS_INLINE void flush_candidates(struct marker *marker, struct progress *progress, bool shared) {
  for (; progress->candidates; progress->candidates--)
    mark_candidate(marker, progress, marker->candidates[(progress->candidates_next - progress->candidates) % QUEUE],
                   shared);
}

/* ---- Scanning ---- */

/* A word that its thread may have been about to write, or that AddressSanitizer holds poisoned. */
NO_SANITIZE static uintptr_t word_at(uintptr_t address) { return *(const uintptr_t *)address; }

static ALWAYS_INLINE void scan_words(const struct view *in, struct marker *marker, struct progress *progress,
                                     uintptr_t low, uintptr_t high, bool shared) {
  for (uintptr_t at = low; at < high; at += sizeof(uintptr_t)) consider(in, marker, progress, word_at(at), shared);
}

static ALWAYS_INLINE void scan_elements(const struct view *in, struct marker *marker, struct progress *progress,
                                        const struct layout *layout, uintptr_t low, uintptr_t high, bool shared) {
  size_t element = layout->words * sizeof(uintptr_t);
  for (; low + element <= high; low += element)
    for (size_t word = 0; word < layout->words; word += 64)
      for (uint64_t bits = layout->bits[word / 64]; bits; bits &= bits - 1)
        consider(in, marker, progress, word_at(low + (word + bitmap_first(bits)) * sizeof(uintptr_t)), shared);
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
    struct mark_range *place = &marker->ranges[progress->ranges_next++ % QUEUE];
    *next = *place;
    *place = range;
    if (LIKELY(progress->ranges == QUEUE)) return true;
    progress->ranges++;
  }
  if (!progress->ranges) return false;
  *next = marker->ranges[(progress->ranges_next - progress->ranges--) % QUEUE];
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

static void drain(struct marker *marker) {
  if (together)
    drain_shared(marker);
  else
    drain_alone(marker);
}

/* Until nobody has anything left. */
static void drain_all(struct marker *marker) {
  struct progress *progress = &marker->progress;
  do {
    drain_shared(marker);
    progress->depth = mark_team_take(progress->stack, progress->capacity);
  } while (progress->depth);
}

static void begin(struct marker *marker) {
  struct progress *progress = &marker->progress;
  progress->given = progress->depth = progress->candidates = progress->ranges = 0;
  marker->overflowed = false;
}

/* Body of a helper. */
static void help(unsigned number) {
  struct marker *marker = &markers[number];
  if (!marker->progress.stack && first_stack(marker)) return;
  begin(marker);
  drain_all(marker);
}

/* ---- Roots ---- */

/* A word of a thread's own stack or registers that points into a span of its own pins the span: the thread may be
 * suspended inside vgc_free of that slot, past its test of ownership (cache_surrender). */
static void pin(uintptr_t word, const struct thread *thread) {
  struct span *span = span_of(word);
  if (span && thread->cache && load_relaxed(&span->owner) == thread->cache) span->pinned = 1;
}

static void mark_roots(uintptr_t low, uintptr_t high, const struct thread *thread) {
  const struct view in = view;
  struct progress progress = COLLECTOR->progress;
  for (uintptr_t at = low; at < high; at += sizeof(uintptr_t)) {
    uintptr_t word = word_at(at);
    if (LIKELY(word - in.low >= in.bytes)) continue;
    if (thread) pin(word, thread);
    consider(&in, COLLECTOR, &progress, word, together);
  }
  COLLECTOR->progress = progress;
}

static void mark_root_range(void *context, const void *low, const void *high, struct thread *thread) {
  (void)context;
  for (uintptr_t at = (uintptr_t)low, end; at < (uintptr_t)high; at = end) {
    end = (uintptr_t)high - at > PIECE_BYTES ? at + PIECE_BYTES : (uintptr_t)high;
    mark_roots(at, end, thread);
    if (COLLECTOR->progress.depth) drain(COLLECTOR);
  }
}

static void mark_uncollectable(struct span *span, void *arg) {
  (void)arg;
  if (span->kind != KIND_UNCOLLECTABLE) return;
  for (uint32_t w = 0; w < span->words; w++)
    for (uint64_t issued = span_issued(span, w); issued; issued &= issued - 1)
      consider(&view, COLLECTOR, &COLLECTOR->progress,
               span->base + (uintptr_t)(w * 64 + bitmap_first(issued)) * span->size, together);
  drain(COLLECTOR);
}

/* ---- Overflow ---- */

static uint64_t available_in(const struct span *span, uint32_t word) {
  return (load_relaxed(&span->active) & SPAN_NO_WORD) == word ? load_relaxed(&span->avail) : 0;
}

/* In pieces and drained between them, so that a second overflow leaves less to do. */
static void rescan_object(struct mark_range range) {
  const struct view in = view;
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
      scan_elements(&in, COLLECTOR, &COLLECTOR->progress, layout, low, end, false);
    else
      scan_words(&in, COLLECTOR, &COLLECTOR->progress, low, end, false);
    drain_alone(COLLECTOR);
  }
}

static void rescan_span(struct span *span, void *arg) {
  (void)arg;
  if (!span->overflowed) return;
  span->overflowed = 0;
  for (uint32_t w = 0; w < span->words; w++)
    for (uint64_t marked = span->bits[w].mark & ~available_in(span, w); marked; marked &= marked - 1)
      rescan_object(object_range(span, w * 64 + bitmap_first(marked)));
}

static void rescan(void) {
  while (COLLECTOR->overflowed) {
    COLLECTOR->overflowed = false;
    rescans++;
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
  view = (struct view){.low = low,
                       .bytes = high > low ? high - low : 0,
                       .first_low = load_relaxed(&first->base),
                       .first_bytes = first->used_pages << first->page_shift,
                       .first_map = first->map,
                       .first_descriptors = first->descriptors,
                       .first_shift = first->page_shift};
}

/* ---- Slots that are still to be issued ---- */

/* They are no objects. While they bear marks nothing finds them, and the marker needs not look at the owner's line. A
 * span that a thread is just giving up has some and is not current: there a stray word may mark one, which is zero. */
static void mark_available(bool mark) {
  for (struct cache *cache = cache_all(); cache; cache = cache->next)
    for (unsigned slot = 0; slot < CACHE_SLOTS; slot++) {
      struct span *span = load_relaxed(&cache->current[slot]);
      uint32_t word = load_relaxed(&span->active) & SPAN_NO_WORD;
      if (word == SPAN_NO_WORD) continue;
      uint64_t available = load_relaxed(&span->avail);
      span->bits[word].mark = mark ? span->bits[word].mark | available : span->bits[word].mark & ~available;
    }
}

static void mark_from_roots(void) {
  if (span_any_uncollectable()) span_each(mark_uncollectable, NULL);
  roots_scan(mark_root_range, NULL);
  drain(COLLECTOR);
  POINT(mark_after_roots);
}

/* What helpers have put off is the collector's. */
static void take_over(void) {
  for (unsigned i = 1; i < MARK_TEAM_MAX; i++) { /* one that is just being hired may have come, too */
    COLLECTOR->overflowed |= markers[i].overflowed;
    begin(&markers[i]);
  }
}

/* A small heap is marked before a helper has woken up. */
static bool worth_helpers(void) { return pace_marked() >= config.minimum_heap; }

static void count(struct span *span, void *arg) {
  (void)arg;
  uint64_t marked = 0;
  for (uint32_t w = 0; w < span->words; w++) marked += bitmap_count(span->bits[w].mark);
  objects_marked += marked;
  bytes_marked += marked * (span->size ? span->size : (size_t)span->pages * config.page_bytes);
}

size_t mark_all(void) {
  bound_heap();
  begin(COLLECTOR);
  rescans = 0;
  together = mark_team_helpers() && config.mark_workers > 1 && worth_helpers();
  mark_available(true);
  if (together) mark_team_open(help);
  mark_from_roots();
  if (together) {
    drain_all(COLLECTOR);
    mark_team_close();
    take_over();
  }
  rescan();
  mark_available(false);
  objects_marked = bytes_marked = 0;
  span_each(count, NULL);
  return bytes_marked;
}

void mark_hire(void) {
  unsigned wanted = config.trim_ms ? 1 : 0;
  if (config.mark_workers > 1 && worth_helpers()) wanted = config.mark_workers - 1;
  mark_team_start(wanted);
}

uint64_t mark_objects(void) { return objects_marked; }
uint32_t mark_overflows(void) { return rescans; }

size_t mark_stack_bytes(void) {
  size_t bytes = 0;
  for (unsigned i = 0; i < MARK_TEAM_MAX; i++) bytes += markers[i].bytes_reserved;
  return bytes;
}
