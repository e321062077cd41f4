/* A seqlock reader that does not keep its loads of the data before its second look at the sequence number.
 * Source: H.-J. Boehm, Can seqlocks get along with programming language memory models?, 2012. */
#include "gallery.h"

static bool fixed;
static _Atomic unsigned sequence;
static _Atomic int left, right;

static void writer(void) {
  unsigned before = atomic_load_explicit(&sequence, memory_order_relaxed);
  atomic_store_explicit(&sequence, before + 1, memory_order_relaxed);
  atomic_thread_fence(memory_order_release);
  atomic_store_explicit(&left, 1, memory_order_relaxed);
  atomic_store_explicit(&right, 1, memory_order_relaxed);
  atomic_store_explicit(&sequence, before + 2, memory_order_release);
}

static void reader(void) {
  unsigned before = atomic_load_explicit(&sequence, memory_order_acquire);
  int l = atomic_load_explicit(&left, memory_order_relaxed);
  int r = atomic_load_explicit(&right, memory_order_relaxed);
  if (fixed) atomic_thread_fence(memory_order_acquire);
  unsigned after = atomic_load_explicit(&sequence, memory_order_relaxed);
  if (before == after && before % 2 == 0) interleave_assert(l == r);
}

static void run(bool with_fix) {
  fixed = with_fix;
  sequence = 0;
  left = right = 0;
  RUN(writer, reader);
}
GALLERY(seqlock, "a seqlock reader without its fence", INTERLEAVE_ASSERTION, run);
