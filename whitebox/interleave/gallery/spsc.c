/* Lamport's queue for one producer and one consumer: its indices must release and acquire the slots.
 * Source: L. Lamport, Specifying concurrent program modules, 1983; N. M. Lê et al., Correct and efficient bounded FIFO
 * queues, 2013. */
#include "gallery.h"

#define SLOTS 2u

static bool fixed;
static int slot[SLOTS];
static _Atomic unsigned front, back;

static bool put(int value) {
  unsigned b = atomic_load_explicit(&back, memory_order_relaxed);
  if (b - atomic_load_explicit(&front, memory_order_acquire) == SLOTS) return false;
  slot[b % SLOTS] = value;
  if (fixed)
    atomic_store_explicit(&back, b + 1, memory_order_release);
  else
    atomic_store_explicit(&back, b + 1, memory_order_relaxed);
  return true;
}

static bool get(int *value) {
  unsigned f = atomic_load_explicit(&front, memory_order_relaxed);
  if (f == atomic_load_explicit(&back, memory_order_acquire)) return false;
  *value = slot[f % SLOTS];
  atomic_store_explicit(&front, f + 1, memory_order_release);
  return true;
}

static void producer(void) {
  for (int value = 1; value <= 3; value++)
    if (!put(value)) return;
}
static void consumer(void) {
  int value = 0;
  for (int expected = 1; expected <= 3; expected++) {
    if (!get(&value)) return;
    interleave_assert(value == expected);
  }
}

static void run(bool with_fix) {
  fixed = with_fix;
  front = back = 0;
  for (unsigned i = 0; i < SLOTS; i++) slot[i] = 0;
  RUN(producer, consumer);
}
GALLERY(spsc_queue, "Lamport's queue without release", INTERLEAVE_RACE, run);
