#include "mark.h"

#include "cache.h"
#include "collect.h"
#include "config.h"
#include "mark_choice.h"
#include "mark_team.h"
#include "marker.h"
#include "pace.h"
#include "platform.h"
#include "point.h"
#include "roots.h"
#include "span.h"
#include "special.h"
#include "thread.h"

static struct marker markers[MARK_TEAM_MAX] COLLECTOR_DATA;
static bool together COLLECTOR_DATA; /* helpers take part */
/* Of the last cycle: whether they did, and that was a choice; how long marking took. */
static bool were_together COLLECTOR_DATA, chosen COLLECTOR_DATA;
static uint64_t nanoseconds COLLECTOR_DATA;
static uint32_t rescans COLLECTOR_DATA;
static uint64_t objects_marked COLLECTOR_DATA;
static size_t bytes_marked COLLECTOR_DATA, bytes_unscanned COLLECTOR_DATA;

#define COLLECTOR      (&markers[0])
#define ROOTS_TOGETHER 512u /* objects that roots have led to before they are scanned */
#define WORTH_HELPERS  ((size_t)4 << 20)

int mark_initialize(void) {
  mark_choice_reset();
  return marker_stack(COLLECTOR);
}

void mark_shutdown(void) {
  mark_team_stop();
  for (unsigned i = 0; i < MARK_TEAM_MAX; i++) marker_release(&markers[i]);
}

static void drain(struct marker *marker) { marker_drain(marker, together); }

/* Until nobody has anything left. */
static void drain_all(struct marker *marker) {
  struct progress *progress = &marker->progress;
  do {
    marker_drain(marker, true);
    progress->depth = mark_team_take(progress->stack, progress->capacity);
  } while (progress->depth);
}

/* Body of a helper. */
static void help(unsigned number) {
  struct marker *marker = &markers[number];
  if (marker_stack(marker)) return;
  marker_begin(marker);
  collect_help(true);
  drain_all(marker);
  collect_help(false);
}

/* ---- Roots ---- */

/* A word of a thread's own stack or registers that points into a span of its own pins the span: the thread may be
 * suspended inside vgc_free of that slot, past its test of ownership (cache_surrender). */
static void pin(uintptr_t word, const struct thread *thread) {
  struct span *span = span_of(word);
  if (span && thread->cache && load_relaxed(&span->owner) == thread->cache) span->pinned = 1;
}

NO_SANITIZE static void mark_root_range(void *context, const void *low, const void *high, struct thread *thread,
                                        bool is_static) {
  (void)context;
  if (marker_gave_up()) return;
  for (uintptr_t at = (uintptr_t)low; at < (uintptr_t)high; at += sizeof(uintptr_t)) {
    uintptr_t word = *(const uintptr_t *)at; /* not marker_word: of roots most are looked at no further */
    if (LIKELY(!marker_may_point(word))) continue;
    if (thread) pin(word, thread);
    if (is_static)
      marker_consider(COLLECTOR, word, together);
    else
      marker_consider_anywhere(COLLECTOR, word, together);
    if (COLLECTOR->progress.depth >= ROOTS_TOGETHER) drain(COLLECTOR);
  }
  if (COLLECTOR->progress.depth) drain(COLLECTOR);
}

static void mark_uncollectable(struct span *span, void *arg) {
  (void)arg;
  if (!kind_is_uncollectable(span->kind)) return;
  for (uint32_t w = 0; w < span->words; w++)
    for (uint64_t issued = span_issued(span, w); issued; issued &= issued - 1) {
      uintptr_t object = span->base + (uintptr_t)(w * 64 + bitmap_first(issued)) * span->size;
      if (!special_is_freed((void *)object)) marker_consider(COLLECTOR, object, together);
    }
  drain(COLLECTOR);
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
    for (uint64_t marked = span->bits[w].mark & ~available_in(span, w); marked; marked &= marked - 1)
      marker_scan(COLLECTOR, span, w * 64 + bitmap_first(marked), true);
}

static void rescan(void) {
  while (COLLECTOR->overflowed && !marker_gave_up()) {
    COLLECTOR->overflowed = false;
    rescans++;
    span_each(rescan_span, NULL);
  }
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
    marker_begin(&markers[i]);
  }
}

/* A small heap is marked before a helper has woken up. */
static bool worth_helpers(size_t marked) { return marked >= WORTH_HELPERS || marked / 4 >= CONFIG(minimum_heap); }

static bool choose_together(void) {
  chosen = false;
  if (!mark_team_helpers() || config.mark_workers == 1 || !worth_helpers(pace_marked())) return false;
  chosen = config_markers_by_default();
  return !chosen || mark_choice_together();
}

static void count(struct span *span, void *arg) {
  (void)arg;
  uint64_t marked = 0;
  for (uint32_t w = 0; w < span->words; w++) marked += bitmap_count(span->bits[w].mark);
  objects_marked += marked;
  size_t bytes = marked * span_slot_bytes(span);
  bytes_marked += bytes;
  if (kind_is_noscan(span->kind)) bytes_unscanned += bytes;
}

static void forget(struct span *span, void *arg) {
  (void)arg;
  span->pinned = span->overflowed = 0;
  for (uint32_t w = 0; w < span->words; w++) span->bits[w].mark = 0;
}

/* Whether nothing has been given up. From here on nothing is. */
static bool end_limit(void) {
  bool whole = !marker_gave_up();
  marker_limit(COLLECTOR, NULL);
  if (whole) return true;
  span_each(forget, NULL);
  if (chosen) mark_choice_give_up(were_together);
  return false;
}

bool mark_reachable(bool (*enough)(void)) {
  marker_learn_bounds();
  marker_begin(COLLECTOR);
  marker_limit(COLLECTOR, enough);
  rescans = 0;
  uint64_t start = platform_now_ns();
  together = were_together = choose_together();
  mark_available(true);
  if (together) mark_team_open(help);
  mark_from_roots();
  if (together) {
    drain_all(COLLECTOR);
    mark_team_close();
    take_over();
    together = false;
  }
  rescan();
  nanoseconds = platform_now_ns() - start;
  return end_limit();
}

/* ---- After that, alone ---- */

bool mark_reached(const void *object) {
  const struct span *span = span_of((uintptr_t)object);
  if (!span) return true;
  uint32_t slot = span_slot(span, (uintptr_t)object);
  return span->bits[slot / 64].mark >> slot % 64 & 1;
}

static void settle(void) {
  drain(COLLECTOR);
  rescan();
}

void mark_object(const void *object) {
  marker_consider(COLLECTOR, (uintptr_t)object, false);
  settle();
}

void mark_contents(const void *object, bool but_itself) {
  struct span *span = span_of((uintptr_t)object);
  if (kind_is_noscan(span->kind)) return;
  uint32_t slot = span_slot(span, (uintptr_t)object);
  uint64_t bit = but_itself ? UINT64_C(1) << slot % 64 : 0;
  span->bits[slot / 64].mark |= bit;
  marker_scan(COLLECTOR, span, slot, false);
  span->bits[slot / 64].mark &= ~bit;
  settle();
}

size_t mark_end(void) {
  mark_available(false);
  objects_marked = bytes_marked = bytes_unscanned = 0;
  span_each(count, NULL);
  if (chosen || (config_markers_by_default() && worth_helpers(bytes_marked)))
    mark_choice_learn(were_together, nanoseconds, bytes_marked);
  return bytes_marked;
}

void mark_hire(void) {
  unsigned wanted = config.trim_ms ? 1 : 0;
  if (config.mark_workers > 1 && worth_helpers(pace_marked())) wanted = config.mark_workers - 1;
  mark_team_start(wanted);
}

size_t mark_unscanned_bytes(void) { return bytes_unscanned; }
uint64_t mark_objects(void) { return objects_marked; }
uint32_t mark_overflows(void) { return rescans; }
unsigned mark_markers(void) { return were_together ? mark_team_helpers() + 1 : 1; }

size_t mark_stack_bytes(void) {
  size_t bytes = 0;
  for (unsigned i = 0; i < MARK_TEAM_MAX; i++) bytes += markers[i].bytes_reserved;
  return bytes;
}
