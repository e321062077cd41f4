/* The queue of Michael and Scott, whose removed nodes must not be freed while another thread may look at them: with
 * plain malloc and free, the thread that lost the exchange reads the `next` of a freed node. Source: M. M. Michael and
 * M. L. Scott, Simple, fast, and practical non-blocking and blocking concurrent queue algorithms, 1996 (their free list
 * is type-stable); M. M. Michael, Safe memory reclamation for dynamic lock-free objects, 2002. */
#include "gallery.h"

struct node {
  struct node *_Atomic next;
  int value;
};

static bool fixed;
static struct node *_Atomic head, *_Atomic tail;
static struct node *retired[4]; /* fixed: kept until all threads have ended */
static _Atomic unsigned retired_count;

static struct node *make(int value) {
  struct node *node = malloc(sizeof *node);
  if (node == NULL) abort();
  atomic_init(&node->next, NULL);
  node->value = value;
  return node;
}

static void enqueue(int value) {
  struct node *node = make(value);
  for (;;) {
    struct node *last = atomic_load(&tail), *next = atomic_load(&last->next);
    if (last != atomic_load(&tail)) continue;
    if (next != NULL) {
      atomic_compare_exchange_strong(&tail, &last, next);
    } else if (atomic_compare_exchange_strong(&last->next, &next, node)) {
      atomic_compare_exchange_strong(&tail, &last, node);
      return;
    }
  }
}

/* 0 if the queue is empty. */
static int dequeue(void) {
  for (;;) {
    struct node *first = atomic_load(&head), *last = atomic_load(&tail), *next = atomic_load(&first->next);
    if (first != atomic_load(&head)) continue;
    if (next == NULL) return 0;
    if (first == last) {
      atomic_compare_exchange_strong(&tail, &last, next);
      continue;
    }
    int value = next->value;
    if (!atomic_compare_exchange_strong(&head, &first, next)) continue;
    if (fixed)
      retired[atomic_fetch_add(&retired_count, 1)] = first;
    else
      free(first);
    return value;
  }
}

static _Atomic int sum;
static void taker(void) { sum += dequeue(); }

static void run(bool with_fix) {
  fixed = with_fix;
  head = tail = make(0);
  retired_count = 0;
  sum = 0;
  enqueue(1);
  enqueue(2);
  RUN(taker, taker);
  interleave_assert(sum == 3);
  for (unsigned i = 0; i < retired_count; i++) free(retired[i]);
  free(head);
}
GALLERY(ms_queue, "Michael and Scott's queue with nodes freed at once", INTERLEAVE_MEMORY, run);
