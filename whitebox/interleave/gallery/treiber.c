/* A free list as a Treiber stack of indices without a tag: the head is what it was, the list behind it is not (ABA),
 * and a node that is in use is handed out again. Source: R. K. Treiber, Systems programming: coping with parallelism,
 * 1986; IBM System/370 Principles of Operation, appendix A (free-pool manipulation). */
#include "gallery.h"

#define NONE  0xffffffffu
#define NODES 3u

static bool fixed;
static _Atomic uint64_t head; /* index, and with the fix a count of changes above it */
static _Atomic uint32_t next[NODES];
static _Atomic int in_use[NODES];

static uint64_t changed(uint64_t old, uint32_t index) { return fixed ? ((old >> 32) + 1) << 32 | index : index; }

static uint32_t pop(void) {
  uint64_t old = atomic_load_explicit(&head, memory_order_acquire);
  for (;;) {
    uint32_t node = (uint32_t)old;
    if (node == NONE) return NONE;
    uint32_t after = atomic_load_explicit(&next[node], memory_order_relaxed);
    if (atomic_compare_exchange_weak_explicit(&head, &old, changed(old, after), memory_order_acq_rel,
                                              memory_order_acquire)) {
      interleave_assert(atomic_fetch_add_explicit(&in_use[node], 1, memory_order_relaxed) == 0);
      return node;
    }
  }
}

static void push(uint32_t node) {
  atomic_fetch_sub_explicit(&in_use[node], 1, memory_order_relaxed);
  uint64_t old = atomic_load_explicit(&head, memory_order_relaxed);
  do atomic_store_explicit(&next[node], (uint32_t)old, memory_order_relaxed);
  while (!atomic_compare_exchange_weak_explicit(&head, &old, changed(old, node), memory_order_acq_rel,
                                                memory_order_relaxed));
}

static void take_two(void) {
  pop();
  pop();
}
static void take_two_and_return(void) {
  uint32_t node = pop();
  pop();
  if (node != NONE) push(node);
}

static void run(bool with_fix) {
  fixed = with_fix;
  for (uint32_t i = 0; i < NODES; i++) {
    next[i] = i + 1 < NODES ? i + 1 : NONE;
    in_use[i] = 0;
  }
  head = 0;
  RUN(take_two, take_two_and_return);
}
GALLERY(treiber_aba, "a free list without a tag", INTERLEAVE_ASSERTION, run);
