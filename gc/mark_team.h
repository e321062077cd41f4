/* The markers of a cycle: the collecting thread and helpers, threads of the library's own, which share what is left to
 * scan.
 *
 * Each has a stack of its own. One that has nothing left waits here, and who sees that somebody waits gives the older
 * half of its stack. When all that take part wait, marking is over. A helper that comes late finds it over: nobody
 * waits for one that has not joined. Helpers are no mutators: never stopped, never scanned, all signals blocked.
 *
 * While they live the process has more threads than the program made, so they end with the last mutator: a program
 * whose main thread has called pthread_exit ends with its last thread. */
#ifndef VGC_MARK_TEAM_H
#define VGC_MARK_TEAM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "atomic.h"
#include "platform.h"

#define MARK_TEAM_MAX   64u /* markers, the collector among them */
#define MARK_TEAM_CHUNK 64u /* ranges given at a time, at most */

/* A range still to scan: conservatively, or if MARK_TYPED is set in `high` as an object by the layout that its last
 * word names. What is left of an array begins at an element. */
struct mark_range {
  uintptr_t low, high;
};
#define MARK_TYPED 1u

/* Markers that wait for work. Written under the team's lock; who asks whether to give reads it without: relaxed, for
 * what is given is handed over under the lock. */
extern INTERNAL _Atomic uint32_t mark_team_waiting;
static ALWAYS_INLINE bool mark_team_hungry(void) { return load_relaxed(&mark_team_waiting) != 0; }

/* ---- The collecting thread ---- */

/* Helpers that there are. */
unsigned mark_team_helpers(void);
/* Marking begins, with the caller as the first marker; wakes the helpers, each of which calls help(its number from 1)
 * if it comes in time. */
void mark_team_open(void (*help)(unsigned number));
/* The caller's mark_team_take has said that marking is over: waits until every helper has left. */
void mark_team_close(void);

/* ---- Every marker ---- */

/* Gives up to MARK_TEAM_CHUNK ranges to who waits. The number taken, which may be 0. */
size_t mark_team_give(const struct mark_range *, size_t count);
/* Waits for ranges, and takes up to `room`, at least one. 0: marking is over. */
size_t mark_team_take(struct mark_range *, size_t room);

/* ---- Threads ---- */

/* Starts helpers until there are so many (less than MARK_TEAM_MAX), or the system refuses. No lock of ours held, for a
 * thread's creation may allocate. */
void mark_team_start(unsigned helpers);
/* Ends and joins them, unless another thread is starting or ending some: of the last mutator that leaves. */
void mark_team_end(void);
/* The same, waiting for that other thread (shutdown). */
void mark_team_stop(void);
/* Around a fork, with the collect lock: no helper is in the middle of a step, and a child has none. */
void mark_team_before_fork(void);
void mark_team_after_fork(bool child);

#endif
