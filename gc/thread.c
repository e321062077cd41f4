#include "thread.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "atomic.h"
#include "cache.h"
#include "lock.h"
#include "mark_team.h"
#include "point.h"
#include "world.h"

static struct {
  /* Registry lock: */
  struct thread *used, *free;
  uint64_t births;
  size_t records;    /* in `used` */
  size_t next_table; /* entries of the next table */
  bool keys_made;
  pthread_key_t first_key, last_key; /* by the order of their destructors in a round */
  /* Registry lock to write, anyone reads: */
  _Atomic size_t running;   /* RUNNING, BLOCKING or HELD */
  _Atomic size_t uncertain; /* watched, or LOST: thread_reap has something to look at */
  _Atomic uint32_t signal;  /* the suspend signal */
  _Atomic size_t table_bytes;
} registry COLLECTOR_DATA = {.next_table = 64, .signal = SIGPWR};

static struct lock registry_lock COLLECTOR_DATA = LOCK_INITIALIZER(LOCK_REGISTRY, 0);

/* The first table has its size from the configuration, which may be given after the main thread has registered. */
static struct thread first_record COLLECTOR_DATA;

static _Thread_local struct thread *current __attribute__((tls_model("initial-exec")));
/* The record that carries this thread's result to its joiner, also while the thread is not registered. */
static _Thread_local struct thread *own_record __attribute__((tls_model("initial-exec")));
static _Thread_local uint64_t own_birth __attribute__((tls_model("initial-exec")));
/* Rounds of key destructors that this thread has come through. */
static _Thread_local unsigned exit_round __attribute__((tls_model("initial-exec")));

void thread_registry_lock(void) { lock_acquire(&registry_lock); }
void thread_registry_unlock(void) { lock_release(&registry_lock); }
struct lock *thread_registry_lock_object(void) {
  return &registry_lock;
}
struct thread *thread_first(void) {
  return registry.used;
}
struct thread *thread_self(void) {
  return current;
}

size_t thread_count(void) {
  thread_reap();
  return load_relaxed(&registry.running);
}

static bool is_present(const struct thread *thread) {
  uint32_t state = load_relaxed(&thread->state);
  return state == THREAD_RUNNING || state == THREAD_BLOCKING || state == THREAD_HELD;
}

unsigned thread_signal(void) { return load_relaxed(&registry.signal); }

/* For longer than libc blocks signals by itself, as while it starts a thread or a process. */
static bool blocks(const struct thread *thread, unsigned signal) {
  for (unsigned moments = 0; moments < 20; moments++) {
    if (!platform_signal_blocked(thread->tid, signal)) return false;
    platform_nap(10000000);
  }
  return true;
}

bool thread_set_signal(unsigned signal) {
  bool blocked = false;
  thread_registry_lock();
  for (const struct thread *thread = registry.used; thread && signal != thread_signal(); thread = thread->next)
    if (thread != current && is_present(thread) && blocks(thread, signal)) {
      platform_print(
          "vgc: thread %d, which started before vgc_init, blocks the suspend signal %u; unblock it there, or "
          "choose it with VGC_SUSPEND_SIGNAL in the environment\n",
          thread->tid, signal);
      blocked = true;
    }
  if (!blocked) store_relaxed(&registry.signal, signal);
  thread_registry_unlock();
  return !blocked;
}

size_t thread_records(void) {
  thread_registry_lock();
  size_t records = registry.records;
  thread_registry_unlock();
  return records;
}

size_t thread_table_bytes(void) { return load_relaxed(&registry.table_bytes); }

void thread_table_size(size_t entries) {
  thread_registry_lock();
  registry.next_table = entries ? entries : 1;
  thread_registry_unlock();
}

/* ---- Records; registry lock ---- */

/* One writer at a time, so no read-modify-write. */
static void count_up(_Atomic size_t *counter) { store_relaxed(counter, load_relaxed(counter) + 1); }
static void count_down(_Atomic size_t *counter) { store_relaxed(counter, load_relaxed(counter) - 1); }

static bool grow(void) {
  POINT(registry_grow);
  size_t bytes = (registry.next_table * sizeof(struct thread) + 4095) / 4096 * 4096;
  struct thread *table = platform_reserve(bytes, 4096);
  if (!table) return false;
  store_relaxed(&registry.table_bytes, load_relaxed(&registry.table_bytes) + bytes);
  for (size_t i = registry.next_table; i-- > 0;) {
    table[i].next = registry.free;
    registry.free = &table[i];
  }
  if (registry.next_table < 4096) registry.next_table *= 2;
  return true;
}

static struct thread *record_take(enum thread_state state) {
  if (registry.births == 0) {
    registry.free = &first_record;
    first_record.next = NULL;
  }
  if (!registry.free && !grow()) return NULL;
  struct thread *thread = registry.free;
  registry.free = thread->next;
  /* Nothing of an earlier user stays: a register captured from a dead thread is no root (N25). */
  memset(thread, 0, sizeof *thread);
  thread->birth = ++registry.births;
  thread->previous = NULL;
  thread->next = registry.used;
  if (thread->next) thread->next->previous = thread;
  registry.used = thread;
  registry.records++;
  store_relaxed(&thread->state, (uint32_t)state);
  return thread;
}

static void record_free(struct thread *thread) {
  if (thread->previous)
    thread->previous->next = thread->next;
  else
    registry.used = thread->next;
  if (thread->next) thread->next->previous = thread->previous;
  registry.records--;
  store_relaxed(&thread->state, THREAD_FREE);
  store_relaxed(&thread->held, 0);
  thread->birth = 0;
  thread->argument = thread->result = NULL;
  thread->previous = NULL;
  thread->next = registry.free;
  registry.free = thread;
}

/* A handle is given to a new thread only after the old one was joined or detached, in whatever way. */
static void forget_stale_handle(const struct thread *owner) {
  for (struct thread *thread = registry.used, *next; thread; thread = next) {
    next = thread->next;
    if (thread == owner || !thread->handle_known || !pthread_equal(thread->handle, owner->handle)) continue;
    if (load_relaxed(&thread->state) == THREAD_EXITED)
      record_free(thread);
    else
      thread->handle_known = false;
  }
}

static void handle_set(struct thread *thread, pthread_t handle) {
  thread->handle = handle;
  thread->handle_known = true;
  forget_stale_handle(thread);
}

/* ---- Death without leaving ---- */

static void watch(struct thread *self) {
  pthread_mutexattr_t robust;
  pthread_mutexattr_init(&robust);
  pthread_mutexattr_setrobust(&robust, PTHREAD_MUTEX_ROBUST);
  pthread_mutex_init(&self->alive, &robust);
  pthread_mutexattr_destroy(&robust);
  pthread_mutex_lock(&self->alive);
  self->watched = true;
  count_up(&registry.uncertain);
}

static void unwatch(struct thread *self) {
  if (!self->watched) return;
  self->watched = false;
  pthread_mutex_unlock(&self->alive);
  count_down(&registry.uncertain);
}

bool thread_dead(struct thread *thread) {
  if (!thread->watched) return false;
  int rc = pthread_mutex_trylock(&thread->alive);
  if (rc == EBUSY) return false;
  if (rc == EOWNERDEAD) pthread_mutex_consistent(&thread->alive);
  thread->watched = false;
  pthread_mutex_unlock(&thread->alive);
  count_down(&registry.uncertain);
  return true;
}

void thread_lost(struct thread *thread) {
  /* Its id may be another's from now on, so nobody asks about the lock that it held. */
  if (thread->watched) count_down(&registry.uncertain);
  thread->watched = false;
  thread->position = NULL;
  count_up(&registry.uncertain);
  count_down(&registry.running);
  store_relaxed(&thread->state, THREAD_LOST);
}

struct thread *thread_present(pthread_t handle) {
  struct thread *thread = registry.used;
  while (thread && !(is_present(thread) && pthread_equal(thread->handle, handle))) thread = thread->next;
  return thread;
}

static struct thread *find_lost(void) {
  for (struct thread *thread = registry.used; thread; thread = thread->next) {
    if (is_present(thread) && thread != current && thread_dead(thread)) thread_lost(thread);
    if (load_relaxed(&thread->state) == THREAD_LOST && !thread->reaped) return thread;
  }
  return NULL;
}

bool thread_alone(void) {
  thread_reap();
  bool alone = true;
  thread_registry_lock();
  for (const struct thread *thread = registry.used; thread; thread = thread->next)
    if (thread != current && load_relaxed(&thread->state) != THREAD_EXITED) alone = false;
  thread_registry_unlock();
  return alone;
}

/* Registry lock. */
static void drop_inherited(struct thread *thread) {
  if (thread->inherited) platform_release(thread->inherited, THREAD_INHERITED_BYTES);
  thread->inherited = NULL;
}

/* Whether a stop waits for the calling thread. */
static bool can_be_stopped(void) { return current && load_relaxed(&current->state) == THREAD_RUNNING; }

void thread_reap(void) {
  while (load_relaxed(&registry.uncertain) != 0 && can_be_stopped()) {
    thread_registry_lock();
    struct thread *lost = find_lost();
    if (lost) lost->reaped = true; /* by this caller alone */
    thread_registry_unlock();
    if (!lost) return;
    cache_thread_exit(lost);
    thread_registry_lock();
    count_down(&registry.uncertain);
    drop_inherited(lost);
    store_relaxed(&lost->state, THREAD_EXITED);
    if (lost->detached) record_free(lost);
    thread_registry_unlock();
  }
}

/* ---- Arrival and departure of the calling thread ---- */

struct bounds {
  uintptr_t low, high;
};

/* Registry lock, so never during a stop. */
static void become_running(struct thread *self, const struct bounds *stack) {
  self->tid = platform_thread_id();
  self->thread_pointer = platform_thread_pointer();
  self->stack_low = stack->low;
  self->stack_high = stack->high;
  handle_set(self, pthread_self());
  POINT(thread_before_running);
  store_relaxed(&self->state, THREAD_RUNNING);
  count_up(&registry.running);
  current = own_record = self;
  own_birth = self->birth;
}

static void leave_on_exit(void *self);

/* ThreadSanitizer takes its own state of the thread down in the last round of key destructors, before any other's turn;
 * nothing that it instrumented may run after that. */
static unsigned last_round(void) { return PTHREAD_DESTRUCTOR_ITERATIONS - (platform_defers_signals() ? 1 : 0); }

/* True if the last key's destructor will see this thread off: not when it has had its last turn. */
static bool arm(struct thread *self) {
  if (!registry.keys_made || exit_round >= last_round()) return false;
  return pthread_setspecific(registry.first_key, self) == 0 && pthread_setspecific(registry.last_key, self) == 0;
}

/* The destructors to come may use the heap: a thread that was cancelled in a blocking region leaves it now, and one of
 * which AddressSanitizer has blocked every signal, in the last round, must answer a stop. They run on its own stack,
 * and one of them may free what told another's end. */
static void begin_round(void *arg) {
  struct thread *self = arg;
  world_blocking_leave(self);
  store_relaxed(&self->bottom, NULL);
  if (platform_sanitizer_runtime()) platform_signal_unblock(thread_signal());
  if (exit_round + 1 < last_round()) pthread_setspecific(registry.first_key, self);
}

static void make_keys(void) {
  if (registry.keys_made) return;
  if (pthread_key_create(&registry.first_key, begin_round) != 0) return;
  registry.keys_made = platform_last_key(&registry.last_key, leave_on_exit) == 0;
  if (!registry.keys_made) pthread_key_delete(registry.first_key);
}

bool thread_arrive(struct thread *self) {
  struct bounds stack;
  bool known =
      self->inherited ? platform_stack_mapped(&stack.low, &stack.high) : platform_stack_bounds(&stack.low, &stack.high);
  if (!known) return false;
  POINT(spawn_child_before_register);
  thread_registry_lock();
  platform_signal_unblock(thread_signal());
  make_keys();
  become_running(self, &stack);
  if (!arm(self)) watch(self);
  thread_registry_unlock();
  return true;
}

/* The thread's own record, which still waits for its joiner, or a new one. Registry lock. */
static struct thread *revive_or_take(void) {
  struct thread *own = own_record;
  if (own && own->birth == own_birth && load_relaxed(&own->state) == THREAD_EXITED) return own;
  struct thread *thread = record_take(THREAD_EXITED);
  if (thread) thread->detached = true;
  return thread;
}

/* Registers a thread that vgc did not see start, or that had left. Whether a later destructor round will come is not
 * known, so its death is watched; `first` says that it is the main thread at start. */
static struct thread *register_self(bool first) {
  struct bounds stack;
  if (!platform_stack_bounds(&stack.low, &stack.high)) {
    errno = ENOMEM;
    return NULL;
  }
  POINT(thread_before_register);
  thread_registry_lock();
  platform_signal_unblock(thread_signal());
  make_keys();
  struct thread *self = revive_or_take();
  if (self) {
    if (first) self->detached = false; /* others may join the main thread */
    become_running(self, &stack);
    if (!arm(self) || !first) watch(self);
  }
  thread_registry_unlock();
  if (!self) errno = ENOMEM;
  return self;
}

struct thread *thread_ensure(void) {
  struct thread *self = current;
  if (UNLIKELY(!self)) return register_self(false);
  /* The start function has its argument now: it calls us. */
  if (UNLIKELY(self->inherited != NULL)) {
    thread_registry_lock();
    drop_inherited(self);
    thread_registry_unlock();
  }
  return self;
}

void thread_leave(struct thread *self) {
  world_blocking_leave(self);
  cache_thread_exit(self);
  if (registry.keys_made) {
    pthread_setspecific(registry.first_key, NULL);
    pthread_setspecific(registry.last_key, NULL);
  }
  POINT(thread_exit_before_deregister);
  thread_registry_lock();
  drop_inherited(self);
  store_relaxed(&self->bottom, NULL);
  unwatch(self);
  count_down(&registry.running);
  bool last = load_relaxed(&registry.running) == 0;
  store_relaxed(&self->state, THREAD_EXITED);
  POINT(thread_exit_between);
  self->handle_known = self->handle_known && !self->detached;
  if (self->detached) record_free(self);
  /* Under the lock: a late signal meets either a registered thread or one that is none of ours. */
  current = NULL;
  thread_registry_unlock();
  POINT(thread_exit_after_deregister);
  if (last) mark_team_end();
}

/* Destructor of the last key. Those of others may allocate in the rounds to come, so the thread stays registered until
 * the last round. Should some of them follow even then, it stays until its death, which is watched, and is reaped. */
static void leave_on_exit(void *arg) {
  struct thread *self = arg;
  exit_round++;
  if (arm(self)) return;
  if (!platform_keys_follow(registry.last_key)) {
    thread_leave(self);
    return;
  }
  thread_registry_lock();
  if (!self->watched) watch(self);
  thread_registry_unlock();
}

void thread_register_first(void) {
  if (!current) register_self(true);
}

/* ---- Births, results, fork ---- */

struct thread *thread_birth(void *(*start)(void *), void *argument, bool detached) {
  thread_registry_lock();
  struct thread *thread = record_take(THREAD_BORN);
  if (thread) {
    thread->start = start;
    thread->argument = argument;
    thread->detached = detached;
  }
  thread_registry_unlock();
  return thread;
}

void thread_stillborn(struct thread *thread) {
  thread_registry_lock();
  drop_inherited(thread);
  record_free(thread);
  thread_registry_unlock();
}

void thread_set_handle(struct thread *thread, uint64_t birth, pthread_t handle) {
  thread_registry_lock();
  /* A child that runs has told its own handle. */
  if (thread->birth == birth && load_relaxed(&thread->state) == THREAD_BORN) handle_set(thread, handle);
  thread_registry_unlock();
}

void thread_set_result(void *result) {
  if (!own_record) return;
  thread_registry_lock();
  /* Another may have detached it while it was not registered: then nobody waits for the result. */
  if (own_record->birth == own_birth) own_record->result = result;
  thread_registry_unlock();
}

struct thread *thread_find(pthread_t handle, uint64_t *birth) {
  thread_registry_lock();
  struct thread *thread = registry.used;
  while (thread && !(thread->handle_known && pthread_equal(thread->handle, handle))) thread = thread->next;
  if (thread) *birth = thread->birth;
  thread_registry_unlock();
  return thread;
}

void thread_forget(struct thread *thread, uint64_t birth) {
  thread_registry_lock();
  if (thread->birth == birth) {
    thread->detached = true;
    if (load_relaxed(&thread->state) == THREAD_EXITED) record_free(thread);
  }
  thread_registry_unlock();
}

void thread_registry_after_fork(void (*abandon)(struct cache *)) {
  for (struct thread *thread = registry.used, *next; thread; thread = next) {
    next = thread->next;
    if (thread == current) continue;
    if (thread->cache) abandon(thread->cache);
    thread->cache = NULL;
    drop_inherited(thread);
    record_free(thread);
  }
  store_relaxed(&registry.running, current ? 1 : 0);
  store_relaxed(&registry.uncertain, 0);
  if (!current) return;
  store_relaxed(&current->held, 0); /* whoever held it is not here to let it go */
  current->tid = platform_thread_id();
  /* The parent's thread holds the lock; the child's has none of its own yet. */
  if (current->watched) watch(current);
}
