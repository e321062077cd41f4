/* Locks whose release or acquire is missing: what the last holder did is not seen by the next.
 * Source: T. E. Anderson, The performance of spin lock alternatives for shared-memory multiprocessors, 1990, and
 * J. M. Mellor-Crummey and M. L. Scott, Algorithms for scalable synchronization on shared-memory multiprocessors, 1991,
 * as carried over to C11 with too weak orders: H.-J. Boehm, Can you safely spin on a relaxed load?, 2011. */
#include "gallery.h"

static bool fixed;
static int counter;

/* ---- A spin lock released by a relaxed store ---- */

static _Atomic int held;
static void count_spinning(void) {
  while (atomic_exchange_explicit(&held, 1, memory_order_acquire)) {
  }
  counter++;
  if (fixed)
    atomic_store_explicit(&held, 0, memory_order_release);
  else
    atomic_store_explicit(&held, 0, memory_order_relaxed);
}
static void run_spin(bool with_fix) {
  fixed = with_fix;
  held = 0;
  counter = 0;
  RUN(count_spinning, count_spinning);
  interleave_assert(counter == 2);
}
GALLERY(relaxed_unlock, "a spin lock released by a relaxed store", INTERLEAVE_RACE, run_spin);

/* ---- A ticket lock that waits with relaxed loads ---- */

static _Atomic unsigned next, serving;
static void count_ticketed(void) {
  unsigned mine = atomic_fetch_add_explicit(&next, 1, memory_order_relaxed);
  if (fixed) {
    while (atomic_load_explicit(&serving, memory_order_acquire) != mine) {
    }
  } else {
    while (atomic_load_explicit(&serving, memory_order_relaxed) != mine) {
    }
  }
  counter++;
  atomic_store_explicit(&serving, mine + 1, memory_order_release);
}
static void run_ticket(bool with_fix) {
  fixed = with_fix;
  next = serving = 0;
  counter = 0;
  RUN(count_ticketed, count_ticketed);
  interleave_assert(counter == 2);
}
GALLERY(ticket_lock, "a ticket lock that waits with relaxed loads", INTERLEAVE_RACE, run_ticket);
