/* No data race, and wrong: what must be one step is two.
 * Source: C. Flanagan and S. Qadeer, A type and effect system for atomicity, 2003 (StringBuffer); S. Qadeer and D. Wu,
 * KISS: keep it simple and sequential, 2004 (the Bluetooth driver); L. Lamport, Concurrent reading and writing, 1977.
 */
#include "gallery.h"

static bool fixed;

/* ---- java.lang.StringBuffer.append: length and contents under the same lock, but not at once ---- */

static pthread_mutex_t lock;
static int length;
static void append(void) {
  pthread_mutex_lock(&lock);
  int wanted = length;
  if (!fixed) { /* two calls, each with the lock, instead of one */
    pthread_mutex_unlock(&lock);
    pthread_mutex_lock(&lock);
  }
  interleave_assert(wanted <= length); /* else it copies beyond the end */
  pthread_mutex_unlock(&lock);
}
static void truncate_all(void) {
  pthread_mutex_lock(&lock);
  length = 0;
  pthread_mutex_unlock(&lock);
}
static void run_append(bool with_fix) {
  fixed = with_fix;
  pthread_mutex_init(&lock, NULL);
  length = 5;
  RUN(append, truncate_all);
}
GALLERY(string_buffer, "a length that is out of date when it is used", INTERLEAVE_ASSERTION, run_append);

/* ---- The Bluetooth driver: stopped while a request has begun ---- */

static _Atomic int stopping, stopped, pending;
static void request_done(void) {
  if (atomic_fetch_sub(&pending, 1) == 1) atomic_store(&stopped, 1);
}
static bool request_begins(void) {
  if (!fixed && atomic_load(&stopping)) return false;
  atomic_fetch_add(&pending, 1);
  if (fixed && atomic_load(&stopping)) {
    request_done();
    return false;
  }
  return true;
}
static void request(void) {
  if (!request_begins()) return;
  interleave_assert(!atomic_load(&stopped));
  request_done();
}
static void stop(void) {
  atomic_store(&stopping, 1);
  request_done();
}
static void run_driver(bool with_fix) {
  fixed = with_fix;
  stopping = stopped = 0;
  pending = 1;
  RUN(request, stop);
}
GALLERY(bluetooth, "a driver that looks for a stop before it counts its request", INTERLEAVE_ASSERTION, run_driver);

/* ---- A counter in two halves ---- */

static _Atomic uint32_t low, high;
static _Atomic uint64_t whole;
static void count(void) {
  if (fixed) {
    atomic_fetch_add(&whole, 1);
    return;
  }
  if (atomic_fetch_add(&low, 1) == UINT32_MAX) atomic_fetch_add(&high, 1);
}
static uint64_t counted(void) {
  if (fixed) return atomic_load(&whole);
  uint64_t upper = atomic_load(&high);
  return upper << 32 | atomic_load(&low);
}
static void watch(void) {
  uint64_t before = counted();
  interleave_assert(counted() >= before);
}
static void run_halves(bool with_fix) {
  fixed = with_fix;
  low = UINT32_MAX;
  high = 0;
  whole = UINT32_MAX;
  RUN(count, watch);
}
GALLERY(torn_counter, "a counter of 64 bits in two halves", INTERLEAVE_ASSERTION, run_halves);
