/* Waiters that look once more before they sleep, and wakers that look whether anybody sleeps: store buffering, with a
 * thread asleep for ever.
 * Source: D. Dice, A race in LockSupport park() arising from weak memory models, 2009 (OpenJDK bug 6822370); D. Vyukov,
 * Eventcounts, 2008. */
#include "gallery.h"
#include <semaphore.h>

static bool fixed;
static _Atomic int ready;

/* ---- An event count ---- */

static _Atomic int waiters;
static sem_t semaphore;
static void await(void) {
  atomic_store_explicit(&waiters, 1, memory_order_relaxed);
  if (fixed) atomic_thread_fence(memory_order_seq_cst);
  if (!atomic_load_explicit(&ready, memory_order_acquire)) sem_wait(&semaphore);
}
static void announce(void) {
  atomic_store_explicit(&ready, 1, memory_order_release);
  if (fixed) atomic_thread_fence(memory_order_seq_cst);
  if (atomic_load_explicit(&waiters, memory_order_relaxed)) sem_post(&semaphore);
}
static void run_event(bool with_fix) {
  fixed = with_fix;
  ready = waiters = 0;
  sem_init(&semaphore, 0, 0);
  RUN(await, announce);
  sem_destroy(&semaphore);
}
GALLERY(eventcount, "an event count without its fences", INTERLEAVE_DEADLOCK, run_event);

/* ---- park and unpark ---- */

static pthread_mutex_t lock;
static pthread_cond_t condition;
static _Atomic int permit;
static void park(void) {
  /* The permit is there already: take it without the lock. The bug is that the caller's next look at `ready` may be
   * older than what the unpark was for, and the permit that this store takes away is that unpark's. */
  if (atomic_load_explicit(&permit, memory_order_relaxed)) {
    if (fixed) {
      atomic_exchange_explicit(&permit, 0, memory_order_acq_rel);
    } else {
      atomic_store_explicit(&permit, 0, memory_order_relaxed);
    }
    return;
  }
  pthread_mutex_lock(&lock);
  while (!atomic_load_explicit(&permit, memory_order_relaxed)) pthread_cond_wait(&condition, &lock);
  atomic_store_explicit(&permit, 0, memory_order_relaxed);
  pthread_mutex_unlock(&lock);
}
static void unpark(void) {
  pthread_mutex_lock(&lock);
  if (fixed)
    atomic_exchange_explicit(&permit, 1, memory_order_acq_rel);
  else
    atomic_store_explicit(&permit, 1, memory_order_relaxed);
  pthread_cond_signal(&condition);
  pthread_mutex_unlock(&lock);
}
static void parker(void) {
  while (!atomic_load_explicit(&ready, memory_order_relaxed)) park();
}
static void unparker(void) {
  atomic_store_explicit(&ready, 1, memory_order_relaxed);
  unpark();
}
static void run_park(bool with_fix) {
  fixed = with_fix;
  ready = 0;
  permit = 1; /* of an earlier unpark */
  pthread_mutex_init(&lock, NULL);
  pthread_cond_init(&condition, NULL);
  RUN(parker, unparker);
}
GALLERY(park, "a permit taken without a fence", INTERLEAVE_DEADLOCK, run_park);
