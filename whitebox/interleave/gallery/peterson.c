/* Peterson's lock without the full fence between the stores and the look at the other thread.
 * Source: G. L. Peterson, Myths about the mutual exclusion problem, 1981; A. Williams, Peterson's lock with C++0x
 * atomics, 2008. */
#include "gallery.h"

static bool fixed;
static _Atomic int wants[2], turn;
static int counter;

static void count_in(int me) {
  int other = 1 - me;
  atomic_store_explicit(&wants[me], 1, memory_order_relaxed);
  if (fixed)
    atomic_exchange_explicit(&turn, other, memory_order_acq_rel);
  else
    atomic_store_explicit(&turn, other, memory_order_release);
  while (atomic_load_explicit(&wants[other], memory_order_acquire) &&
         atomic_load_explicit(&turn, memory_order_acquire) == other) {
  }
  counter++;
  atomic_store_explicit(&wants[me], 0, memory_order_release);
}

static void first(void) { count_in(0); }
static void second(void) { count_in(1); }

static void run(bool with_fix) {
  fixed = with_fix;
  wants[0] = wants[1] = turn = 0;
  counter = 0;
  RUN(first, second);
  interleave_assert(counter == 2);
}
GALLERY(peterson, "Peterson's lock without a full fence", INTERLEAVE_RACE, run);
