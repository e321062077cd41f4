/* Objects with finalizers and weak links, passed between threads, dropped, got back through their links, brought back
 * by their finalizers, freed by hand.
 *
 * A ticket outside of the heap tells what must hold for each: while it is held, its finalizer is not called and its
 * link holds it; once dropped, it is either got back through the link, or finalized, once, with all that it points to
 * intact and its link cleared. */
#include <stdlib.h>

#include "harness.h"
#include "oracle.h"

enum { TICKETS = 1 << 14, SLOTS = 48, BOXES = 64, DRAIN = 6 };

enum state { UNUSED, HELD, DROPPED, FINALIZED, FREED };
static const char *const state_names[] = {"unused", "held", "dropped", "finalized", "freed"};

/* Of malloc's memory, where no collector looks. */
struct ticket {
  pthread_mutex_t lock; /* not held while the subject is called for more than a word */
  enum state state;
  uint32_t calls; /* of the finalizer */
  uint32_t next;  /* of the unused; the pool's lock */
  struct reference top;
  void *link; /* the subject's while there is a link */
};
static struct ticket *tickets;

static struct {
  pthread_mutex_t lock;
  uint32_t first; /* TICKETS: none */
} pool = {PTHREAD_MUTEX_INITIALIZER, 0};

/* An object and its ticket. Where one lies, the object is reachable. */
struct item {
  struct reference top;
  uint32_t ticket;
};

static struct box {
  pthread_mutex_t lock;
  struct item item;
} boxes[BOXES];

static _Thread_local struct worker *self; /* whose thread calls finalizers */
static _Atomic bool draining;             /* nothing is brought back any more */
static _Atomic uint64_t finalized, brought_back, got_back, left_linked;

static void count(_Atomic uint64_t *counter) { atomic_fetch_add_explicit(counter, 1, memory_order_relaxed); }

/* ---- Tickets ---- */

static struct ticket *ticket_take(void) {
  pthread_mutex_lock(&pool.lock);
  uint32_t index = pool.first;
  if (index != TICKETS) pool.first = tickets[index].next;
  pthread_mutex_unlock(&pool.lock);
  return index == TICKETS ? NULL : &tickets[index];
}

static void ticket_give(struct ticket *ticket) {
  pthread_mutex_lock(&ticket->lock);
  ticket->state = UNUSED;
  ticket->top = (struct reference){0};
  pthread_mutex_unlock(&ticket->lock);
  pthread_mutex_lock(&pool.lock);
  ticket->next = pool.first;
  pool.first = (uint32_t)(ticket - tickets);
  pthread_mutex_unlock(&pool.lock);
}

static void change(struct ticket *ticket, enum state from, enum state to) {
  pthread_mutex_lock(&ticket->lock);
  enum state found = ticket->state;
  ticket->state = to;
  pthread_mutex_unlock(&ticket->lock);
  harness_check(found == from, "ticket %zu is %s, expected to be %s on the way to %s", (size_t)(ticket - tickets),
                state_names[found], state_names[from], state_names[to]);
}

static void check_link(struct ticket *ticket, const void *expected) {
  const void *found = subject.weak_get(&ticket->link);
  harness_check(found == expected, "ticket %zu: the link holds %p, expected %p", ticket - tickets, found, expected);
}

/* ---- Finalizers ---- */

static void finalizer(void *object, void *arg);

/* The object is held. */
static void arm(struct ticket *ticket) {
  void *object = oracle_start(&ticket->top);
  harness_check(subject.weak_add(&ticket->link, object), "no link to %p, expected one", object);
  harness_check(subject.set_finalizer(object, finalizer, (void *)((uintptr_t)(ticket - tickets) << 3 | 1)),
                "no finalizer for %p, expected one", object);
}

static void check_all(const struct reference *top) {
  uint64_t objects = 0, bytes = 0;
  oracle_check_tree(self, top, &objects, &bytes);
}

static bool post(const struct item *item, uint64_t first) {
  for (uint64_t i = 0; i < BOXES; i++) {
    struct box *box = &boxes[(first + i) % BOXES];
    pthread_mutex_lock(&box->lock);
    bool empty = !box->item.top.at;
    if (empty) box->item = *item;
    pthread_mutex_unlock(&box->lock);
    if (empty) return true;
  }
  return false;
}

static void finalizer(void *object, void *arg) {
  struct ticket *ticket = &tickets[(uintptr_t)arg >> 3];
  pthread_mutex_lock(&ticket->lock);
  enum state found = ticket->state;
  struct item item = {ticket->top, (uint32_t)(ticket - tickets)};
  ticket->state = FINALIZED;
  ticket->calls++;
  pthread_mutex_unlock(&ticket->lock);
  harness_check(found == DROPPED, "finalizer of %p, ticket %u, which is %s, expected to be dropped", object,
                item.ticket, state_names[found]);
  harness_check(oracle_start(&item.top) == object, "finalizer of %p, ticket %u: expected %p", object, item.ticket,
                (void *)oracle_start(&item.top));
  check_link(ticket, NULL);
  check_all(&item.top);
  count(&finalized);
  struct random random = random_split(options.seed, item.top.identity, ticket->calls);
  if (random_one_in(&random, 4)) { /* allocate in it */
    struct reference garbage = oracle_new(self, KIND_SCANNED, 64, 0, 8);
    oracle_drop(self, &garbage);
  }
  if (!atomic_load_explicit(&draining, memory_order_relaxed) && random_one_in(&random, 3)) {
    arm(ticket);
    change(ticket, FINALIZED, HELD);
    count(&brought_back);
    if (post(&item, random_next(&random))) return;
    change(ticket, HELD, DROPPED);
    return;
  }
  ticket_give(ticket);
}

/* ---- Steps ---- */

static struct reference new_tree(struct worker *worker, unsigned depth) {
  static const enum subject_kind kinds[] = {KIND_SCANNED, KIND_SCANNED, KIND_NOSCAN, KIND_TYPED};
  struct random *random = &worker->random;
  enum subject_kind kind = kinds[random_below(random, sizeof kinds / sizeof *kinds)];
  size_t size = random_one_in(random, 128) ? random_size(random) : 8 + random_below(random, 400);
  if (kind == KIND_TYPED) size = (size + ORACLE_ELEMENT - 1) / ORACLE_ELEMENT * ORACLE_ELEMENT;
  unsigned room = oracle_room(kind, size), links = depth ? (room < 3 ? room : 3) : 0;
  struct reference top = oracle_new(worker, kind, size, links, 8);
  for (unsigned link = 0; link < links; link++) oracle_relink(worker, &top, link, new_tree(worker, depth - 1));
  return top;
}

static void drop(struct item *item) {
  if (!item->top.at) return;
  change(&tickets[item->ticket], HELD, DROPPED);
  *item = (struct item){0};
}

static void make_one(struct worker *worker, struct item *item) {
  drop(item);
  struct ticket *ticket = ticket_take();
  if (!ticket) return;
  item->top = ticket->top = new_tree(worker, (unsigned)random_below(&worker->random, 3));
  item->ticket = (uint32_t)(ticket - tickets);
  ticket->calls = 0;
  change(ticket, UNUSED, HELD);
  arm(ticket);
}

static void look(struct item *item) {
  if (!item->top.at) return;
  check_all(&item->top);
  check_link(&tickets[item->ticket], oracle_start(&item->top));
}

/* What a link has named is the collector's when it is freed, and not counted as freed. */
static void free_one(struct worker *worker, struct item *item) {
  if (!item->top.at) return;
  struct ticket *ticket = &tickets[item->ticket];
  bool linked = subject.can & CAN_FORGET_AT_FREE && random_one_in(&worker->random, 2);
  change(ticket, HELD, FREED);
  if (!linked) subject.weak_remove(&ticket->link);
  if (!linked && !(subject.can & CAN_FORGET_AT_FREE && random_one_in(&worker->random, 2)))
    subject.set_finalizer(oracle_start(&item->top), NULL, NULL);
  oracle_free(worker, &item->top);
  *item = (struct item){0};
  if (subject.can & CAN_FORGET_AT_FREE) worker->tally.freed--;
  if (linked) {
    count(&left_linked);
  } else {
    ticket_give(ticket);
  }
}

static void of_freed(void *object, void *arg) {
  harness_check(false, "a finalizer of %p is called, which was freed (%p)", object, arg);
}

/* What no link has named is free at once, and its finalizer forgotten. */
static void free_unnamed(struct worker *worker) {
  struct reference top = new_tree(worker, 0);
  void *object = oracle_start(&top);
  harness_check(subject.set_finalizer(object, of_freed, NULL), "no finalizer for %p, expected one", object);
  if (!(subject.can & CAN_FORGET_AT_FREE)) subject.set_finalizer(object, NULL, NULL);
  oracle_free(worker, &top);
}

static void exchange(struct worker *worker, struct item *item) {
  struct box *box = &boxes[random_below(&worker->random, BOXES)];
  pthread_mutex_lock(&box->lock);
  struct item other = box->item;
  box->item = *item;
  pthread_mutex_unlock(&box->lock);
  *item = other;
  look(item);
}

/* Follows the link of an object that somebody has dropped, or freed. */
static void get_back(struct worker *worker, struct item *item) {
  struct item got = {.ticket = (uint32_t)random_below(&worker->random, TICKETS)};
  struct ticket *ticket = &tickets[got.ticket];
  pthread_mutex_lock(&ticket->lock);
  enum state state = ticket->state;
  const void *found = state == DROPPED || state == FREED ? subject.weak_get(&ticket->link) : NULL;
  /* Else another thread is giving it an object. */
  const void *expected = (state == DROPPED || state == FREED) && ticket->top.at ? oracle_start(&ticket->top) : NULL;
  if (state == DROPPED && found == expected) {
    got.top = ticket->top;
    ticket->state = HELD;
  }
  bool done = state == FREED && !found;
  if (done) ticket->state = FINALIZED; /* nobody else's */
  pthread_mutex_unlock(&ticket->lock);
  harness_check(!found || found == expected, "ticket %u: the link holds %p, expected %p or NULL", got.ticket, found,
                expected);
  if (done) ticket_give(ticket);
  if (!got.top.at) return;
  count(&got_back);
  drop(item);
  *item = got;
  look(item);
}

static void set_anew(struct item *item) {
  if (!item->top.at) return;
  struct ticket *ticket = &tickets[item->ticket];
  subject.weak_remove(&ticket->link);
  subject.set_finalizer(oracle_start(&item->top), NULL, NULL);
  arm(ticket);
}

static void step(struct worker *worker, struct item *slots) {
  struct item *item = &slots[random_below(&worker->random, SLOTS)];
  uint64_t dice = random_below(&worker->random, 100);
  if (dice < 30)
    make_one(worker, item);
  else if (dice < 45)
    drop(item);
  else if (dice < 49)
    free_one(worker, item);
  else if (dice < 52)
    free_unnamed(worker);
  else if (dice < 65)
    exchange(worker, item);
  else if (dice < 85)
    get_back(worker, item);
  else if (dice < 95)
    look(item);
  else if (dice < 98)
    set_anew(item);
  else if (random_one_in(&worker->random, 512))
    harness_collect();
  else
    subject.finalize();
}

/* ---- Frame ---- */

static void begin(struct worker *worker) {
  self = worker;
  tickets = calloc(TICKETS, sizeof *tickets);
  harness_check(tickets, "no memory for tickets");
  for (uint32_t i = 0; i < TICKETS; i++) {
    pthread_mutex_init(&tickets[i].lock, NULL);
    tickets[i].next = i + 1;
  }
  for (unsigned i = 0; i < BOXES; i++) pthread_mutex_init(&boxes[i].lock, NULL);
}

static void work(struct worker *worker) {
  struct item slots[SLOTS] = {0};
  self = worker;
  while (harness_goes_on(worker)) step(worker, slots);
  uint64_t objects = 0, bytes = 0;
  for (unsigned i = 0; i < SLOTS; i++) {
    look(&slots[i]);
    oracle_check_tree(worker, &slots[i].top, &objects, &bytes);
  }
  harness_census(worker, objects, bytes);
  for (unsigned i = 0; i < SLOTS; i++) drop(&slots[i]);
}

/* What is due is called, and collected by the next. */
static void drain(void) {
  atomic_store_explicit(&draining, true, memory_order_relaxed);
  for (unsigned i = 0; i < DRAIN; i++) {
    harness_collect();
    subject.finalize();
  }
}

static void census(struct worker *worker, uint64_t *objects, uint64_t *bytes) {
  drain();
  for (unsigned i = 0; i < BOXES; i++) oracle_check_tree(worker, &boxes[i].item.top, objects, bytes);
}

static void end(struct worker *worker) {
  (void)worker;
  for (unsigned i = 0; i < BOXES; i++) drop(&boxes[i].item);
  drain();
  uint64_t kept = 0;
  for (uint32_t i = 0; i < TICKETS; i++) {
    harness_check(tickets[i].state != HELD, "ticket %u: held at the end, expected to be dropped", i);
    if (tickets[i].state != DROPPED) continue;
    kept++; /* a stale word leads to it, so that its link is not cleared either */
    check_link(&tickets[i], oracle_start(&tickets[i].top));
  }
  harness_check(kept <= program.retained, "%llu finalizers were never called, at most %llu expected",
                (unsigned long long)kept, (unsigned long long)program.retained);
  uint64_t calls = atomic_load(&finalized), back = atomic_load(&brought_back), got = atomic_load(&got_back);
  harness_check(calls && back && got, "vacuous run: %llu finalizers called, %llu objects brought back, %llu got back",
                (unsigned long long)calls, (unsigned long long)back, (unsigned long long)got);
}

struct program program = {
    .name = "finalize",
    .summary = "objects with finalizers and weak links, passed on, dropped, brought back, freed",
    .threads = 4,
    .least_threads = 1,
    .needs = CAN_FINALIZE,
    .asks_often = true,
    .retained = 64,
    .begin = begin,
    .work = work,
    .census = census,
    .end = end,
};
