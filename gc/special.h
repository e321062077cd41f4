/* What the program has attached to objects: finalizers, and weak links that name them or stand in them. (Go's runtime
 * calls them specials.) Held outside of the heap: an object that is here is not reached through that; a finalizer's
 * argument is.
 *
 * The span of such an object has `starts` 0: every free in it comes to cache_free_odd, and from there here. An object
 * that a link names, or has named, is left to the collector when it is freed, which alone can clear the link in the
 * same instant. */
#ifndef VGC_SPECIAL_H
#define VGC_SPECIAL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform.h"
#include "vgc.h"

struct span;

/* By object. Addresses that must not keep what they name are hidden: ~. */
struct finalizer {
  uintptr_t hidden;
  vgc_finalizer *function;
  void *arg;
  uintptr_t order; /* enum vgc_order */
};

/* By place and kind. */
struct link {
  uintptr_t key;    /* place, and enum vgc_weak in its lowest bit */
  uintptr_t hidden; /* what it names */
};
static ALWAYS_INLINE void **link_place(const struct link *link) { return (void **)(link->key & ~(uintptr_t)1); }
static ALWAYS_INLINE enum vgc_weak link_kind(const struct link *link) { return (enum vgc_weak)(link->key & 1); }

/* An object of the heap without pointers to scan. The collector writes it in a stopped world, all others read. */
struct vgc_ephemeron {
  _Atomic(void *) key, value;
};
/* By its hidden address. */
struct ephemeron {
  uintptr_t hidden;
};

/* A finalizer to be called; what it is called with is a root until then. */
struct due {
  void *object;
  vgc_finalizer *finalizer;
  void *arg;
};

void special_lock(void);
void special_unlock(void);

/* ---- With the lock ---- */

/* That of an object, which begins there. NULL: none. */
struct finalizer *special_finalizer(const void *object);
/* The same, made if need be, with room for it to become due. NULL: no memory. */
struct finalizer *special_finalizer_add(const void *object);
void special_finalizer_take_out(struct finalizer *);
/* Whether the object, which begins there, was freed, but left to the collector. */
bool special_is_freed(const void *object);
struct link *special_link_find(void **place, enum vgc_weak kind);
/* Makes a link; `in` is the object in which the place is, or NULL. False: no memory, and no link has changed. */
bool special_link_add(void **place, const void *in, const void *object, enum vgc_weak kind);
/* Lets a link name another object. False: no memory, and no link has changed. */
bool special_link_name(struct link *, const void *object);
void special_link_take_out(struct link *);

/* Makes it known that the object, which is empty, is an ephemeron, and fills it. False: no memory. */
bool special_ephemeron_add(struct vgc_ephemeron *, void *key, void *value);

/* Shows each, and takes it out if true is returned. */
void special_each_finalizer(bool (*take_out)(void *finalizer, void *arg), void *arg);
void special_make_due(struct due);

/* ---- With the lock, world stopped ---- */

/* The last step of a cycle: forgets dead objects, that they were freed and left, and what links had to do with them. */
void special_forget_dead(bool (*is_dead)(const void *object));
/* Whether there has been one of that kind. */
bool special_any_links(enum vgc_weak kind);
void special_each_link(bool (*take_out)(void *link, void *arg), void *arg);
void special_each_ephemeron(bool (*take_out)(void *ephemeron, void *arg), void *arg);
/* All of them; valid until the next special_each_ephemeron. */
const struct ephemeron *special_ephemerons(size_t *count);
/* The one of them that is this object, or NULL. */
const struct ephemeron *special_ephemeron_find(const void *object);
/* Those that became due last, in any order. */
const struct due *special_due_last(size_t count);
/* Roots: arguments, and all that is due. */
void special_roots(void (*range)(void *context, uintptr_t low, uintptr_t high), void *context);

/* ---- Take the lock ---- */

/* What has been due for the longest time. False: nothing is. */
bool special_take_due(struct due *);
enum special_freed { SPECIAL_FREE, SPECIAL_LEFT, SPECIAL_AGAIN };
/* The program frees an object of so many bytes: it may; it has been left to the collector; it has been before. */
enum special_freed special_free(void *object, size_t bytes);
/* Forgets all (shutdown). */
void special_reset(void);
size_t special_bytes(void);

/* Finalizers that are due. Relaxed: a look whether it is worth the lock. */
extern INTERNAL _Atomic size_t special_dues;
/* A cycle would be of use, for a table is about to double that may be full of what is dead. Relaxed: whoever sees it
 * asks for a cycle, sooner or later. */
extern INTERNAL _Atomic bool special_crowded;

#endif
