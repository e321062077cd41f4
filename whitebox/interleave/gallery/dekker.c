/* Dekker's lock: each thread announces itself, then looks at the other. With release and acquire the announcement may
 * still be on its way when the look finds nobody.
 * Source: E. W. Dijkstra, Cooperating sequential processes, 1965; H.-J. Boehm, Threads cannot be implemented as a
 * library, 2005. */
#include "gallery.h"

static bool fixed;
static _Atomic int wants[2], turn;
static int counter;

static void announce(int me, int value) {
  if (fixed)
    atomic_store_explicit(&wants[me], value, memory_order_seq_cst);
  else
    atomic_store_explicit(&wants[me], value, memory_order_release);
}

static int announced(int who) {
  if (fixed) return atomic_load_explicit(&wants[who], memory_order_seq_cst);
  return atomic_load_explicit(&wants[who], memory_order_acquire);
}

static void count_in(int me) {
  announce(me, 1);
  while (announced(1 - me)) {
    if (atomic_load_explicit(&turn, memory_order_acquire) == me) continue;
    announce(me, 0);
    while (atomic_load_explicit(&turn, memory_order_acquire) != me) {
    }
    announce(me, 1);
  }
  counter++;
  atomic_store_explicit(&turn, 1 - me, memory_order_release);
  announce(me, 0);
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
GALLERY(dekker, "Dekker's lock with release and acquire", INTERLEAVE_RACE, run);
