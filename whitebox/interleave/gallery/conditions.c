/* Condition variables and what is built on them.
 * Source: B. W. Lampson and D. D. Redell, Experience with processes and monitors in Mesa, 1980 (why a wait is in a
 * loop); A. D. Birrell, An introduction to programming with threads, 1989 (wake-up lost; barrier reuse is in A. B.
 * Downey, The little book of semaphores, section 3.7). */
#include "gallery.h"

static bool fixed;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;

/* ---- A wake-up between the test and the wait ---- */

static _Atomic int ready;
static void waits(void) {
  if (fixed) {
    pthread_mutex_lock(&lock);
    while (!ready) pthread_cond_wait(&condition, &lock);
    pthread_mutex_unlock(&lock);
    return;
  }
  if (ready) return;
  pthread_mutex_lock(&lock);
  pthread_cond_wait(&condition, &lock);
  pthread_mutex_unlock(&lock);
}
static void wakes(void) {
  pthread_mutex_lock(&lock);
  ready = 1;
  pthread_cond_signal(&condition);
  pthread_mutex_unlock(&lock);
}
static void run_lost(bool with_fix) {
  fixed = with_fix;
  ready = 0;
  pthread_mutex_init(&lock, NULL);
  pthread_cond_init(&condition, NULL);
  RUN(waits, wakes);
}
GALLERY(lost_wakeup, "a condition tested before the lock is taken", INTERLEAVE_DEADLOCK, run_lost);

/* ---- A wait that is not repeated ---- */

static int items;
static void consumes(void) {
  pthread_mutex_lock(&lock);
  if (fixed) {
    while (items == 0) pthread_cond_wait(&condition, &lock);
  } else if (items == 0) {
    pthread_cond_wait(&condition, &lock);
  }
  items--;
  interleave_assert(items >= 0);
  pthread_mutex_unlock(&lock);
}
static void produces(void) {
  for (int i = 0; i < 2; i++) {
    pthread_mutex_lock(&lock);
    items++;
    pthread_cond_broadcast(&condition);
    pthread_mutex_unlock(&lock);
  }
}
static void run_if(bool with_fix) {
  fixed = with_fix;
  items = 0;
  pthread_mutex_init(&lock, NULL);
  pthread_cond_init(&condition, NULL);
  RUN(consumes, consumes, produces);
}
GALLERY(condition_if, "a wait in an if instead of a loop", INTERLEAVE_ASSERTION, run_if);

/* ---- A barrier used twice ---- */

#define PARTIES 2
static int arrived;
static unsigned generation;
static void meet(void) {
  pthread_mutex_lock(&lock);
  unsigned mine = generation;
  if (++arrived == PARTIES) {
    arrived = 0;
    generation++;
    pthread_cond_broadcast(&condition);
  } else if (fixed) {
    while (generation == mine) pthread_cond_wait(&condition, &lock);
  } else {
    /* Whoever is fast enough to arrive again is taken for one who has not left yet. */
    while (arrived != 0) pthread_cond_wait(&condition, &lock);
  }
  pthread_mutex_unlock(&lock);
}
static void meet_twice(void) {
  meet();
  meet();
}
static void run_barrier(bool with_fix) {
  fixed = with_fix;
  arrived = 0;
  generation = 0;
  pthread_mutex_init(&lock, NULL);
  pthread_cond_init(&condition, NULL);
  RUN(meet_twice, meet_twice);
}
GALLERY(barrier_reuse, "a barrier that is not ready for its second use", INTERLEAVE_DEADLOCK, run_barrier);
