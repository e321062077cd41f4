/* What the files for locks, conditions and other synchronisation objects share. The logical state of an object is in
 * its own bytes, laid over those of libc's type, so that it is undone with the program's memory; its clocks are in a
 * table of the run, by address. */
#ifndef INTERLEAVE_SYNC_H
#define INTERLEAVE_SYNC_H

#include <pthread.h>
#include <time.h>

#include "runtime.h"

#define NO_DEADLINE UINT64_MAX
#define NO_OWNER    0u
#define OWNER_GONE  UINT32_MAX       /* it has ended; a robust mutex can then be taken */
#define OWNER_LOST  (UINT32_MAX - 1) /* it was not in the process that fork made */

/* The place in the program that called a wrapper. */
#define CALLER __builtin_return_address(0)

/* An owner as it stands in an object: 0 is nobody. */
static inline uint32_t own_id(void) { return self()->id + 1; }

/* ---- sync.c ---- */

/* Called by parts.c. */
void sync_initialize(void);
void sync_begin(void);
void sync_keep(void);
void sync_forget_setup(void);

/* Called by thread.c at the end of the current thread, before others learn of it: robust mutexes pass on, anything else
 * that it holds is a failure. */
void sync_thread_ends(void);
/* Called by fork.c in the child: what other threads hold is held for ever, and none of them waits. */
void sync_forked(void);
/* "waits for the mutex 0x..., which thread 1 holds" */
void sync_describe_wait(const struct fiber *, char *text, size_t size);

struct sync_clocks {
  uintptr_t address;
  uint32_t epoch;        /* of which run */
  uint32_t location;     /* stands for the object in the list of what a spinning fiber has read */
  uint32_t version;      /* counts what might let such a fiber go on */
  struct clock released; /* by those who let go or wake */
  struct clock readers;  /* of a read-write lock: what its readers did, for writers only */
};
struct sync_clocks *sync_clocks(const void *object);

/* Writes an object's state, undone with the run. */
void sync_put(uint32_t *at, uint32_t value);

/* Use of an object: it must be mapped, and ordered after its initialisation and before its destruction. */
void sync_use(const void *object, const void *pc);
/* Initialisation and destruction are plain writes of the whole object, which becomes `bytes`; its clocks are forgotten.
 */
void sync_overwrite(void *object, size_t size, const void *bytes, const char *what, const void *pc);

/* Things that a thread may not hold when it ends. */
enum held_kind { HELD_MUTEX, HELD_READ, HELD_WRITE, HELD_SPIN, HELD_ONCE };
void held_add(enum held_kind, void *object);
void held_remove(enum held_kind, const void *object);
/* id + 1 of a thread that holds the object, or NO_OWNER. */
uint32_t held_by(const void *object);

/* The current fiber cannot do the operation now: it waits until it is woken for the object, and the strategy sees what
 * it is going to do. False: the deadline has passed. */
bool sync_block(enum op_kind, const void *object, bool write, uint64_t deadline);
/* The same, woken for an address of its own. */
bool sync_block_at(uintptr_t waits_for, enum op_kind, const void *object, bool write, uint64_t deadline);
/* A scheduling point, except for what would block at once: that is no step. */
bool sync_point_unless(bool blocked, enum op_kind, const void *object, bool write);
/* For loops that try without waiting: what they look at has changed; they have looked and found nothing, so that the
 * second time in a row they wait for a change. */
void sync_changed(const void *object);
void sync_tried_in_vain(const void *object, const void *pc);

/* A wake-up without a cause, which POSIX allows: a choice, and at most one for each thread and run of either kind, for
 * every further one would make the tree of executions endless. */
enum spurious_kind { SPURIOUS_CONDITION, SPURIOUS_FUTEX, SPURIOUS_KINDS };
bool sync_spurious(enum spurious_kind);

/* Those who wait in line for a condition or a futex. A record is on its waiter's stack. */
struct waiter {
  struct waiter *next; /* the youngest is the first */
  struct fiber *fiber;
  uintptr_t address;
  const pthread_mutex_t *mutex; /* of a condition, else NULL */
  uint32_t mask;                /* of a futex's bit set */
  bool chosen;                  /* woken, or about to find itself woken */
};
void waiter_add(struct waiter *, uintptr_t address);
void waiter_remove(struct waiter *);
struct waiter *waiter_first(uintptr_t address);
void waiter_wake_one(struct waiter *);
/* Wakes at most `count` of those with a bit of the mask; which ones is a choice. Returns how many. */
unsigned waiter_wake(uintptr_t address, unsigned count, uint32_t mask);

/* ---- mutex.c ---- */

bool mutex_is_free(const pthread_mutex_t *);
/* For a condition: whether the calling thread holds it once, so that it can be let go. */
bool mutex_is_held_once(const pthread_mutex_t *);
bool mutex_is_checked(const pthread_mutex_t *);
void mutex_let_go(pthread_mutex_t *, const void *pc);
/* waited: schedule_block has just returned, with the taking told as what comes next. */
int mutex_take_back(pthread_mutex_t *, bool waited, const void *pc);
/* The thread that held it has ended. */
void mutex_owner_ended(pthread_mutex_t *);
bool mutex_is_robust(const pthread_mutex_t *);
void mutex_owner_lost(pthread_mutex_t *);

/* ---- rwlock.c ---- */
void rwlock_writer_lost(void *lock);
void spin_owner_lost(void *lock);

/* ---- once.c ---- */
void once_owner_ended(void *control);

/* ---- time.c ---- */

/* Virtual nanoseconds of an absolute time on that clock. False: it is no time. */
bool time_deadline(clockid_t, const struct timespec *, uint64_t *deadline);
/* The virtual time that much from now. */
uint64_t time_after(const struct timespec *duration);
bool time_is_known_clock(clockid_t);

#endif
