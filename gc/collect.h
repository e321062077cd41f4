/* The cycle. */
#ifndef VGC_COLLECT_H
#define VGC_COLLECT_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vgc.h"

enum collect_reason {
  COLLECT_EXPLICIT = VGC_REASON_CALL,
  COLLECT_PACE = VGC_REASON_PACE,
  COLLECT_MEMORY = VGC_REASON_MEMORY,
  COLLECT_STRESS = VGC_REASON_STRESS
};

/* Collects, unless collection is disabled, or for a reason that another thread's cycle, begun after the call, has
 * served. No locks held, cache not busy, allocation possible afterwards. False with errno EBUSY if disabled, ENOMEM if
 * the loaded objects cannot be listed. */
bool collect_now(enum collect_reason);
/* The same for an explicit collection of its own, whatever others collect, which shows all objects. */
bool collect_and_visit(vgc_visit *visit, void *arg);
/* Whether the caller is in a cycle, with its locks: one of the program's procedures, which should not allocate. */
bool collect_here(void);
/* A helper begins, or ends, its part of a cycle: what it calls is in the cycle, too. */
void collect_help(bool begins);
/* Whether the caller is in a cycle, and the marks tell what is kept. */
bool collect_knows(void);
/* Whether the caller is in a hook of a cycle that it runs itself, or helps with. */
bool collect_in_hook(void);
/* Whether the caller is between vgc_lock and vgc_unlock. */
bool collect_excluded(void);

/* See vgc_disable, vgc_enable. False if there is nothing to enable. Also in a hook, and after vgc_lock. */
void collect_disable(void);
bool collect_enable(void);

/* See vgc_stop_world: with the locks of a cycle, so that whoever wants one of them waits for the end, be it in a fork.
 * Registered thread, no locks held. False if it has stopped the world already, or not. */
bool collect_stop_world(void);
bool collect_resume_world(void);

/* See vgc_lock. Registered thread, no locks held. False if the thread has called it already, or not. */
bool collect_exclude(void);
bool collect_admit(void);

/* Holds a registered thread, other than the caller, from the return of this call on, until world_let_go. False if there
 * is no such thread. Registered thread, no locks held. */
bool collect_hold(pthread_t);

struct collect_totals {
  uint64_t cycles, given_up, stops, suspensions;
  uint64_t pause_last, pause_max, pause_total, stop_last, stop_max; /* ns */
  size_t mark_stack_bytes;
};
/* Registered thread, no locks held but by collect_exclude. */
struct collect_totals collect_totals(void);

void collect_lock_acquire(void);
void collect_lock_release(void);
/* The same for a thread that may have the lock: a hook's or a procedure's, or one that has called vgc_lock. Procedures
 * exclude each other. */
void collect_own_lock_acquire(void);
void collect_own_lock_release(void);
/* Zeroes the totals (shutdown). */
void collect_reset(void);

#endif
