/* The shadow heap: what the program knows about its objects, kept where the collector cannot see it.
 *
 * Addresses are hidden (complemented), so that the shadow keeps nothing alive. An object is LIVE while handles in
 * registered ranges reach it through words that the collector promises to scan; the moment they do not, it is DROPPED:
 * the library may reclaim it then, and the program never touches it again. All of a DROPPED object that is known to be
 * reclaimed, and all of a freed one, is GONE.
 *
 * Single-threaded. Only execute*.c calls the library; this file never does. */
#ifndef FUZZ_SHADOW_H
#define FUZZ_SHADOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "program.h"

enum kind { KIND_SCANNED, KIND_NOSCAN, KIND_TYPED, KIND_UNCOLLECTABLE };
enum state { STATE_GONE, STATE_LIVE, STATE_DROPPED };
enum { OBJECT_LINKS = 40, OBJECT_NONE = UINT32_MAX, OBJECTS = PROGRAM_OPS + 1, LAYOUTS = 7 };

struct link {
  size_t word;
  uintptr_t hidden; /* what the word holds */
  uint32_t target;
};

struct object {
  uintptr_t hidden;
  size_t size;   /* bytes in use by the program */
  size_t usable; /* bytes that the library gave */
  uint64_t seed; /* of its contents */
  enum kind kind;
  enum state state;
  uint32_t layout; /* number, for KIND_TYPED */
  bool marked, was_dropped;
  uint32_t link_count;
  struct link links[OBJECT_LINKS];
};

/* A layout of the test's own, of 128 words at most. */
struct shadow_layout {
  size_t words;
  uint64_t pointers[2];
};
extern const struct shadow_layout shadow_layouts[LAYOUTS];

struct shadow {
  uintptr_t *words; /* the handles: HANDLES words of memory that is scanned only while it is registered */
  uint32_t handles[HANDLES];
  bool range_added[RANGES], callback_added[RANGES];
  uint32_t count; /* of objects since the start of the program; an index is never used twice */
  size_t live_bytes;
  uint64_t dropped, collected; /* objects ever DROPPED; those seen reclaimed */
  struct object objects[OBJECTS];
  uint32_t stack[OBJECTS]; /* of the mark */
};

/* A shadow for one process; NULL if there is no memory. */
struct shadow *shadow_new(void);
/* Empties it for the next program. */
void shadow_reset(struct shadow *);

/* The library says that these bytes are an object now: what was dropped there is collected. Returns a live object that
 * overlaps, or NULL. */
struct object *shadow_claim(struct shadow *, const void *address, size_t usable, enum kind);
/* Adds an object whose bytes were claimed. */
struct object *shadow_add(struct shadow *, const void *address, size_t size, size_t usable, enum kind, uint32_t layout);
/* Forgets an object that was freed. */
void shadow_gone(struct shadow *, struct object *);
/* Drops whatever is not reachable any more. Called after each operation that may cut a path. */
void shadow_drop_unreachable(struct shadow *);

/* The object of a handle, or NULL. */
struct object *shadow_handle(struct shadow *, uint8_t handle);
/* Sets a handle to the object plus an offset; object NULL: to nothing. */
void shadow_set_handle(struct shadow *, uint8_t handle, const struct object *, size_t offset);
void *shadow_address(const struct object *);
/* Bytes from its address that are the object's: the usable ones, and for a typed object the word that follows them,
 * which names its layout and which the program may not use. */
size_t shadow_slot(const struct object *);
uint32_t shadow_index(const struct shadow *, const struct object *);
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
/* Forgets links beyond the object's size. */
void shadow_cut_links(struct object *);

#endif
