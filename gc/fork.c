#include "fork.h"

#include <pthread.h>
#include <stdbool.h>

#include "cache.h"
#include "central.h"
#include "collect.h"
#include "heap.h"
#include "init.h"
#include "lock.h"
#include "mark_team.h"
#include "platform.h"
#include "point.h"
#include "roots.h"
#include "span.h"
#include "special.h"
#include "thread.h"

/* All locks, first that of who lists the loaded objects, then in order of rank, so that no structure is halfway in the
 * child's copy, and no cycle runs. The child's thread is the one that took them, and releases them. */
static void prepare(void) {
  POINT(fork_prepare);
  roots_before_fork();
  init_lock_acquire();
  collect_lock_acquire();
  thread_registry_lock();
  roots_lock();
  special_lock();
  central_lock_all();
  lock_acquire(&heap_lock);
  mark_team_before_fork();
  POINT(fork_prepared);
}

static void release(bool child) {
  mark_team_after_fork(child);
  lock_release(&heap_lock);
  central_unlock_all();
  special_unlock();
  roots_unlock();
  thread_registry_unlock();
  collect_lock_release();
  init_lock_release();
  roots_after_fork();
}

/* A thread that is no more may have been anywhere in its fast path or its slow path; what it owned reads right all the
 * same, slot by slot (span.h). Only what it was about to free stays, for the next cycle to find. */
static void adopt(struct span *span, void *arg) {
  const struct cache *mine = arg;
  const struct cache *owner = load_relaxed(&span->owner);
  if (owner && owner != mine) {
    span_park(span);
    store_relaxed(&span->owner, NULL);
    central_file(span);
  }
  if (span_anything_returned(span)) cache_notify(span);
}

static void in_child(void) {
  thread_registry_after_fork(cache_abandon);
  struct thread *self = thread_self();
  struct cache *mine = self ? self->cache : NULL;
  /* Every list of returned spans is forgotten, and what others were about to put into one. */
  central_forget_returned();
  for (struct cache *cache = cache_all(); cache; cache = cache->next) store_relaxed(&cache->returned, NULL);
  span_forget_notices();
  span_each(adopt, mine);
  release(true);
}

static void in_parent(void) { release(false); }

/* Before main already: handlers before a fork run last first, so the program's own, which may use the heap, find it
 * unlocked. */
__attribute__((constructor(101))) void fork_install(void) {
  static bool installed COLLECTOR_DATA;
  if (installed) return;
  installed = !pthread_atfork(prepare, in_parent, in_child);
}
