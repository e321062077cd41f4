/* What the stress programs ask of an allocator or collector. Every program and oracle runs on any subject; a control
 * subject shows a fault of the oracle itself, and a broken one (broken.h) shows that the oracle sees faults.
 *
 * One executable holds one real subject: libvgc and libgc both take over thread creation, so they cannot share one. */
#ifndef STRESS_SUBJECT_H
#define STRESS_SUBJECT_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum subject_kind {
  KIND_SCANNED,       /* conservative */
  KIND_NOSCAN,        /* holds no pointers */
  KIND_TYPED,         /* pointers only where the oracle's layout says so (oracle.h); size is a multiple of 64 */
  KIND_UNCOLLECTABLE, /* a root until freed */
  KIND_COUNT,
};

/* What a subject can do. Where it cannot, the program leaves the step or the assertion out and says "not applicable".
 */
enum subject_can {
  CAN_COLLECT = 1 << 0,              /* reclaims what is unreachable; else the programs free everything */
  CAN_INTERIOR = 1 << 1,             /* base() works, and an interior pointer alone keeps an object alive */
  CAN_ZERO = 1 << 2,                 /* memory added by a resize is zero too */
  CAN_ZERO_SLOT = 1 << 3,            /* zero up to the usable size, not just the size asked for */
  CAN_COUNT_OBJECTS = 1 << 4,        /* stats: allocated, freed, swept, live are exact */
  CAN_COUNT_THREADS = 1 << 5,        /* stats: suspensions */
  CAN_ALLOCATE_AT_EXIT = 1 << 6,     /* destructors of thread-specific data may allocate */
  CAN_FOREIGN_THREAD = 1 << 7,       /* threads that were started behind the subject's back may allocate */
  CAN_ALIGN = 1 << 8,                /* an aligned object is one like any other: base(), resize and release work */
  CAN_PACE = 1 << 12,                /* its heap starts small, so that it collects by itself in a short run */
  CAN_START_C11 = 1 << 11,           /* thrd_create is as good as create(), under ThreadSanitizer too */
  CAN_SCAN_THREAD_STORAGE = 1 << 10, /* thread-local variables and thread-specific values are roots */
  CAN_FINALIZE = 1 << 13,            /* finalizers and weak links */
  CAN_FORGET_AT_FREE = 1 << 14,  /* a free takes the finalizer off, and leaves what a link has named to the collector */
  CAN_KEEP_EXIT_RESULT = 1 << 9, /* what a thread gives to leave() stays alive until it is joined */
};

/* Running totals. Fields that a subject cannot count are zero. */
struct subject_stats {
  uint64_t cycles;
  uint64_t suspensions;                   /* threads stopped, over all cycles */
  uint64_t allocated, freed, swept, live; /* objects */
  uint64_t live_bytes;
  uint64_t heap_bytes, peak_heap_bytes;
};

struct subject {
  const char *name;
  unsigned can; /* enum subject_can */
  /* Once, on the main thread, before any other call. False: cannot run here; it has printed why. */
  bool (*begin)(void);
  /* NULL when memory is exhausted. Zeroed unless KIND_NOSCAN. alignment is a power of two; up to 8 means the default,
   * more only with KIND_SCANNED. way picks one of the subject's equivalent entry points. */
  void *(*allocate)(enum subject_kind kind, size_t size, size_t alignment, unsigned way);
  void *(*resize)(void *object, size_t size); /* keeps the kind */
  void (*release)(void *object);
  size_t (*usable)(const void *object);
  void *(*base)(const void *interior);
  void (*collect)(void);
  void (*pause)(bool on); /* no collection may start between pause(true) and pause(false); nests */
  void (*trim)(void);     /* gives memory back to the system */
  /* Runs body, which touches no object, as a region that a collection need not stop. */
  void (*blocking)(void (*body)(void *), void *arg);
  bool (*add_root)(const void *start, size_t size);
  void (*remove_root)(const void *start, size_t size);
  void (*stats)(struct subject_stats *);
  int (*create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
  int (*join)(pthread_t, void **);
  int (*detach)(pthread_t);
  void (*leave)(void *result); /* pthread_exit */
  /* With CAN_FINALIZE. arg is no address; finalizer NULL: none. False: it failed. */
  bool (*set_finalizer)(void *object, void (*finalizer)(void *object, void *arg), void *arg);
  void (*finalize)(void); /* calls what is due */
  /* Links outside of the heap, cleared before finalizers are looked at. */
  bool (*weak_add)(void **link, void *object);
  void *(*weak_get)(void **link);
  void (*weak_remove)(void **link);
};

/* The real subject of this executable, defined by the one subject_NAME.c that it links. */
extern const struct subject subject_real;
/* The one in use: the real one or a broken copy of it. Set once before threads start. */
extern struct subject subject;

#endif
