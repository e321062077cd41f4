/* The queue lock of Mellor-Crummey and Scott, released by a holder that does not wait for the successor who has joined
 * the queue but has not yet linked itself: nobody wakes that one. Source: J. M. Mellor-Crummey and M. L. Scott,
 * Algorithms for scalable synchronization on shared-memory multiprocessors, 1991, figure 5. */
#include "gallery.h"

struct waiter {
  struct waiter *_Atomic next;
  _Atomic int blocked;
};

static bool fixed;
static struct waiter *_Atomic tail;
static struct waiter waiters[2];
static int counter;

static void lock(struct waiter *me) {
  atomic_store_explicit(&me->next, NULL, memory_order_relaxed);
  atomic_store_explicit(&me->blocked, 1, memory_order_relaxed);
  struct waiter *before = atomic_exchange_explicit(&tail, me, memory_order_acq_rel);
  if (before == NULL) return;
  atomic_store_explicit(&before->next, me, memory_order_release);
  while (atomic_load_explicit(&me->blocked, memory_order_acquire)) {
  }
}

static void unlock(struct waiter *me) {
  struct waiter *after = atomic_load_explicit(&me->next, memory_order_acquire), *mine = me;
  if (after == NULL) {
    if (atomic_compare_exchange_strong_explicit(&tail, &mine, NULL, memory_order_release, memory_order_relaxed)) return;
    if (!fixed) return;
    while ((after = atomic_load_explicit(&me->next, memory_order_acquire)) == NULL) {
    }
  }
  atomic_store_explicit(&after->blocked, 0, memory_order_release);
}

static void count_in(struct waiter *me) {
  lock(me);
  counter++;
  unlock(me);
}
static void first(void) { count_in(&waiters[0]); }
static void second(void) { count_in(&waiters[1]); }

static void run(bool with_fix) {
  fixed = with_fix;
  tail = NULL;
  counter = 0;
  RUN(first, second);
  interleave_assert(counter == 2);
}
GALLERY(mcs_lock, "an MCS lock that does not wait for its successor's link", INTERLEAVE_LIVELOCK, run);
