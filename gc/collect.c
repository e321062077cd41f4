#include "collect.h"

#include <errno.h>

#include "arena.h"
#include "atomic.h"
#include "cache.h"
#include "central.h"
#include "check.h"
#include "check_mark.h"
#include "config.h"
#include "error.h"
#include "event.h"
#include "finalize.h"
#include "heap.h"
#include "large.h"
#include "lock.h"
#include "mark.h"
#include "pace.h"
#include "pages.h"
#include "platform.h"
#include "point.h"
#include "roots.h"
#include "special.h"
#include "stats.h"
#include "sweep.h"
#include "thread.h"
#include "unreached.h"
#include "world.h"

#define TRIM_NS UINT64_C(500000000)

static struct lock collect_lock COLLECTOR_DATA = LOCK_INITIALIZER(LOCK_COLLECT, 0);
/* Of those who share the collect lock, procedures that several markers call, each takes this one. */
static struct lock procedure_lock COLLECTOR_DATA = LOCK_INITIALIZER(LOCK_MARK, 1);
/* Written under the collect lock (collect_own_lock_acquire), which alone decides; peeked at (relaxed) to spare a
 * pointless attempt. */
static _Atomic unsigned disabled COLLECTOR_DATA;
static struct collect_totals totals COLLECTOR_DATA; /* collect lock */
static uint64_t trimmed COLLECTOR_DATA;             /* collect lock: when pages were last given back */
/* Cycles begun, less those given up; written under the collect lock, read before it is taken, to learn what happened
 * while waiting. */
static _Atomic uint64_t begun COLLECTOR_DATA;
/* Calls of collect_now that the thread is in: more than one if a hook allocates. A helper counts as in one. */
static _Thread_local unsigned inside __attribute__((tls_model("initial-exec")));
/* The thread has stopped the world for the program. */
static _Thread_local bool holding __attribute__((tls_model("initial-exec")));

/* See collect_exclude. */
static _Thread_local bool excluding __attribute__((tls_model("initial-exec")));
/* In a cycle, with its locks: the collecting thread, and helpers as long as they mark. */
static _Thread_local bool collecting __attribute__((tls_model("initial-exec")));
/* In the part of a cycle in which the marks tell what is kept. */
static _Thread_local bool known __attribute__((tls_model("initial-exec")));

/* What may_collect is called for. */
static _Thread_local enum collect_reason asked_about __attribute__((tls_model("initial-exec")));

struct cycle {
  enum collect_reason reason;
  vgc_visit *visit; /* or NULL */
  void *visit_arg;
  uint64_t begun_before;
  bool announced, refused, done, given_up;
  size_t marked;
  uint32_t surrendered;
  unsigned suspended;
  uint64_t stop, pause; /* nanoseconds */
};

/* Of the cycle: nanoseconds by the clock at which it is given up; 0: never. */
static uint64_t deadline COLLECTOR_DATA;

/* ---- With the world stopped ---- */

static void sweep_if_owned(struct span *span, void *arg) {
  (void)arg;
  span->pinned = 0;
  if (!load_relaxed(&span->owner)) return;
  central[span_class(span)].swept_objects += sweep_owned_span(span);
  /* So that its owner hears of it if the span is full, or is current and about to be (X87). */
  if (span_state(span) != SPAN_USABLE && span_anything_returned(span)) cache_notify(span);
}

static bool enough(void) {
  const struct vgc_hooks *hooks = hooks_get();
  return (deadline && platform_now_ns() >= deadline) || (hooks->give_up && hooks->give_up(hooks->arg));
}

static bool may_be_given_up(const struct cycle *cycle) {
  bool may = cycle->reason == COLLECT_EXPLICIT || cycle->reason == COLLECT_PACE;
  return deadline || (may && hooks_get()->give_up);
}

static void limit_from(uint64_t now, const struct cycle *cycle) {
  uint64_t limit = CONFIG(pause_limit_us);
  deadline = cycle->reason == COLLECT_PACE && limit < SIZE_MAX / 2000 ? now + limit * 1000 : 0;
}

static void give_up(struct cycle *cycle) {
  cycle->given_up = true;
  totals.given_up++;
  pace_after_nothing();
}

static void stopped(void *arg) {
  struct cycle *cycle = arg;
  POINT(collect_stopped);
  if (!mark_reachable(may_be_given_up(cycle) ? enough : NULL)) {
    give_up(cycle);
    return;
  }
  store_relaxed(&begun, load_relaxed(&begun) + 1);
  known = true;
  finalize_unreached();
  if (config.check_level >= 3) check_mark_again();
  if (cycle->visit) unreached_show(cycle->visit, cycle->visit_arg);
  unreached_disclaim();
  finalize_forget();
  cycle->marked = mark_end();
  hooks_phase(VGC_PHASE_MARKED);
  known = false;
  if (config.check_level >= 3) check_heap();
  for (struct cache *cache = cache_all(); cache; cache = cache->next)
    cycle->surrendered += cache_surrender(cache, central_add_unswept);
  central_flip();
  large_flip();
  span_each(sweep_if_owned, NULL);
  pace_after_cycle(cycle->marked, mark_unscanned_bytes(), roots_scanned());
  totals.cycles++;
  hooks_phase(VGC_PHASE_RECLAIMED);
}

/* ---- The cycle ---- */

static void lock_world(void) {
  thread_registry_lock();
  roots_lock();
  special_lock();
  central_lock_all();
  lock_acquire(&heap_lock);
}

static void unlock_world(void) {
  lock_release(&heap_lock);
  central_unlock_all();
  special_unlock();
  roots_unlock();
  thread_registry_unlock();
}

static void count_pause(struct cycle *cycle) {
  totals.pause_last = cycle->pause;
  totals.pause_total += cycle->pause;
  if (cycle->pause > totals.pause_max) totals.pause_max = cycle->pause;
  totals.stop_last = cycle->stop;
  if (cycle->stop > totals.stop_max) totals.stop_max = cycle->stop;
}

static void tell_of_threads(bool suspended) {
  const struct vgc_hooks *hooks = hooks_get();
  if (!hooks->thread) return;
  for (struct thread *thread = thread_first(); thread; thread = thread->next)
    if (thread->position == &thread->stopped && thread != thread_self())
      hooks->thread(hooks->arg, thread->handle_known ? thread->handle : 0, suspended);
}

/* With the world's locks. False, with the world running again, if the list of loaded objects does not hold. */
static bool stop_and_collect(struct cycle *cycle) {
  if (!roots_modules_listed()) return false;
  uint64_t start = platform_now_ns();
  hooks_phase(VGC_PHASE_STOPPING);
  unsigned suspended = world_stop();
  uint64_t stopped_at = platform_now_ns();
  cycle->stop = stopped_at - start;
  limit_from(stopped_at, cycle);
  tell_of_threads(true);
  hooks_phase(VGC_PHASE_STOPPED);
  bool hold = roots_modules_hold();
  totals.stops++;
  totals.suspensions += suspended;
  if (hold) {
    world_with_own_registers(thread_self(), stopped, cycle);
    cycle->suspended = suspended;
    cycle->pause = platform_now_ns() - start;
    count_pause(cycle);
  }
  POINT(collect_before_resume);
  hooks_phase(VGC_PHASE_RESUMING);
  tell_of_threads(false);
  world_resume();
  hooks_phase(VGC_PHASE_RESUMED);
  POINT(collect_after_resume);
  return hold;
}

/* A page costs more to get than a short cycle costs: what is idle is given back after a while, not after a cycle. */
static void trim(void) {
  if (config.trim_ms) return; /* a helper does, and by that time */
  uint64_t now = platform_now_ns();
  if (now - trimmed < TRIM_NS) return;
  trimmed = now;
  pages_trim(false, pace_room());
}

static void care_for_pages(size_t marked) {
  lock_acquire(&heap_lock);
  arenas_prefer_huge(marked);
  trim();
  lock_release(&heap_lock);
}

/* Each cycle_start is followed by the phase ENDED, on the same thread. */
static void announce(struct cycle *cycle) {
  const struct vgc_hooks *hooks = hooks_get();
  if (hooks->cycle_start && !cycle->announced) hooks->cycle_start(hooks->arg);
  cycle->announced = true;
}

static void tell_of_end(struct cycle *cycle) {
  collecting = true;
  if (cycle->announced) hooks_phase(VGC_PHASE_ENDED);
  collecting = cycle->announced = false;
}

/* Everything that a cycle needs is taken before the stop, in the order of ranks: no suspended thread holds it, so no
 * span is between central and a cache, no descriptor half made, no thread half registered. */
static void run(struct cycle *cycle) {
  announce(cycle);
  thread_reap();
  large_finish_sweep();
  central_finish_sweep();
  POINT(collect_before_locks);
  lock_world();
  cycle->done = stop_and_collect(cycle);
  unlock_world();
  if (!cycle->done || cycle->given_up) return;
  care_for_pages(cycle->marked);
  event_record(EVENT_CYCLE, totals.cycles, cycle->marked);
  event_record(EVENT_SURRENDER, cycle->surrendered, cycle->suspended);
}

/* False if the loaded objects must be listed first, which may not be done with a lock of ours held. */
static bool attempt(struct cycle *cycle) {
  lock_acquire(&collect_lock);
  bool own = cycle->reason == COLLECT_STRESS || cycle->visit;
  bool served = !own && load_relaxed(&begun) != cycle->begun_before;
  cycle->refused = load_relaxed(&disabled) != 0;
  if (!cycle->refused && !served) {
    collecting = true;
    run(cycle);
    collecting = false;
  }
  bool over = cycle->refused || served || cycle->done;
  if (over) tell_of_end(cycle);
  lock_release(&collect_lock);
  return over;
}

static void log_cycle(const struct cycle *cycle, const struct vgc_stats *stats) {
  static const char *const reasons[] = {"explicit", "pace", "memory", "stress"};
  platform_print("vgc: cycle %llu %s marked %zu KiB heap %llu KiB goal %llu KiB pause %llu us stop %llu us threads %u "
                 "markers %u\n",
                 (unsigned long long)stats->cycles, reasons[cycle->reason], cycle->marked / 1024,
                 (unsigned long long)stats->heap_bytes / 1024, (unsigned long long)stats->trigger_bytes / 1024,
                 (unsigned long long)cycle->pause / 1000, (unsigned long long)cycle->stop / 1000, cycle->suspended,
                 mark_markers());
}

static void log_given_up(const struct cycle *cycle) {
  platform_print("vgc: a cycle was given up, pause %llu us; the next at %zu KiB\n",
                 (unsigned long long)cycle->pause / 1000, pace_goal() / 1024);
}

static void tell(const struct cycle *cycle) {
  const struct vgc_hooks *hooks = hooks_get();
  if (!CONFIG(log) && !hooks->cycle_end) return;
  struct vgc_stats stats = {.struct_size = sizeof stats};
  stats_fill(&stats);
  if (CONFIG(log)) log_cycle(cycle, &stats);
  if (hooks->cycle_end) hooks->cycle_end(hooks->arg, &stats);
}

int vgc_in_collection(void) { return collect_here(); }

enum vgc_reason vgc_collection_reason(void) { return (enum vgc_reason)asked_about; }

/* The program allows no collection now. */
static bool is_refused(enum collect_reason reason) {
  if (load_relaxed(&disabled) || excluding) return true;
  const struct vgc_hooks *hooks = hooks_get();
  if (!hooks->may_collect) return false;
  enum collect_reason outer = asked_about; /* the hook may collect */
  asked_about = reason;
  bool may = hooks->may_collect(hooks->arg);
  asked_about = outer;
  return !may;
}

static bool collect(struct cycle cycle) {
  inside++;
  cycle.begun_before = load_relaxed(&begun);
  cycle.refused = is_refused(cycle.reason);
  int error = cycle.refused ? EBUSY : 0;
  thread_reap();
  while (!error && !attempt(&cycle))
    if (!roots_list_modules()) error = ENOMEM;
  if (error == ENOMEM) {
    lock_acquire(&collect_lock);
    tell_of_end(&cycle);
    lock_release(&collect_lock);
  }
  if (cycle.refused) error = EBUSY;
  if (cycle.given_up) {
    if (CONFIG(log)) log_given_up(&cycle);
    error = ECANCELED;
  }
  if (cycle.done && !cycle.given_up) {
    tell(&cycle);
    mark_hire();
    const struct vgc_hooks *hooks = hooks_get();
    if (hooks->finalizers_due && load_relaxed(&special_dues)) hooks->finalizers_due(hooks->arg);
  }
  inside--;
  if (error) errno = error;
  return !error;
}

bool collect_now(enum collect_reason reason) { return collect((struct cycle){.reason = reason}); }

bool collect_and_visit(vgc_visit *visit, void *arg) {
  return collect((struct cycle){.reason = COLLECT_EXPLICIT, .visit = visit, .visit_arg = arg});
}

bool collect_here(void) { return collecting || holding; }
bool collect_knows(void) { return known; }
bool collect_in_hook(void) { return inside > 0; }
bool collect_excluded(void) { return excluding; }

void collect_help(bool begins) {
  collecting = begins;
  inside = begins;
}

/* What to take for the collect lock, or NULL: after vgc_lock, and with the world stopped for the program, the caller
 * has it alone. */
static struct lock *own_lock(void) {
  if (collecting) return &procedure_lock;
  return excluding || holding ? NULL : &collect_lock;
}

void collect_own_lock_acquire(void) {
  struct lock *lock = own_lock();
  if (lock) lock_acquire(lock);
}

void collect_own_lock_release(void) {
  struct lock *lock = own_lock();
  if (lock) lock_release(lock);
}

void collect_disable(void) {
  collect_own_lock_acquire();
  unsigned depth = load_relaxed(&disabled);
  POINT(disable_between);
  store_relaxed(&disabled, depth + 1);
  collect_own_lock_release();
}

bool collect_enable(void) {
  collect_own_lock_acquire();
  unsigned depth = load_relaxed(&disabled);
  if (depth) store_relaxed(&disabled, depth - 1);
  collect_own_lock_release();
  return depth > 0;
}

struct collect_totals collect_totals(void) {
  collect_own_lock_acquire();
  struct collect_totals copy = totals;
  copy.mark_stack_bytes = mark_stack_bytes();
  collect_own_lock_release();
  return copy;
}

bool collect_stop_world(void) {
  if (holding) return false;
  lock_acquire(&collect_lock);
  thread_reap();
  lock_world();
  totals.stops++;
  totals.suspensions += world_stop();
  holding = true;
  return true;
}

bool collect_resume_world(void) {
  if (!holding) return false;
  holding = false;
  world_resume();
  unlock_world();
  lock_release(&collect_lock);
  return true;
}

bool collect_exclude(void) {
  if (excluding) return false;
  collect_lock_acquire();
  return excluding = true;
}

bool collect_admit(void) {
  if (!excluding) return false;
  excluding = false;
  collect_lock_release();
  return true;
}

/* Others would wait for it if it were held where it is. */
static bool may_be_held(const struct thread *thread) { return thread && !load_relaxed(&thread->listing); }

static bool try_hold(pthread_t handle) {
  if (!collect_stop_world()) return false;
  struct thread *thread = thread_present(handle);
  bool may = may_be_held(thread);
  if (may) store_relaxed(&thread->held, 1); /* seen by who sees the end of the stop: world.c's park and come_back */
  collect_resume_world();
  return may;
}

bool collect_hold(pthread_t handle) {
  for (;;) {
    thread_registry_lock();
    const struct thread *thread = thread_present(handle);
    bool may = may_be_held(thread);
    thread_registry_unlock();
    if (!thread || thread == thread_self()) return false;
    if (may && try_hold(handle)) return true;
    POINT(hold_waits);
    lock_nap();
  }
}

void collect_lock_acquire(void) { lock_acquire(&collect_lock); }
void collect_lock_release(void) { lock_release(&collect_lock); }

void collect_reset(void) {
  totals = (struct collect_totals){0};
  store_relaxed(&disabled, 0);
}
