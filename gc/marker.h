/* One marker: a stack of what is left to scan, depth first, and two prefetch queues, one for a span's line of bits, one
 * for the object.
 *
 * The stack grows; when it cannot, the object stays marked, its span is noted, and so is that there was an overflow. */
#ifndef VGC_MARKER_H
#define VGC_MARKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mark_team.h"
#include "platform.h"
#include "span.h"

#define MARKER_QUEUE 16u /* prefetches in flight; a power of two */

/* An address whose span's line is on its way. */
struct candidate {
  uintptr_t address;
  struct span *span;
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
  bool (*enough)(void); /* whether marking is to be given up; NULL: it does not ask */
  struct candidate candidates[MARKER_QUEUE];
  struct mark_range ranges[MARKER_QUEUE]; /* popped; their first line is on its way (Cher, Hosking, Vitek 2004) */
} __attribute__((aligned(PLATFORM_FALSE_SHARING)));

/* Where objects may be: [low, + bytes). Written by the collecting thread, world stopped; helpers read it while marking
 * goes on. */
struct marker_bounds {
  uintptr_t low, bytes;
};
extern INTERNAL struct marker_bounds marker_bounds;
/* Likewise: whether words of heap and static data name an object by its start alone, or that plus a displacement. */
extern INTERNAL bool marker_exact;
static ALWAYS_INLINE bool marker_may_point(uintptr_t word) { return word - marker_bounds.low < marker_bounds.bytes; }

#define MARKER_DISPLACEMENTS 65536u /* smaller than that */
/* Bit d of word d/64: start + d names the object. Relaxed: whoever adds one is stopped before it is needed. */
extern INTERNAL _Atomic uint64_t marker_displacements[MARKER_DISPLACEMENTS / 64];
static ALWAYS_INLINE bool marker_is_displacement(uintptr_t offset) {
  return offset < MARKER_DISPLACEMENTS && load_relaxed(&marker_displacements[offset / 64]) >> offset % 64 & 1;
}

/* What a mark procedure is given: pointers go to show. */
struct vgc_marker {
  void (*show)(const struct vgc_marker *, uintptr_t word);
  struct marker *marker; /* NULL: the second marker */
  bool shared;
};

/* Learns where objects are and what names them, for all markers. */
void marker_learn_bounds(void);
/* Makes the stack, if there is none yet. 0, or -1 without memory. */
int marker_stack(struct marker *);
void marker_release(struct marker *);
/* Forgets what is left to do. */
void marker_begin(struct marker *);

/* Marking begins, in which this marker asks enough() now and then, or (NULL) is not to be given up. The collecting
 * thread, before mark_team_open. */
void marker_limit(struct marker *, bool (*enough)(void));
/* Marking has been given up: what was left to do is forgotten. The collecting thread, after mark_team_close. */
bool marker_gave_up(void);

/* `shared`: there may be other markers at the same time. */

/* Marks the object that the word, one of heap or static data, names, if there is one, before the next marker_drain
 * returns. */
void marker_consider(struct marker *, uintptr_t word, bool shared);
/* The same of a word that names the object into which it points, wherever. */
void marker_consider_anywhere(struct marker *, uintptr_t word, bool shared);
/* Marks and scans until nothing is left. Gives of it to other markers. */
void marker_drain(struct marker *, bool shared);
/* Marks what an object points to, whether it is marked itself or not; the only marker there is. `draining`: and what
 * comes of that, piece by piece, so that an overflow leaves less to do. */
void marker_scan(struct marker *, const struct span *, uint32_t slot, bool draining);

/* From now on each object that is marked, of a span to whose objects something is attached (special.h), is shown to
 * seen(), which marks nothing. NULL: no more. The only marker there is, and it is not to be given up. */
void marker_watch(void (*seen)(uintptr_t object));

/* A word that its thread may have been about to write, or that AddressSanitizer holds poisoned. */
uintptr_t marker_word(uintptr_t address);

#endif
