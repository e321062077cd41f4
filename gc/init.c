#include "init.h"

#include <errno.h>

#include "arena.h"
#include "atomic.h"
#include "cache.h"
#include "central.h"
#include "collect.h"
#include "config.h"
#include "error.h"
#include "fork.h"
#include "heap.h"
#include "large.h"
#include "lock.h"
#include "mark.h"
#include "pace.h"
#include "pages.h"
#include "point.h"
#include "roots.h"
#include "sizeclass.h"
#include "span.h"
#include "spawn.h"
#include "special.h"
#include "thread.h"
#include "world.h"

static struct lock init_lock COLLECTOR_DATA = LOCK_INITIALIZER(LOCK_INIT, 0);
/* Release after everything is in place, acquire by whoever is about to use it (L05). */
static _Atomic bool initialized COLLECTOR_DATA;

static int fail(int error) {
  world_uninstall();
  mark_shutdown();
  errno = error;
  return -1;
}

static int bring_up(const struct vgc_config *given) {
  if (config_load(given)) return -1;
  lock_set_checking(config.check_level >= 2);
  thread_table_size(config.thread_table);
  sizeclass_initialize(config.page_bytes, span_descriptor_lines);
  central_initialize();
  pace_initialize();
  if (mark_initialize()) return fail(ENOMEM);
  spawn_start();
  if (world_install(config.suspend_signal)) return fail(errno);
  /* Last of what can fail: an address may be looked up in it as soon as it is there, and then it must stay (X64). */
  if (!arena_add(config.arena_bytes, config.page_bytes * 64)) return fail(ENOMEM);
  fork_install();
  return 0;
}

static int initialize(const struct vgc_config *given, bool exclusive) {
  lock_acquire(&init_lock);
  int result = 0;
  if (load_relaxed(&initialized)) {
    if (exclusive) {
      errno = EALREADY;
      result = -1;
    }
  } else if (!(result = bring_up(given))) {
    POINT(init_before_publish);
    store_release(&initialized, true); /* release: all is in place; acquire in init_ensure */
  }
  lock_release(&init_lock);
  if (!result) mark_hire();
  return result;
}

void init_lock_acquire(void) { lock_acquire(&init_lock); }
void init_lock_release(void) { lock_release(&init_lock); }

/* Acquire: initialize's release. Who reads false takes the lock. */
bool init_ensure(void) { return LIKELY(load_acquire(&initialized)) || !initialize(NULL, false); }

int vgc_init(const struct vgc_config *given) { return initialize(given, true); }

int vgc_shutdown(void) {
  if (collect_in_hook()) { /* which may hold a lock that ranks above ours */
    errno = EBUSY;
    return -1;
  }
  bool stranger = !thread_self();
  lock_acquire(&init_lock);
  int error = !load_relaxed(&initialized) ? EPERM : !thread_ensure() ? ENOMEM : !thread_alone() ? EBUSY : 0;
  if (!error) {
    world_uninstall();
    store_relaxed(&initialized, false);
    roots_clear();
    special_reset();
    mark_shutdown();
    collect_reset();
    central_initialize();
    large_reset();
    cache_reset();
    span_reset();
    pages_reset();
    arena_release_all();
  }
  lock_release(&init_lock);
  if (stranger && thread_self()) thread_leave(thread_self());
  if (error) errno = error;
  return error ? -1 : 0;
}
