/* The work-stealing deque of Chase and Lev with the C11 orders of Lê et al., who publish a grown array by a relaxed
 * store: a thief may find the new array and nothing in it. The second bug is older: without a full fence the owner and
 * a thief take the same element. Source: N. M. Lê, A. Pop, A. Cohen, F. Zappa Nardelli, Correct and efficient
 * work-stealing for weak memory models, 2013; the defect: B. Norris and B. Demsky, CDSChecker: checking concurrent data
 * structures written with C/C++ atomics, 2013. */
#include "gallery.h"

struct array {
  long size;
  _Atomic int slot[4];
};

static bool publishes, fences;
static struct array arrays[2];
static struct array *_Atomic array;
static _Atomic long top, bottom;
static _Atomic int taken[4]; /* how often each value was */

static void grow(long first, long end) {
  struct array *old = atomic_load_explicit(&array, memory_order_relaxed), *new = &arrays[1];
  for (long i = first; i < end; i++)
    atomic_store_explicit(&new->slot[i % new->size],
                          atomic_load_explicit(&old->slot[i % old->size], memory_order_relaxed), memory_order_relaxed);
  if (publishes)
    atomic_store_explicit(&array, new, memory_order_release);
  else
    atomic_store_explicit(&array, new, memory_order_relaxed);
}

static void push(int value) {
  long b = atomic_load_explicit(&bottom, memory_order_relaxed), t = atomic_load_explicit(&top, memory_order_acquire);
  if (b - t > atomic_load_explicit(&array, memory_order_relaxed)->size - 1) grow(t, b);
  struct array *a = atomic_load_explicit(&array, memory_order_relaxed);
  atomic_store_explicit(&a->slot[b % a->size], value, memory_order_relaxed);
  atomic_thread_fence(memory_order_release);
  atomic_store_explicit(&bottom, b + 1, memory_order_relaxed);
}

static void got(int value) {
  interleave_assert(value == 1 || value == 2);
  interleave_assert(atomic_fetch_add_explicit(&taken[value], 1, memory_order_relaxed) == 0);
}

static void take(void) {
  long b = atomic_load_explicit(&bottom, memory_order_relaxed) - 1;
  struct array *a = atomic_load_explicit(&array, memory_order_relaxed);
  atomic_store_explicit(&bottom, b, memory_order_relaxed);
  if (fences) atomic_thread_fence(memory_order_seq_cst);
  long t = atomic_load_explicit(&top, memory_order_relaxed);
  if (t < b) {
    got(atomic_load_explicit(&a->slot[b % a->size], memory_order_relaxed));
    return;
  }
  if (t == b) {
    int value = atomic_load_explicit(&a->slot[b % a->size], memory_order_relaxed);
    if (atomic_compare_exchange_strong_explicit(&top, &t, t + 1, memory_order_seq_cst, memory_order_relaxed))
      got(value);
  }
  atomic_store_explicit(&bottom, b + 1, memory_order_relaxed);
}

static void steal(void) {
  long t = atomic_load_explicit(&top, memory_order_acquire);
  if (fences) atomic_thread_fence(memory_order_seq_cst);
  long b = atomic_load_explicit(&bottom, memory_order_acquire);
  if (t >= b) return;
  struct array *a = publishes ? atomic_load_explicit(&array, memory_order_acquire)
                              : atomic_load_explicit(&array, memory_order_relaxed);
  int value = atomic_load_explicit(&a->slot[t % a->size], memory_order_relaxed);
  if (atomic_compare_exchange_strong_explicit(&top, &t, t + 1, memory_order_seq_cst, memory_order_relaxed)) got(value);
}

static void owner(void) {
  push(1);
  push(2);
  take();
}
static void owner_takes(void) {
  take();
  take();
}
static void thief(void) {
  steal();
  steal();
}

static void reset(long size) {
  for (int i = 0; i < 4; i++) arrays[0].slot[i] = arrays[1].slot[i] = taken[i] = 0;
  arrays[0].size = size;
  arrays[1].size = 2 * size;
  array = &arrays[0];
  top = bottom = 0;
}
static void run_grow(bool with_fix) {
  fences = true;
  publishes = with_fix;
  reset(1);
  RUN(owner, thief);
}
static void run_take(bool with_fix) {
  fences = with_fix;
  publishes = true;
  reset(2);
  push(1);
  push(2);
  RUN(owner_takes, thief);
}
GALLERY(chase_lev, "Chase and Lev's deque, its grown array published by a relaxed store", INTERLEAVE_ASSERTION,
        run_grow);
GALLERY(chase_lev_take, "Chase and Lev's deque without its full fences", INTERLEAVE_ASSERTION, run_take);
