/* Producers and consumers: objects are made by one thread and checked, freed, dropped or passed on by another. Half of
 * the threads never allocate. Each pair of threads has a ring of its own with one writer and one reader. */
#include <sched.h>

#include "harness.h"
#include "oracle.h"

enum { RING = 64 };

/* A subject's object, uncollectable: its slots are roots. */
struct ring {
  _Atomic uint32_t head; /* written by the reader: release, after it cleared the slot; acquired by the writer */
  char apart[124];
  _Atomic uint32_t tail; /* written by the writer: release, after it filled the slot; acquired by the reader */
  char far[124];
  struct reference slot[RING];
};

static struct ring **rings; /* [writer * threads + reader]; uncollectable objects; immutable while workers run */

static struct ring *ring_between(unsigned writer, unsigned reader) { return rings[writer * options.threads + reader]; }

static bool push(struct ring *ring, struct reference *reference) {
  uint32_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
  if (tail - atomic_load_explicit(&ring->head, memory_order_acquire) == RING) return false;
  ring->slot[tail % RING] = *reference;
  atomic_store_explicit(&ring->tail, tail + 1, memory_order_release);
  *reference = (struct reference){0};
  return true;
}

static bool pop(struct ring *ring, struct reference *reference) {
  uint32_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
  if (head == atomic_load_explicit(&ring->tail, memory_order_acquire)) return false;
  *reference = ring->slot[head % RING];
  ring->slot[head % RING] = (struct reference){0};
  atomic_store_explicit(&ring->head, head + 1, memory_order_release);
  return true;
}

/* ---- Messages: a top with up to four parts ---- */

static struct reference new_message(struct worker *worker) {
  struct random *random = &worker->random;
  size_t size = 40 + random_below(random, 400);
  enum subject_kind kind = KIND_SCANNED;
  if (random_one_in(random, 4)) {
    kind = KIND_TYPED;
    size = (size + ORACLE_ELEMENT) / ORACLE_ELEMENT * ORACLE_ELEMENT;
  }
  unsigned room = oracle_room(kind, size), links = room < 4 ? room : 4;
  struct reference top = oracle_new(worker, kind, size, links, 8);
  for (unsigned link = 0; link < links; link++) {
    kind = random_one_in(random, 2) ? KIND_NOSCAN : KIND_SCANNED;
    size = random_one_in(random, 64) ? random_size(random) : 1 + random_below(random, 200);
    oracle_relink(worker, &top, link, oracle_new(worker, kind, size, 0, 8));
  }
  return top;
}

static void free_message(struct worker *worker, struct reference *top) {
  for (unsigned link = 0; link < top->links; link++) {
    struct reference part = oracle_relink(worker, top, link, (struct reference){0});
    if (part.at) oracle_free(worker, &part);
  }
  oracle_free(worker, top);
}

static struct ring *outgoing(struct worker *worker) {
  unsigned self = worker->index - 1, other = (unsigned)random_below(&worker->random, options.threads - 1);
  return ring_between(self, other + (other >= self));
}

static void consume(struct worker *worker, struct reference *message) {
  uint64_t objects = 0, bytes = 0;
  oracle_check_tree(worker, message, &objects, &bytes);
  uint64_t dice = random_below(&worker->random, 10);
  if (dice < 2) {
    oracle_drop(worker, message);
  } else if (dice > 3 || !push(outgoing(worker), message)) {
    free_message(worker, message);
  }
}

static void step(struct worker *worker) {
  unsigned self = worker->index - 1;
  bool idle = true;
  if (self % 2 == 0) {
    struct reference message = new_message(worker);
    if (push(outgoing(worker), &message))
      idle = false;
    else
      free_message(worker, &message);
  }
  for (unsigned other = 0; other < options.threads; other++) {
    struct reference message;
    if (other == self || !pop(ring_between(other, self), &message)) continue;
    idle = false;
    consume(worker, &message);
  }
  if (self == 0 && random_one_in(&worker->random, 2048)) harness_collect();
  if (idle) sched_yield();
}

/* ---- Frame ---- */

static void *new_root(struct worker *worker, size_t size) {
  void *root = subject.allocate(KIND_UNCOLLECTABLE, size, 8, 0);
  harness_check(root, "no memory for %zu bytes of rings", size);
  worker->tally.allocated++;
  return root;
}

static void begin(struct worker *worker) {
  unsigned pairs = options.threads * options.threads;
  rings = new_root(worker, pairs * sizeof *rings);
  for (unsigned i = 0; i < pairs; i++) rings[i] = new_root(worker, sizeof **rings);
}

static void work(struct worker *worker) {
  while (harness_goes_on(worker)) step(worker);
  harness_census(worker, 0, 0);
}

static void census(struct worker *worker, uint64_t *objects, uint64_t *bytes) {
  unsigned pairs = options.threads * options.threads;
  *objects += 1 + pairs;
  *bytes += pairs * (sizeof *rings + sizeof **rings);
  for (unsigned i = 0; i < pairs; i++)
    for (unsigned n = 0; n < RING; n++) oracle_check_tree(worker, &rings[i]->slot[n], objects, bytes);
}

static void end(struct worker *worker) {
  unsigned pairs = options.threads * options.threads;
  for (unsigned i = 0; i < pairs; i++) {
    struct reference message;
    while (pop(rings[i], &message)) free_message(worker, &message);
    subject.release(rings[i]);
  }
  subject.release(rings);
  rings = NULL;
  worker->tally.freed += 1 + pairs;
}

struct program program = {
    .name = "handoff",
    .summary = "objects made by one thread and freed by another; half of the threads never allocate",
    .threads = 4,
    .least_threads = 2,
    .retained = 32,
    .begin = begin,
    .work = work,
    .census = census,
    .end = end,
};
