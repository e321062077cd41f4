/* The shadow heap: what the program knows about its objects, kept where the collector cannot see it.
 *
 * Addresses are hidden (complemented), so that the shadow keeps nothing alive. An object is LIVE while handles in
 * registered ranges reach it through words that the collector promises to scan; the moment they do not, it is DROPPED:
 * the library may reclaim it then, and the program touches it again only if a finalizer, a weak link or an ephemeron
 * brings it back: then it is LIVE again, with all that it reaches. All of a DROPPED object that is known to be
 * reclaimed, and all of a freed one, is GONE. What a link has named is DROPPED when it is freed: the collector has it.
 *
 * Single-threaded. Only execute*.c calls the library; this file never does. */
#ifndef FUZZ_SHADOW_H
#define FUZZ_SHADOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "program.h"

/* An ephemeron's size is 0: its contents are the library's. */
enum kind { KIND_SCANNED, KIND_NOSCAN, KIND_TYPED, KIND_UNCOLLECTABLE, KIND_EPHEMERON, KIND_OWN };
enum state { STATE_GONE, STATE_LIVE, STATE_DROPPED };
enum {
  OBJECT_LINKS = 40,
  OBJECT_NONE = UINT32_MAX,
  OBJECTS = 2 * PROGRAM_OPS,
  LAYOUTS = 7,
  OWNS = 5,
  WEAKS = 64,
  SHADOW_DISPLACEMENT = 8
};

struct link {
  size_t word;
  uintptr_t hidden; /* what the word holds */
  uint32_t target;  /* OBJECT_NONE: a weak link stands here, or did */
};

/* What is called for an object. Its argument is a root until then. */
struct finalizer {
  bool set, due;
  bool anyway;    /* due though it may be reachable (vgc_finalize_all) */
  uint8_t action; /* enum action */
  uint8_t handle; /* which may hold it afterwards */
  enum vgc_order order;
  uintptr_t hidden_arg;
  uint32_t arg;   /* object, or OBJECT_NONE */
  uint64_t cycle; /* in which it became due */
};

/* A weak link: one of the shadow's words, or a word of a pointer-free object. */
struct weak {
  bool used, watched;
  bool unsure; /* it could not be looked at after each cycle: it may have been cleared for a reason that is past */
  enum vgc_weak kind;
  uint32_t holder; /* object, or OBJECT_NONE: weak_words */
  size_t word;     /* of the holder */
  uint32_t target;
};

struct object {
  uintptr_t hidden;
  size_t size;   /* bytes in use by the program */
  size_t usable; /* bytes that the library gave */
  uint64_t seed; /* of its contents */
  enum kind kind;
  enum state state;
  uint32_t layout; /* number, for KIND_TYPED; of shadow_owns, for KIND_OWN */
  bool marked, was_dropped;
  bool named;     /* by a link, or an ephemeron as its key, at any time */
  bool freed;     /* but left to the collector, for it is named: never LIVE again */
  bool reclaimed; /* GONE, and not because it was freed */
  struct finalizer finalizer;
  uint32_t key, value;  /* of an ephemeron */
  bool cleared, unsure; /* an ephemeron: known to be; as a weak link's */
  uint64_t asked;       /* the last cycle in which it was disclaimed, or 0 */
  bool keeps;           /* ... and not let go */
  unsigned seen[2];     /* links of each kind that name it, seen after a cycle: bits SEEN_ */
  uint32_t link_count;
  struct link links[OBJECT_LINKS];
};

/* A layout of the test's own, of 128 words at most. */
struct shadow_layout {
  size_t words;
  uint64_t pointers[2];
};
extern const struct shadow_layout shadow_layouts[LAYOUTS];

/* A kind of the test's own: whether its mark procedure shows only every other word, the first included; and what its
 * disclaim procedure does. */
struct shadow_own {
  bool every_other, disclaims, keeps_once, reaches;
};
extern const struct shadow_own shadow_owns[OWNS];

struct shadow {
  uintptr_t *words; /* the handles: HANDLES words of memory that is scanned only while it is registered */
  uint32_t handles[HANDLES];
  bool range_added[RANGES], callback_added[RANGES];
  uint32_t count; /* of objects since the start of the program; an index is never used twice */
  size_t live_bytes;
  uint64_t dropped, collected; /* objects ever DROPPED; those seen reclaimed */
  uint64_t finalizable;        /* of the dropped, those with a finalizer */
  uintptr_t *weak_words;       /* WEAKS words, which are never scanned */
  struct weak weaks[WEAKS];
  bool attached; /* whether there ever was a finalizer or an ephemeron */
  bool (*ephemeron_cleared)(const void *ephemeron);
  bool exact; /* a word of a range or an object names only what begins there, or SHADOW_DISPLACEMENT before it */
  struct object *lost; /* reclaimed, though an object that is not reaches it; or NULL */
  struct object objects[OBJECTS];
  uint32_t stack[OBJECTS]; /* of the mark */
};

/* A shadow for one process; NULL if there is no memory. */
struct shadow *shadow_new(void);
/* Empties it for the next program. */
void shadow_reset(struct shadow *);

/* The library says that these bytes are an object now: what was dropped there is collected. Returns an object that
 * overlaps and is live, or kept for a finalizer; or NULL. */
struct object *shadow_claim(struct shadow *, const void *address, size_t usable, enum kind);
/* Adds an object whose bytes were claimed. */
struct object *shadow_add(struct shadow *, const void *address, size_t size, size_t usable, enum kind, uint32_t layout);
/* Forgets an object that was freed; or, if a link has named it, leaves it to the collector. */
void shadow_gone(struct shadow *, struct object *);
void shadow_left(struct shadow *, struct object *);
/* A dropped object was seen to be no more. */
void shadow_reclaimed(struct shadow *, struct object *);
/* Changes the state to one that is not LIVE. */
void shadow_leave(struct shadow *, struct object *, enum state);

/* ---- Reachability (shadow_reach.c) ---- */

/* Drops whatever is not reachable any more, and finds again what is. Called after each operation that may cut a path,
 * or that the library gave an object. */
void shadow_settle(struct shadow *);
/* Marks what is kept without being reachable: what a finalizer will be called with, and all that this reaches. */
void shadow_mark_kept(struct shadow *);
/* Whether the object is; marks them all. */
bool shadow_is_kept(struct shadow *, const struct object *);
/* Marks what its disclaim procedure kept in the cycle, and all that this reaches; with the values of ephemerons too. */
void shadow_mark_disclaimed(struct shadow *, uint64_t cycle, bool values);
/* Marks the object and all that it reaches. */
void shadow_mark_from(struct shadow *, const struct object *);
/* Whether what `from` points to reaches `to`; what it points to in itself does not count if ignore_self. */
bool shadow_contents_reach(struct shadow *, const struct object *from, const struct object *to, bool ignore_self);

/* ---- Handles ---- */

/* The object of a handle, or NULL. */
struct object *shadow_handle(struct shadow *, uint8_t handle);
/* Sets a handle to the object plus an offset; object NULL: to nothing. */
void shadow_set_handle(struct shadow *, uint8_t handle, const struct object *, size_t offset);
void *shadow_address(const struct object *);
/* Bytes from its address that are the object's: the usable ones, and for one with a layout or a kind the word that
 * follows them, which names it and which the program may not use. */
size_t shadow_slot(const struct object *);
uint32_t shadow_index(const struct shadow *, const struct object *);
/* Whether an object before it had some of its place: words that named that one may name it now. */
bool shadow_has_anothers_place(const struct shadow *, const struct object *);
/* The last object at this address, if it was dropped and not freed; or NULL. */
struct object *shadow_last_dropped(struct shadow *, const void *address);
/* The LIVE (or DROPPED) object with this address in its bytes, or NULL. */
struct object *shadow_find(struct shadow *, const void *address, enum state);

/* ---- Contents ----
 * Each byte is a function of the object and its place, with the top bit of each word set, so that no data looks like an
 * address; a link replaces a word. Of objects above 64 KiB, some words of each page. */

/* Writes the data from byte `from` to the end. */
void shadow_fill(struct object *, size_t from);
/* Whether bytes [0, size) are as written. Else *word is the first wrong one. thorough: all of them, else both ends and
 * the links. */
bool shadow_intact(const struct object *, size_t size, bool thorough, size_t *word);
bool shadow_zero(const void *from, size_t size, size_t *at);
/* Writes a pointer to target, plus an offset, into a word of the object; false if it has no room for a link more. */
bool shadow_link(struct shadow *, struct object *, size_t word, const struct object *target, size_t offset);
/* Writes data into a word. */
void shadow_unlink(struct object *, size_t word);
/* Makes a word one whose content is not the program's; false if it has no room. */
bool shadow_unchecked(struct object *, size_t word);
/* The weak link that stands there, or NULL. */
struct weak *shadow_weak_at(struct shadow *, const struct object *holder, size_t word);
/* Forgets links beyond the object's size. */
void shadow_cut_links(struct object *);

#endif
