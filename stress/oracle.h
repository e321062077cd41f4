/* Objects that know who they are.
 *
 * A reference holds, beside the address, what must be found there: identity, size, kind and number of links. So an
 * object that was reclaimed and issued again is seen at the next touch, even though it looks healthy (a check of the
 * object alone would believe it). An object:
 *
 *   word 0            identity: thread and serial, unique over the run; never looks like an address
 *   word 1            checksum over its links (if it has any)
 *   elements of 64 bytes, two links in each: words 2-4 and 5-7
 *   the rest          words computed from the identity and their position
 *
 * Objects under 8 bytes hold the low bytes of the identity.
 *
 * Thread-safety: an object and a reference are touched by one thread at a time; programs that share them lock. */
#ifndef STRESS_ORACLE_H
#define STRESS_ORACLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "harness.h"
#include "subject.h"

/* Layout of typed objects: arrays of elements, the two addresses in each are the only pointers. */
enum { ORACLE_ELEMENT = 64, ORACLE_POINTER_WORDS = 1 << 2 | 1 << 5 };
enum { ORACLE_LINKS = 64 };

struct reference {
  void *at; /* into the object, or NULL */
  uint64_t identity;
  uint32_t size;     /* bytes asked for */
  uint16_t interior; /* at - start of the object */
  uint8_t links;
  uint8_t kind; /* enum subject_kind */
};

/* Most links that an object of this kind and size has room for. */
unsigned oracle_room(enum subject_kind kind, size_t size);
/* A new object, checked to be zero where promised, filled. size at least 1; links at most oracle_room. */
struct reference oracle_new(struct worker *, enum subject_kind kind, size_t size, unsigned links, size_t alignment);
/* Checks every word; what is not as it should be fails the run. */
void oracle_check(const struct worker *, const struct reference *);
/* Checks identity, checksum and the first words only: for long walks. */
void oracle_glance(const struct worker *, const struct reference *);
/* The same and all objects below, each of which has one owner. Adds up objects and bytes. */
void oracle_check_tree(const struct worker *, const struct reference *, uint64_t *objects, uint64_t *bytes);
/* A link, checked against the checksum. */
struct reference oracle_link(const struct worker *, const struct reference *parent, unsigned link);
/* Changes one; returns the old one, whose owner is then the caller. */
struct reference oracle_relink(const struct worker *, const struct reference *parent, unsigned link,
                               struct reference child);
/* Checks and frees the object at once; *reference becomes null. Its children keep their owner's references only. */
void oracle_free(struct worker *, struct reference *);
/* Forgets a tree: the collector's business, or, if the subject does not collect, freed here. Uncollectable objects are
 * freed in any case. */
void oracle_drop(struct worker *, struct reference *);
/* Changes the size; contents up to the smaller size, and the rest's zeros, are checked. */
void oracle_resize(struct worker *, struct reference *, size_t size);
/* Makes the reference point into the middle of the object, or back to its start. */
void oracle_point_inside(struct reference *, size_t offset);

static inline char *oracle_start(const struct reference *reference) {
  return (char *)reference->at - reference->interior;
}

#endif
