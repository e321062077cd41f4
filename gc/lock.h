/* Ranked locks. A thread may take a lock only if it holds none of the same or a higher rank (central locks: in order of
 * index); check level 2 checks it. Built on pthread_mutex so that sanitizers see the edges and, under ThreadSanitizer,
 * a thread that waits still answers a stop.
 *
 * Who has stopped the world takes no lock but LOCK_MARK, which no mutator takes while a stop may begin: collect.c takes
 * all that a cycle needs before the stop. A thread that comes back, from a region or from being held in the suspension
 * handler, waits for the registry's, which the stopper has (world.c); when it was stopped it had none that ranks with
 * that or above. The loader's own lock ranks before all of these (collect.c). */
#ifndef VGC_LOCK_H
#define VGC_LOCK_H

#include <pthread.h>
#include <stdbool.h>

enum lock_rank {
  LOCK_NONE = 0,
  LOCK_LISTING,  /* how many threads list the loaded objects */
  LOCK_INIT,     /* vgc_init, vgc_shutdown */
  LOCK_COLLECT,  /* one cycle at a time; the disable count */
  LOCK_REGISTRY, /* list of threads, births and deaths */
  LOCK_ROOTS,    /* added roots, layouts */
  LOCK_SPECIAL,  /* finalizers, weak links */
  LOCK_CENTRAL,  /* one for each size class; lock.index orders them */
  LOCK_PAGES,    /* page runs, descriptors, arenas */
  LOCK_MARK,     /* what markers share */
};

struct lock {
  pthread_mutex_t mutex;
  enum lock_rank rank; /* immutable */
  unsigned index;      /* immutable */
  struct lock *below;  /* holder: the lock that it took before this one; only while checking is on */
};

#define LOCK_INITIALIZER(rank_, index_)                                                                                \
  { PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP, rank_, index_, NULL }

void lock_init(struct lock *, enum lock_rank, unsigned index);
void lock_acquire(struct lock *);
void lock_release(struct lock *);
/* For who polls: a moment, in which a thread answers a stop. */
void lock_nap(void);
/* Asserts that the calling thread holds it (check level 2 and above). */
void lock_assert_held(const struct lock *);
/* Turns rank checking on; set once by initialisation. */
void lock_set_checking(bool on);
/* Number of locks that the calling thread holds; counted only while checking is on. */
unsigned lock_depth(void);

#endif
