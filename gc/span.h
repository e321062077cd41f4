/* Spans: runs of pages that hold objects of one class and one kind, or one large object.
 *
 * A slot is, at every instant and as seen by a suspension between any two instructions, exactly one of
 *   free       its bit is set in bits[w].free, or in `avail` when w is the active word (both while it moves)
 *   issued     neither
 *   returned   issued, and its bit is set in remote[w]: freed by a thread that is not the owner, or found dead by the
 *              collector while a cache held the span. The owner folds returned slots into free.
 *
 * Single-writer rule: while a span has an owner, only the owner writes `avail`, `avail_base`, `active` and bits[].free,
 * with plain moves; everybody else, the collector in a stopped world too, speaks through remote[]. While it has none,
 * the lock of its class (large: the pages lock) stands for the owner.
 *
 * States, and who moves a span from one to the next:
 *   NONE      descriptor unused                                         pages lock
 *   CURRENT   owned; a cache allocates from it                          owner
 *   FULL      owned; no free slot known                                 owner
 *   USABLE    owned; has free slots, waits to become current            owner
 *   PARTIAL   no owner; swept; has free slots                           class lock
 *   EXHAUSTED no owner; swept; no free slot known                       class lock
 *   UNSWEPT   no owner; marks of the last cycle not yet folded in       class lock; pages lock for large
 *   LARGE     one object; swept                                         pages lock
 * An owner gives a span up when its thread exits, or the collector takes it in a stopped world (cache_surrender). */
#ifndef VGC_SPAN_H
#define VGC_SPAN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "atomic.h"
#include "bitmap.h"
#include "pages.h"
#include "platform.h"
#include "point.h"
#include "sizeclass.h"

struct cache;

enum kind {
  KIND_SCAN,          /* every word may be a pointer */
  KIND_TYPED,         /* the slot's last word names the layout (V08: per object) */
  KIND_UNCOLLECTABLE, /* as SCAN, and a root */
  KIND_NOSCAN,        /* from here on no word is */
  KIND_UNCOLLECTABLE_NOSCAN,
  KIND_COUNT
};

/* Not scanned, and not zeroed. */
static ALWAYS_INLINE bool kind_is_noscan(unsigned kind) { return kind >= KIND_NOSCAN; }
static ALWAYS_INLINE bool kind_is_uncollectable(unsigned kind) {
  return kind == KIND_UNCOLLECTABLE || kind == KIND_UNCOLLECTABLE_NOSCAN;
}

enum span_state {
  SPAN_NONE,
  SPAN_CURRENT,
  SPAN_FULL,
  SPAN_USABLE,
  SPAN_PARTIAL,
  SPAN_EXHAUSTED,
  SPAN_UNSWEPT,
  SPAN_LARGE
};

/* Where a cache keeps its spans of a class and kind. */
static ALWAYS_INLINE size_t span_cache_index(enum kind kind, unsigned class_index) {
  return (size_t)kind * SIZECLASS_COUNT + class_index;
}

#define SPAN_NO_WORD     0xffffu
#define SPAN_NOWHERE     UINT32_MAX
#define SPAN_CLASS_LARGE 0xffu
/* Slots of no more are made available at once, if of more than one: they are zeroed together. */
#define SPAN_REFILL_BYTES 16384u

/* The descriptor's word `life`: the number of its lives and ends, in steps of SPAN_LIVES, and a flag. */
#define SPAN_NOTIFIED 1u /* in a list of returned spans, or about to be; kept over the end of a life */
#define SPAN_LIVES    2u /* serves a span */

struct span_bits {
  _Atomic uint64_t free; /* owner, relaxed; read by remote frees and by the marker */
  uint64_t mark;         /* marker in a stopped world; cleared by whoever sweeps */
};

struct span {
  /* The owner's line: written at every allocation. */
  _Atomic uint64_t avail;       /* slots of the active word that may be issued; see cache_issue, span_refill */
  uintptr_t avail_base;         /* owner: address of slot 0 of the active word */
  uint32_t avail_at;            /* owner: span_bits_at of the active word's slots, or SPAN_NOWHERE */
  _Atomic uint32_t active;      /* owner: count of refills << 16 | word index, or SPAN_NO_WORD */
  _Atomic uint16_t state;       /* enum span_state; written by the owner or under the lock that stands for it */
  uint16_t cursor;              /* owner: the next refill looks from this slot on */
  uint8_t pinned;               /* collector: its owner's stack points into it (cache_surrender) */
  uint8_t overflowed;           /* collector: holds a marked object whose scan was put off */
  bool zeroed;                  /* owner: no slot from the cursor on was ever used; of a large object: it was not */
  _Atomic uint8_t class_index;  /* immutable in a life; relaxed, for who finds the descriptor in a list of its last */
  struct span *next, *previous; /* in a list of the owner's or of central; same rule as of state */
  struct span *remote_next;     /* whoever set SPAN_NOTIFIED */
  uint32_t pages;               /* immutable */
  _Atomic uint32_t life;        /* pages lock; SPAN_NOTIFIED: any thread. By read-modify-writes alone */

  /* Read by every free and by the marker; the bits of the first words share the line. */
  uintptr_t base __attribute__((aligned(PLATFORM_CACHE_LINE))); /* immutable (in a life: see span_object_at) */
  uint32_t reciprocal;           /* immutable; 0 for a large object: every offset is in slot 0 */
  uint32_t size;                 /* immutable: bytes of a slot; 0 for a large object */
  _Atomic(struct cache *) owner; /* set by the new owner under the class lock; cleared by the owner (exit) under the
                                    class lock or by the collector in a stopped world */
  uint32_t starts;               /* see span_product_is_start; 0 from when something is attached to one of its objects
                                    (special.h); loose */
  uint16_t slots;                /* immutable */
  uint8_t words;                 /* immutable */
  uint8_t kind;                  /* immutable, enum kind */
  struct span_bits bits[];       /* words entries, then, from the next line on, the remote words */
};

/* Descriptor lines for a bitmap of that many words. */
uint32_t span_descriptor_lines(uint32_t words);

/* The remote words of a span of that many. A descriptor has them in the same place in each of its lives: the lines of
 * the bits and those of the remote words both grow with `words`, and their sum is the same. */
static ALWAYS_INLINE _Atomic uint64_t *span_remote_of(struct span *span, uint32_t words) {
  uintptr_t end = (uintptr_t)span->bits + words * sizeof(struct span_bits);
  end = (end + PLATFORM_CACHE_LINE - 1) & ~(uintptr_t)(PLATFORM_CACHE_LINE - 1);
  return (_Atomic uint64_t *)end;
}

static ALWAYS_INLINE _Atomic uint64_t *span_remote(struct span *span) { return span_remote_of(span, span->words); }

/* The slot of the address in the upper half, its place in the slot as a fraction of 2^32 in the lower one. */
static ALWAYS_INLINE uint64_t span_product(const struct span *span, uintptr_t address) {
  return (address - span->base) * span->reciprocal;
}
/* Whether the address is a slot's start (Lemire, Kaser, Kurz 2019, their bound made as low as the last slot allows, so
 * that what lies behind it is none; see struct sizeclass). Of a large object none is. */
static ALWAYS_INLINE bool span_product_is_start(const struct span *span, uint64_t product) {
  return (uint32_t)product < load_loose(&span->starts);
}

/* Where in bits[] the slot's word is, in bytes. */
static ALWAYS_INLINE uintptr_t span_bits_at(uintptr_t slot) { return slot / 64 * sizeof(struct span_bits); }
static ALWAYS_INLINE struct span_bits *span_bits_there(struct span *span, uintptr_t at) {
  return (struct span_bits *)(void *)((char *)span->bits + at);
}

static ALWAYS_INLINE uint32_t span_slot(const struct span *span, uintptr_t address) {
  return (uint32_t)(span_product(span, address) >> 32);
}

/* Bytes of the slot at hand. */
static ALWAYS_INLINE size_t span_slot_bytes(const struct span *span) {
  return span->size ? span->size : (size_t)span->pages * (arenas[0].page_shift ? (size_t)1 << arenas[0].page_shift : 0);
}

static ALWAYS_INLINE unsigned span_class(const struct span *span) { return load_relaxed(&span->class_index); }

/* Where its owner keeps it. */
static ALWAYS_INLINE size_t span_index(const struct span *span) {
  return span_cache_index((enum kind)span->kind, span_class(span));
}

static ALWAYS_INLINE enum span_state span_state(const struct span *span) {
  return (enum span_state)load_relaxed(&span->state);
}

/* Sets a bit that was clear in `before`, what `mark` was. False: another of the markers, if there are several, has.
 * Relaxed: a mark publishes nothing; who sweeps has it from mark_team_close. */
static ALWAYS_INLINE bool span_set_mark(struct span_bits *bits, uint64_t before, uint64_t bit, bool several) {
  if (several) return !(fetch_or_loose(&bits->mark, bit) & bit);
  bits->mark = before | bit;
  return true;
}

/* Bits of the word's slots that are met nowhere among those that are not issued.
 *
 * A slot that is not issued goes from returned to free (span_fold), to available (activate) and back to free
 * (span_park). Looked for in that order it is met somewhere: each move is complete at its destination before the slot
 * leaves, and who sees that it has left (acquire) sees that (release) (X61). A refill meanwhile begins anew. */
static ALWAYS_INLINE uint64_t span_issued_in(struct span *span, uint32_t word, const _Atomic uint64_t *remote) {
  uint64_t issued;
  uint32_t active;
  do {
    /* Acquire: activate's release, so that `avail` is not read as it was for an earlier word. */
    active = load_acquire(&span->active);
    /* Acquire: span_fold's release of what it takes out. */
    issued = ~load_acquire(remote);
    POINT(span_issued_looking);
    /* Acquire: activate's release of what it takes out. */
    issued &= ~load_acquire(&span->bits[word].free);
    /* Acquire: activate's release, so that a later refill shows below; and span_park's. */
    if ((active & SPAN_NO_WORD) == word) issued &= ~load_acquire(&span->avail);
    issued &= ~load_relaxed(&span->bits[word].free);
  } while (UNLIKELY(load_relaxed(&span->active) != active));
  return issued;
}

/* Whether `life`, as it was read before, is one, and lasts: then all that was read since is of that life. */
bool span_lives_on(struct span *, uint32_t life);

/* Makes a span over a run that has been taken, with every slot free, owner and state as given, and publishes it in the
 * page map. NULL if no descriptor can be had (then the run is still the caller's). Pages lock. */
struct span *span_create(struct run, unsigned class_index, enum kind, struct cache *owner, enum span_state);
/* Takes the span out of the page map and gives its run and descriptor back. Pages lock; nobody else holds it. */
void span_destroy(struct span *);
/* Forgets all descriptors (shutdown). */
void span_reset(void);

/* Fills `avail` from the next word with a free slot, folding in what was returned to it; zeroes what it makes available
 * unless noscan. False if there is none. Owner. A double free found on the way is reported, and the slot stays issued
 * no more than once. */
bool span_refill(struct span *);
/* Moves returned slots of word `word` into free. Owner, or whoever stands for it. Returns the bits moved. */
uint64_t span_fold(struct span *, uint32_t word);
/* Whether a slot was returned and not folded yet. Its holder. */
bool span_anything_returned(struct span *);
/* Folds every word. True if any slot is free afterwards. */
bool span_fold_all(struct span *);
/* Puts the available slots back into free, so that the span can change hands. Owner, or whoever stands for it. */
void span_park(struct span *);
/* Free slots; exact for whoever holds the span. */
uint32_t span_free_count(struct span *);
/* Bits of word `word` that are neither free, nor available, nor returned. Exact in a stopped world or for the holder;
 * for others right for every slot whose state does not change meanwhile. */
uint64_t span_issued(struct span *, uint32_t word);

/* An object, in copies: its span may end. */
struct span_object {
  uintptr_t base;
  size_t bytes; /* of its slot */
  enum kind kind;
};
/* The object that holds the address, which may be any whatever, as it was at some instant of the call. False if there
 * is none, or its span ended meanwhile. Any thread; lock-free. */
bool span_object_at(uintptr_t address, struct span_object *);

/* Whether there is a span of such a kind. Pages lock. */
bool span_any_uncollectable(void);
/* Calls visit for each span of the heap in order of address. Pages lock. */
void span_each(void (*visit)(struct span *, void *), void *arg);
/* No descriptor is in a list of returned spans any more, those without a span included. A forked child. */
void span_forget_notices(void);

/* Intrusive lists, doubly linked through next and previous; the lock or owner of the list orders access. */
struct span_list {
  struct span *first, *last;
};
void span_list_push(struct span_list *, struct span *);
void span_list_remove(struct span_list *, struct span *);
struct span *span_list_pop(struct span_list *);
/* Moves all of `from` to the end of `to`. */
void span_list_splice(struct span_list *to, struct span_list *from);

#endif
