#include "span.h"

#include "config.h"
#include "error.h"
#include "event.h"
#include "lock.h"
#include "point.h"

#define DESCRIPTOR_LINES_MAX 64u

_Static_assert(sizeof(struct span) <= (size_t)ARENA_NO_SPAN_LINES * PLATFORM_CACHE_LINE,
               "entry 0 stands for a whole descriptor");

static size_t uncollectable COLLECTOR_DATA; /* pages lock: spans of such kinds */
/* Pages lock: unused descriptors by their number of lines, linked through next. They stay mapped and keep being struct
 * span, so that a reader with a stale page-map entry reads a descriptor, never another thing. */
static struct span *unused[DESCRIPTOR_LINES_MAX + 1] COLLECTOR_DATA;

uint32_t span_descriptor_lines(uint32_t words) {
  size_t bits = offsetof(struct span, bits) + words * sizeof(struct span_bits);
  size_t remote = words * sizeof(uint64_t);
  size_t lines = (bits + PLATFORM_CACHE_LINE - 1) / PLATFORM_CACHE_LINE;
  return (uint32_t)(lines + (remote + PLATFORM_CACHE_LINE - 1) / PLATFORM_CACHE_LINE);
}

static struct span *descriptor_take(struct arena *arena, uint32_t lines) {
  for (struct span **link = &unused[lines]; *link; link = &(*link)->next) {
    struct span *span = *link;
    if ((size_t)((char *)span - arena->descriptors) >= arena->descriptor_bytes) continue;
    *link = span->next;
    return span;
  }
  size_t line = arena->descriptor_lines;
  if ((line + lines) * PLATFORM_CACHE_LINE > arena->descriptor_bytes) return NULL;
  arena->descriptor_lines = line + lines;
  return (struct span *)(void *)(arena->descriptors + line * PLATFORM_CACHE_LINE);
}

static void publish(struct arena *arena, const struct span *span, size_t page) {
  uint32_t line = (uint32_t)((size_t)((const char *)span - arena->descriptors) / PLATFORM_CACHE_LINE);
  POINT(span_before_publish);
  /* Release: whoever finds the entry finds the descriptor complete; acquire in arena_span_at (V04). */
  for (size_t i = 0; i < span->pages; i++) store_release(&arena->map[page + i], line);
}

struct span *span_create(struct run run, unsigned class_index, enum kind kind, struct cache *owner,
                         enum span_state state) {
  const bool large = class_index == SPAN_CLASS_LARGE;
  const struct sizeclass *entry = large ? NULL : &sizeclass_table[class_index];
  uint32_t words = large ? 1 : entry->words;
  struct span *span = descriptor_take(run.arena, span_descriptor_lines(words));
  if (!span) return NULL;
  store_relaxed(&span->class_index, (uint8_t)class_index);
  POINT(span_half_made);
  span->zeroed = run.zero;
  span->cursor = 0;
  span->pinned = 0;
  span->overflowed = 0;
  span->next = span->previous = NULL;
  span->avail_base = 0;
  span->avail_at = SPAN_NOWHERE;
  store_relaxed(&span->avail, 0);
  store_relaxed(&span->active, SPAN_NO_WORD);
  const uint32_t slots = large ? 1 : entry->slots;
  for (uint32_t w = 0; w < words; w++) {
    store_relaxed(&span->bits[w].free, bitmap_valid(slots, w));
    span->bits[w].mark = 0;
    store_relaxed(&span_remote_of(span, words)[w], 0);
  }
  /* Loose: who still looks at the last life may read them (span_object_at). */
  store_loose(&span->base, load_relaxed(&run.arena->base) + (run.page << run.arena->page_shift));
  store_loose(&span->pages, (uint32_t)run.pages);
  store_loose(&span->reciprocal, large ? 0 : entry->reciprocal);
  store_loose(&span->starts, large ? 0 : entry->starts);
  store_loose(&span->slots, (uint16_t)slots);
  store_loose(&span->words, (uint8_t)words);
  store_loose(&span->kind, (uint8_t)kind);
  store_loose(&span->size, large ? 0 : entry->size);
  /* Release: who sees the life sees all that it begins with; acquire in span_object_at and take_returned. The
   * descriptor may still be in a list of returned spans from its last life, and whoever pops it there routes it anew.
   */
  fetch_add_release(&span->life, SPAN_LIVES);
  store_relaxed(&span->owner, owner);
  store_relaxed(&span->state, (uint16_t)state);
  platform_poison((void *)span->base, run.pages << run.arena->page_shift);
  publish(run.arena, span, run.page);
  uncollectable += kind_is_uncollectable(kind);
  event_record(EVENT_SPAN_MADE, (uintptr_t)span, run.pages);
  return span;
}

void span_destroy(struct span *span) {
  struct arena *arena = arena_of(span->base);
  size_t page = (span->base - load_relaxed(&arena->base)) >> arena->page_shift;
  /* Relaxed: who finds no span looks no further. */
  for (size_t i = 0; i < span->pages; i++) store_relaxed(&arena->map[page + i], 0);
  /* Acquire: span_lives_on's release: what that thread has read is not of the next life. */
  fetch_add_acquire(&span->life, SPAN_LIVES);
  uncollectable -= kind_is_uncollectable(span->kind);
  store_relaxed(&span->owner, NULL);
  store_relaxed(&span->state, SPAN_NONE);
  uint32_t lines = span_descriptor_lines(span->words);
  span->next = unused[lines];
  unused[lines] = span;
  platform_poison((void *)span->base, (size_t)span->pages << arena->page_shift);
  pages_give((struct run){arena, page, span->pages, false});
}

void span_reset(void) {
  __builtin_memset(unused, 0, sizeof unused);
  uncollectable = 0;
}

/* Slots that ended twice: freed by the owner, and freed by another thread or found dead by the collector. */
static COLD void report_twice(const struct span *span, uint32_t word, uint64_t slots) {
  for (; slots; slots &= slots - 1) {
    uintptr_t slot = word * 64 + bitmap_first(slots);
    error_report(
        VGC_ERROR_DOUBLE_FREE, (void *)(span->base + slot * span->size),
        "double free, seen late: freed by two threads, or by one after a collection found that nothing reaches "
        "it; free each object once, and only while a pointer to it is kept");
  }
}

/* One pass: what is returned meanwhile may be announced by nobody, but the word has a free slot now, and its holder
 * looks at it again before the span counts as full. */
uint64_t span_fold(struct span *span, uint32_t word) {
  _Atomic uint64_t *remote = &span_remote(span)[word];
  /* Acquire: pairs with the release in cache_free_remote: that thread's last use of the object happens before the
   * slot's next issue. */
  uint64_t returned = load_acquire(remote);
  if (!returned) return 0;
  uint64_t free = load_relaxed(&span->bits[word].free);
  uint64_t available = 0;
  if ((load_relaxed(&span->active) & SPAN_NO_WORD) == word) available = load_relaxed(&span->avail);
  if (UNLIKELY(returned & (free | available))) report_twice(span, word, returned & (free | available));
  /* Into free first, out of remote second: between the two the slot is in both, which reads as free. */
  store_relaxed(&span->bits[word].free, free | (returned & ~available));
  signal_order();
  POINT(span_fold_between);
  platform_edge_acquire(remote);
  /* Release: who finds the slot not returned any more finds it free; acquire in span_issued_in. */
  fetch_and_release(remote, ~returned);
  return returned;
}

bool span_anything_returned(struct span *span) {
  for (uint32_t w = 0; w < span->words; w++)
    if (load_relaxed(&span_remote(span)[w])) return true;
  return false;
}

bool span_fold_all(struct span *span) {
  bool any = false;
  for (uint32_t w = 0; w < span->words; w++) {
    span_fold(span, w);
    any |= load_relaxed(&span->bits[w].free) != 0;
  }
  return any;
}

/* Every intermediate state must read right, for a suspension between any two stores and for remote frees that run
 * beside: `active` is moved while `avail` is empty; the bits enter `avail` before they leave `free`. */
static void activate(struct span *span, uint32_t word, uint64_t bits) {
  uint32_t refill = (load_relaxed(&span->active) & ~SPAN_NO_WORD) + 0x10000;
  span->avail_base = span->base + (uintptr_t)word * 64 * span->size;
  span->avail_at = (uint32_t)span_bits_at(word * UINT64_C(64));
  POINT(span_refill_based);
  /* Release: who sees this word does not see what was available in the last one; acquire in span_issued_in. */
  store_release(&span->active, refill | word);
  POINT(span_refill_before_avail);
  /* Release: a remote free that sees these bits also sees the refill that they belong to (acquire in span_issued_in).
   */
  store_release(&span->avail, bits);
  POINT(span_refill_between);
  /* Release: a remote free that finds the slot not free any more (acquire in span_issued_in) finds it available. */
  store_release(&span->bits[word].free, load_relaxed(&span->bits[word].free) & ~bits);
}

/* The first of the free slots, as many as are made available at once. */
static uint64_t batch(const struct span *span, uint64_t free) {
  unsigned count = span->size >= SPAN_REFILL_BYTES ? 1 : SPAN_REFILL_BYTES / span->size;
  /* One at a time when every allocation must pass the slow path. */
  if (UNLIKELY(CONFIG(collect_every) || config.check_level >= 2)) count = 1;
  return free & bitmap_below(count) << bitmap_first(free);
}

/* Zeroes slots that are nobody's, run by run. */
static void zero_slots(const struct span *span, uint32_t word, uint64_t slots) {
  while (slots) {
    unsigned first = bitmap_first(slots);
    uint64_t gap = ~(slots >> first);
    unsigned count = gap ? bitmap_first(gap) : 64;
    char *start = (char *)span->base + (word * 64 + first) * (size_t)span->size;
    platform_unpoison(start, count * (size_t)span->size);
    __builtin_memset(start, 0, count * (size_t)span->size);
    platform_poison(start, count * (size_t)span->size);
    slots &= ~(bitmap_below(count) << first);
  }
}

/* The slots are made available, and the next refill looks behind them. */
static void take_slots(struct span *span, uint32_t word, uint64_t slots) {
  if (!kind_is_noscan(span->kind) && !span->zeroed) zero_slots(span, word, slots);
  uint32_t next = word * 64 + bitmap_last(slots) + 1;
  bool wraps = next >= span->slots;
  span->zeroed &= !wraps;
  signal_order(); /* a fork may come between: never the cursor at the start and all of it zeroed */
  span->cursor = (uint16_t)(wraps ? 0 : next);
  activate(span, word, slots);
}

bool span_refill(struct span *span) {
  uint32_t start = span->cursor / 64;
  uint64_t passed = bitmap_below(span->cursor % 64);
  /* The first word twice: before the span counts as full, what lies before the cursor as well. */
  for (uint32_t i = 0; i <= span->words; i++, passed = 0) {
    uint32_t word = start + i;
    if (word >= span->words) {
      word -= span->words;
      span->zeroed = false;
    }
    if (UNLIKELY(load_relaxed(&span_remote(span)[word]))) span_fold(span, word);
    uint64_t free = load_relaxed(&span->bits[word].free) & ~passed;
    if (!free) continue;
    take_slots(span, word, batch(span, free));
    return true;
  }
  return false;
}

void span_park(struct span *span) {
  uint64_t available = load_relaxed(&span->avail);
  uint32_t active = load_relaxed(&span->active);
  span->avail_at = SPAN_NOWHERE;
  if (available) {
    uint32_t word = active & SPAN_NO_WORD;
    store_relaxed(&span->bits[word].free, load_relaxed(&span->bits[word].free) | available);
    signal_order();
    /* Release: who finds the slots not available any more finds them free; acquire in span_issued_in. */
    store_release(&span->avail, 0);
  }
  /* Release: who does not look into `avail` for want of an active word finds the slots free; acquire in span_issued_in.
   */
  store_release(&span->active, active | SPAN_NO_WORD);
}

uint64_t span_issued(struct span *span, uint32_t word) {
  return bitmap_valid(span->slots, word) & span_issued_in(span, word, &span_remote(span)[word]);
}

bool span_lives_on(struct span *span, uint32_t life) {
  /* Release: if it comes before the end of the life (acquire in span_destroy), so does all that was read before it. A
   * mere load might still see the life when earlier ones have seen the next. */
  uint32_t now = fetch_add_release(&span->life, 0);
  return (life & SPAN_LIVES) && !((life ^ now) & ~SPAN_NOTIFIED);
}

/* Another thread may free the object, end its span, and make another of the descriptor, before, between and after these
 * loads. What they give, which may be of several lives, is used only if one life lasted from the first to the last, and
 * that one's pages hold the address. If it did not, no object was here all the time, and none is the answer (X63). */
bool span_object_at(uintptr_t address, struct span_object *object) {
  struct span *span = span_of(address);
  if (!span) return false;
  POINT(span_object_found);
  /* Acquire: span_create's release: nothing that is read from here on is older than this life. */
  uint32_t life = load_acquire(&span->life);
  uintptr_t base = load_loose(&span->base);
  size_t size = load_loose(&span->size), bytes = load_loose(&span->pages) * (size_t)config.page_bytes;
  uint32_t slot = (uint32_t)(((address - base) * load_loose(&span->reciprocal)) >> 32);
  if (address - base >= bytes || slot >= load_loose(&span->slots)) return false;
  const _Atomic uint64_t *remote = &span_remote_of(span, load_loose(&span->words))[slot / 64];
  if (!(span_issued_in(span, slot / 64, remote) >> slot % 64 & 1)) return false;
  *object = (struct span_object){base + slot * size, size ? size : bytes, (enum kind)load_loose(&span->kind)};
  return span_lives_on(span, life);
}

uint32_t span_free_count(struct span *span) {
  uint32_t count = bitmap_count(load_relaxed(&span->avail));
  for (uint32_t w = 0; w < span->words; w++) count += bitmap_count(load_relaxed(&span->bits[w].free));
  return count;
}

bool span_any_uncollectable(void) { return uncollectable != 0; }

void span_each(void (*visit)(struct span *, void *), void *arg) {
  for (uint32_t i = 0, count = load_relaxed(&arenas_count); i < count; i++)
    for (size_t page = 0; page < arenas[i].used_pages;) {
      struct span *span = arena_span_at(&arenas[i], page << arenas[i].page_shift);
      const struct run_tag *tag = &arenas[i].tags[page];
      page += span ? span->pages : tag->state == RUN_FREE ? tag->length : 1;
      if (span) visit(span, arg);
    }
}

static void forget_notice(struct span *span, void *arg) {
  (void)arg;
  store_relaxed(&span->life, load_relaxed(&span->life) & ~SPAN_NOTIFIED);
}

void span_forget_notices(void) {
  span_each(forget_notice, NULL);
  for (unsigned lines = 0; lines <= DESCRIPTOR_LINES_MAX; lines++)
    for (struct span *span = unused[lines]; span; span = span->next) forget_notice(span, NULL);
}

void span_list_push(struct span_list *list, struct span *span) {
  span->previous = NULL;
  span->next = list->first;
  if (list->first)
    list->first->previous = span;
  else
    list->last = span;
  list->first = span;
}

void span_list_remove(struct span_list *list, struct span *span) {
  if (span->previous)
    span->previous->next = span->next;
  else
    list->first = span->next;
  if (span->next)
    span->next->previous = span->previous;
  else
    list->last = span->previous;
  span->next = span->previous = NULL;
}

struct span *span_list_pop(struct span_list *list) {
  struct span *span = list->first;
  if (span) span_list_remove(list, span);
  return span;
}

void span_list_splice(struct span_list *to, struct span_list *from) {
  if (!from->first) return;
  from->first->previous = to->last;
  if (to->last)
    to->last->next = from->first;
  else
    to->first = from->first;
  to->last = from->last;
  *from = (struct span_list){0};
}
