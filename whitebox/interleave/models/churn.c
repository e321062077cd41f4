/* The whole collector under programs that the explorer writes: threads allocate, link, free, hand over and collect in
 * an order that is a choice, as is everything else. The oracle: each object carries its identity and a pattern that
 * follows from it, looked at at every touch; the statistics agree with a recount at the end. */
#include <pthread.h>
#include <string.h>

#include "marked.h"
#include "stopping.h"

#define HELD      3u
#define MAILBOXES 2u
#define CHAIN_MAX 64u

/* ---- Objects ---- */

struct node {
  uint64_t identity; /* thread, number, words */
  struct node *next;
  uint64_t pattern[];
};

static uint64_t mix(uint64_t value) {
  value = (value ^ value >> 31) * UINT64_C(0x9e3779b97f4a7c15);
  return value ^ value >> 29;
}

/* Three classes and a large object. */
static const uint16_t pattern_words[] = {2, 6, 30, 2000};
#define SIZES (sizeof pattern_words / sizeof *pattern_words)

static size_t words_of(uint64_t identity) { return pattern_words[identity % SIZES]; }

/* A large object is looked at here and there. */
static size_t stride(size_t words) { return words > 64 ? 333 : 1; }

static void write_node(struct node *node, uint64_t identity) {
  node->identity = identity;
  for (size_t i = 0; i < words_of(identity); i += stride(words_of(identity))) node->pattern[i] = mix(identity + i);
}

static void expect_node(const struct node *node) {
  uint64_t identity = node->identity;
  if (!identity) interleave_fail("a live object was cleared: %p", (const void *)node);
  for (size_t i = 0; i < words_of(identity); i += stride(words_of(identity)))
    if (node->pattern[i] != mix(identity + i))
      interleave_fail("a live object was overwritten: %p, word %zu of object %llx", (const void *)node, i,
                      (unsigned long long)identity);
}

static void expect_zero(const struct node *node, size_t words) {
  bool zero = !node->identity && !node->next;
  for (size_t i = 0; i < words; i += stride(words)) zero = zero && !node->pattern[i];
  if (!zero) interleave_fail("a new object is not zero: %p", (const void *)node);
}

static void expect_chain(const struct node *node) {
  for (unsigned length = 0; node; node = node->next) {
    expect_node(node);
    if (++length > CHAIN_MAX) interleave_fail("a chain has become a ring");
  }
}

/* ---- What threads are doing, for coverage: read while they are stopped ---- */

enum doing { UNBORN, BORN, ALLOCATING, LINKING, FREEING, HANDING_OVER, TOUCHING, COLLECTING, BLOCKING, ENDING, ENDED };
#define THREADS_MAX 6u

#define PAIRS(phase)                                                                                                   \
  {                                                                                                                    \
    "unborn, " phase, "born, " phase, "allocating, " phase, "linking, " phase, "freeing, " phase,                      \
        "handing over, " phase, "touching, " phase, "collecting, " phase, "blocking, " phase, "ending, " phase,        \
        "ended, " phase                                                                                                \
  }
static const char *const pairs[][ENDED + 1] = {PAIRS("before the stop"), PAIRS("stopped")};

static volatile uint8_t doing[THREADS_MAX];
static unsigned threads_used;

static void does(enum doing what) { doing[interleave_self()] = (uint8_t)what; }
/* No access of the program's, so no race. */
__attribute__((no_sanitize("thread"))) static void cover(unsigned phase) {
  for (unsigned i = 0; i < threads_used; i++)
    if (i != interleave_self()) interleave_cover(pairs[phase][doing[i]]);
}

static void cycle_start(void *arg) {
  (void)arg;
  cover(0);
}
static void stopped(void *arg, vgc_root_push *push, void *sink) {
  (void)arg, (void)push, (void)sink;
  cover(1);
}

static void report(void *arg, enum vgc_error error, const void *ptr, const char *message) {
  (void)arg, (void)ptr;
  interleave_fail("error %d reported: %s", (int)error, message);
}

/* ---- The programs ---- */

struct mutator {
  struct node *held[HELD];
  uint64_t made;
};

static _Atomic(struct node *) mailbox[MAILBOXES];

static void allocate(struct mutator *me) {
  does(ALLOCATING);
  uint64_t identity = (((uint64_t)interleave_self() + 1) << 32 | ++me->made << 2) + interleave_choose(SIZES);
  size_t words = words_of(identity);
  struct node *node = vgc_malloc(sizeof *node + words * sizeof node->pattern[0]);
  interleave_assert(node);
  expect_zero(node, words);
  write_node(node, identity);
  unsigned at = (unsigned)me->made % HELD;
  /* What was held there hangs on the new one, or is dropped. */
  if (interleave_choose(2) == 0) node->next = me->held[at];
  me->held[at] = node;
}

static unsigned pick(const struct mutator *me) {
  unsigned at = interleave_choose(HELD);
  for (unsigned i = 0; i < HELD && !me->held[at]; i++) at = (at + 1) % HELD;
  return at;
}

static void link_two(struct mutator *me) {
  does(LINKING);
  unsigned from = pick(me), to = (from + 1) % HELD;
  if (!me->held[from]) return;
  struct node *last = me->held[from];
  while (last->next) last = last->next;
  last->next = me->held[to];
  me->held[to] = NULL;
}

static void free_first(struct mutator *me) {
  does(FREEING);
  struct node **at = &me->held[pick(me)], *node = *at;
  if (!node) return;
  expect_node(node);
  *at = node->next;
  vgc_free(node);
}

static void hand_over(struct mutator *me) {
  does(HANDING_OVER);
  unsigned at = pick(me);
  me->held[at] = atomic_exchange_explicit(&mailbox[at % MAILBOXES], me->held[at], memory_order_acq_rel);
}

static void touch(const struct mutator *me) {
  does(TOUCHING);
  for (unsigned i = 0; i < HELD; i++) expect_chain(me->held[i]);
}

static void collect(void) {
  does(COLLECTING);
  interleave_assert(vgc_collect() == 0);
}

static void block(void) {
  does(BLOCKING);
  vgc_blocking_enter();
  interleave_point();
  vgc_blocking_leave();
}

static void live(unsigned operations) {
  struct mutator me = {{NULL}, 0};
  while (operations--) {
    switch (interleave_choose(12)) {
    case 0 ... 3:
      allocate(&me);
      break;
    case 4:
      link_two(&me);
      break;
    case 5 ... 6:
      free_first(&me);
      break;
    case 7 ... 8:
      hand_over(&me);
      break;
    case 9:
      touch(&me);
      break;
    case 10:
      collect();
      break;
    default:
      block();
      break;
    }
  }
  touch(&me);
  does(ENDING);
}

/* ---- Models ---- */

static unsigned operations_each;

static void *lives(void *arg) {
  does(BORN);
  live(operations_each);
  does(ENDED);
  return arg;
}

static void churn(unsigned threads, unsigned operations) {
  pthread_t others[THREADS_MAX];
  threads_used = threads;
  operations_each = operations;
  for (unsigned i = 1; i < threads; i++) interleave_assert(pthread_create(&others[i], NULL, lives, NULL) == 0);
  live(operations);
  for (unsigned i = 1; i < threads; i++) interleave_assert(pthread_join(others[i], NULL) == 0);
  for (unsigned i = 0; i < MAILBOXES; i++) expect_chain(mailbox[i]);
  expect_statistics();
}

static void churn_start(void) {
  struct vgc_config tiny = tiny_config();
  tiny.minimum_heap = 8 * 1024;
  strict_start(&tiny);
  vgc_set_hooks(
      &(struct vgc_hooks){.struct_size = sizeof(struct vgc_hooks), .cycle_start = cycle_start, .error = report}, NULL);
  interleave_assert(vgc_root_add_callback(stopped, NULL) == 0);
}

static void churn3(void) { churn(3, 8); }
INTERLEAVE_MODEL(churn3, .setup = churn_start, .run = churn3, .steps = 200000,
                 .title = "the whole collector: three threads, any operations in any order");

static void churn5(void) { churn(5, 6); }
INTERLEAVE_MODEL(churn5, .setup = churn_start, .run = churn5, .steps = 200000, .title = "the same with five threads");
