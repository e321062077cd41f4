/* Threads mutate one shared graph with cycles. Only the collector can tell what is garbage: nothing is freed. */
#include <stdlib.h>

#include "harness.h"
#include "oracle.h"

enum { ROOTS = 1024, LOCKS = 64, LINKS = 4, WALK = 24 };

/* A node's links and checksum belong to the lock that its identity picks, a root slot to the lock that its number
 * picks. No thread holds two. Between two locks a node hangs from the walker's stack or registers alone. */
static pthread_mutex_t node_locks[LOCKS], root_locks[LOCKS];
static struct reference roots[ROOTS];

static pthread_mutex_t *lock_of(const struct reference *node) {
  return &node_locks[random_mix(node->identity) % LOCKS];
}

static struct reference exchange_root(size_t number, const struct reference *new) {
  pthread_mutex_lock(&root_locks[number % LOCKS]);
  struct reference old = roots[number];
  if (new) roots[number] = *new;
  pthread_mutex_unlock(&root_locks[number % LOCKS]);
  return old;
}

static struct reference any_root(struct worker *worker) {
  return exchange_root(random_below(&worker->random, ROOTS), NULL);
}

static void set_link(struct worker *worker, const struct reference *node, unsigned link, struct reference to) {
  pthread_mutex_lock(lock_of(node));
  oracle_relink(worker, node, link, to);
  pthread_mutex_unlock(lock_of(node));
}

/* ---- Steps ---- */

/* An evicted node mostly loses its links: else the graph would remember its whole history. */
static void evict(struct worker *worker, const struct reference *node) {
  if (!node->at || random_one_in(&worker->random, 4)) return;
  for (unsigned link = 0; link < node->links; link++) set_link(worker, node, link, (struct reference){0});
}

static void replace(struct worker *worker) {
  struct random *random = &worker->random;
  enum subject_kind kind = random_one_in(random, 3) ? KIND_TYPED : KIND_SCANNED;
  size_t size = 2 * ORACLE_ELEMENT + random_below(random, 6) * ORACLE_ELEMENT;
  if (random_one_in(random, 200)) size = 65536;
  struct reference node = oracle_new(worker, kind, size, LINKS, 8);
  unsigned links = (unsigned)random_below(random, LINKS);
  for (unsigned link = 0; link < links; link++) oracle_relink(worker, &node, link, any_root(worker));
  struct reference old = exchange_root(random_below(random, ROOTS), &node);
  evict(worker, &old);
}

static void relink(struct worker *worker) {
  struct reference from = any_root(worker), to = any_root(worker);
  if (from.at) set_link(worker, &from, (unsigned)random_below(&worker->random, LINKS), to);
}

static void walk(struct worker *worker) {
  struct reference node = any_root(worker);
  for (int i = 0; node.at && i < WALK; i++) {
    pthread_mutex_lock(lock_of(&node));
    oracle_check(worker, &node);
    struct reference next = oracle_link(worker, &node, (unsigned)random_below(&worker->random, LINKS));
    pthread_mutex_unlock(lock_of(&node));
    node = next;
  }
}

static void work(struct worker *worker) {
  while (harness_goes_on(worker)) {
    uint64_t dice = random_below(&worker->random, 100);
    if (dice < 40)
      replace(worker);
    else if (dice < 60)
      relink(worker);
    else
      walk(worker);
    if (random_one_in(&worker->random, 16384)) harness_collect();
  }
  harness_census(worker, 0, 0);
}

/* ---- Counting what is reachable: main thread, workers wait ---- */

struct seen {
  uint64_t *identities; /* open addressing, 0 is empty */
  size_t capacity, used;
};

static bool see(struct seen *seen, uint64_t identity) {
  if (seen->used * 2 >= seen->capacity) {
    struct seen larger = {.capacity = seen->capacity ? seen->capacity * 2 : 4096};
    larger.identities = calloc(larger.capacity, sizeof *larger.identities);
    harness_check(larger.identities, "no memory to count the graph");
    for (size_t i = 0; i < seen->capacity; i++)
      if (seen->identities[i]) see(&larger, seen->identities[i]);
    free(seen->identities);
    *seen = larger;
  }
  size_t at = random_mix(identity) % seen->capacity;
  while (seen->identities[at] && seen->identities[at] != identity) at = (at + 1) % seen->capacity;
  if (seen->identities[at]) return false;
  seen->identities[at] = identity;
  seen->used++;
  return true;
}

static void census(struct worker *worker, uint64_t *objects, uint64_t *bytes) {
  struct seen seen = {0};
  size_t depth = 0, capacity = ROOTS;
  struct reference *pending = malloc(capacity * sizeof *pending);
  harness_check(pending, "no memory to count the graph");
  for (size_t i = 0; i < ROOTS; i++)
    if (roots[i].at && see(&seen, roots[i].identity)) pending[depth++] = roots[i];
  while (depth) {
    struct reference node = pending[--depth];
    oracle_check(worker, &node);
    ++*objects;
    *bytes += node.size;
    if (depth + LINKS > capacity) pending = realloc(pending, (capacity *= 2) * sizeof *pending);
    harness_check(pending, "no memory to count the graph");
    for (unsigned link = 0; link < LINKS; link++) {
      struct reference to = oracle_link(worker, &node, link);
      if (to.at && see(&seen, to.identity)) pending[depth++] = to;
    }
  }
  free(pending);
  free(seen.identities);
}

/* ---- Frame ---- */

static void begin(struct worker *worker) {
  (void)worker;
  for (int i = 0; i < LOCKS; i++) {
    pthread_mutex_init(&node_locks[i], NULL);
    pthread_mutex_init(&root_locks[i], NULL);
  }
}

static void end(struct worker *worker) {
  (void)worker;
  for (size_t i = 0; i < ROOTS; i++) roots[i] = (struct reference){0};
}

struct program program = {
    .name = "graph",
    .summary = "threads mutate a shared object graph",
    .threads = 4,
    .least_threads = 1,
    .needs = CAN_COLLECT,
    .retained = 64,
    .begin = begin,
    .work = work,
    .census = census,
    .end = end,
};
