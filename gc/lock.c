#include "lock.h"

#include "atomic.h"
#include "platform.h"

/* Set by initialisation, read at every lock: relaxed, for a lock taken meanwhile is only checked or not. */
static _Atomic bool checking COLLECTOR_DATA;
/* The last lock that this thread took while checking was on; the others follow through `below`. */
static _Thread_local struct lock *held __attribute__((tls_model("initial-exec")));

void lock_set_checking(bool on) { store_relaxed(&checking, on); }

void lock_init(struct lock *lock, enum lock_rank rank, unsigned index) {
  lock->mutex = (pthread_mutex_t)PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP;
  lock->rank = rank;
  lock->index = index;
  lock->below = NULL;
}

static bool ranks_above(const struct lock *lock, const struct lock *other) {
  return lock->rank > other->rank || (lock->rank == other->rank && lock->index > other->index);
}

static COLD void report_order(const struct lock *lock, const struct lock *other) {
  platform_print("vgc: lock order: a thread that holds lock %d.%u takes lock %d.%u; locks are taken in rising order\n",
                 (int)other->rank, other->index, (int)lock->rank, lock->index);
  platform_abort();
}

void lock_nap(void) { platform_nap(50000); }

/* Old versions of ThreadSanitizer do not deliver a signal to a thread that waits for a lock; they do while it sleeps.
 */
static void wait_for(struct lock *lock) {
  if (!platform_defers_signals()) {
    pthread_mutex_lock(&lock->mutex);
    return;
  }
  while (pthread_mutex_trylock(&lock->mutex) != 0) lock_nap();
}

void lock_acquire(struct lock *lock) {
  bool check = load_relaxed(&checking);
  /* The list falls in rank from its head, so the head alone decides. */
  if (UNLIKELY(check) && held && !ranks_above(lock, held)) report_order(lock, held);
  wait_for(lock);
  if (UNLIKELY(check)) {
    lock->below = held;
    held = lock;
  }
}

static void forget(struct lock *lock) {
  for (struct lock **at = &held; *at; at = &(*at)->below)
    if (*at == lock) {
      *at = lock->below;
      return;
    }
}

void lock_release(struct lock *lock) {
  if (UNLIKELY(held != NULL)) forget(lock);
  pthread_mutex_unlock(&lock->mutex);
}

void lock_assert_held(const struct lock *lock) {
  if (!load_relaxed(&checking)) return;
  for (const struct lock *other = held; other; other = other->below)
    if (other == lock) return;
  platform_print("vgc: lock %d.%u is not held by the thread that relies on it\n", (int)lock->rank, lock->index);
  platform_abort();
}

unsigned lock_depth(void) {
  unsigned depth = 0;
  for (const struct lock *lock = held; lock; lock = lock->below) depth++;
  return depth;
}
