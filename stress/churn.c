/* Storms of allocation, free and resize over all sizes and kinds. Each thread owns its objects; they hang from every
 * place that a collector must look at. */
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "oracle.h"

enum { SEGMENT = 40, MOST_WORKERS = 260 };
enum place { ON_STACK, IN_GLOBAL, IN_HEAP, IN_ADDED_ROOT, IN_THREAD_STORAGE, IN_SPECIFIC, PLACES };

static _Thread_local struct reference thread_slots[SEGMENT];
static struct reference global_slots[MOST_WORKERS][SEGMENT];
static pthread_key_t specific_slots; /* value: a heap object that nothing else points to */

struct churn {
  struct worker *worker;
  struct reference *segment[PLACES]; /* IN_SPECIFIC: NULL, the key alone knows */
  unsigned places;                   /* those that the subject scans */
};

static struct reference *slot(const struct churn *churn, uint64_t number) {
  enum place place = (enum place)(number % churn->places);
  struct reference *segment = place == IN_SPECIFIC ? pthread_getspecific(specific_slots) : churn->segment[place];
  return &segment[number / churn->places % SEGMENT];
}

static struct reference *any_slot(const struct churn *churn) {
  return slot(churn, random_below(&churn->worker->random, churn->places * SEGMENT));
}

static struct reference *new_table(struct worker *worker) {
  worker->tally.allocated++;
  struct reference *table = subject.allocate(KIND_SCANNED, SEGMENT * sizeof *table, 8, 0);
  harness_check(table, "no memory for a table");
  return table;
}

static void old_table(struct worker *worker, void *table) {
  worker->tally.freed++;
  subject.release(table);
}

/* ---- Steps ---- */

/* Frees the object; what hung below goes the other way. */
static void free_top(struct worker *worker, struct reference *reference) {
  for (unsigned link = 0; link < reference->links; link++) {
    struct reference child = oracle_relink(worker, reference, link, (struct reference){0});
    oracle_drop(worker, &child);
  }
  if (reference->at) oracle_free(worker, reference);
}

static void end_one(struct churn *churn) {
  struct reference *reference = any_slot(churn);
  if (random_one_in(&churn->worker->random, 2))
    free_top(churn->worker, reference);
  else
    oracle_drop(churn->worker, reference);
}

static void make_one(struct churn *churn) {
  struct worker *worker = churn->worker;
  struct random *random = &worker->random;
  static const enum subject_kind kinds[] = {KIND_SCANNED, KIND_SCANNED, KIND_SCANNED, KIND_NOSCAN,
                                            KIND_NOSCAN,  KIND_TYPED,   KIND_TYPED,   KIND_UNCOLLECTABLE};
  enum subject_kind kind = kinds[random_below(random, sizeof kinds / sizeof *kinds)];
  size_t size = random_size(random), alignment = 8;
  if (kind == KIND_TYPED) size = (size + ORACLE_ELEMENT - 1) / ORACLE_ELEMENT * ORACLE_ELEMENT;
  if (kind == KIND_SCANNED && subject.can & CAN_ALIGN && random_one_in(random, 8))
    alignment = (size_t)16 << random_below(random, 9);
  unsigned room = oracle_room(kind, size);
  unsigned links = room ? (unsigned)random_below(random, (room < 8 ? room : 8) + 1) : 0;
  struct reference *reference = any_slot(churn);
  oracle_drop(worker, reference);
  *reference = oracle_new(worker, kind, size, links, alignment);
}

static void resize_one(struct churn *churn) {
  struct worker *worker = churn->worker;
  struct reference *reference = any_slot(churn);
  if (!reference->at) return;
  size_t size = random_size(&worker->random);
  if (reference->kind == KIND_TYPED) {
    if (!(subject.can & CAN_ZERO)) return; /* libgc: the control resizes no typed arrays */
    size = (size + ORACLE_ELEMENT - 1) / ORACLE_ELEMENT * ORACLE_ELEMENT;
  }
  oracle_resize(worker, reference, size);
}

/* Moves one object below another. */
static void hang_one(struct churn *churn) {
  struct worker *worker = churn->worker;
  struct reference *child = any_slot(churn), *parent = any_slot(churn);
  if (child == parent || !parent->links || child->kind == KIND_UNCOLLECTABLE) return;
  unsigned link = (unsigned)random_below(&worker->random, parent->links);
  struct reference old = oracle_relink(worker, parent, link, *child);
  *child = old;
}

static void look_below(struct churn *churn) {
  struct worker *worker = churn->worker;
  const struct reference *top = any_slot(churn);
  struct reference at = *top;
  while (at.links) {
    struct reference below = oracle_link(worker, &at, (unsigned)random_below(&worker->random, at.links));
    if (!below.at) break;
    at = below;
  }
  oracle_check(worker, &at);
}

static void rarely(struct churn *churn) {
  switch (random_below(&churn->worker->random, 64)) {
  case 0:
    harness_collect();
    break;
  case 1:
    subject.trim();
    break;
  case 2:
    subject.pause(true);
    for (int i = 0; i < 16; i++) make_one(churn);
    subject.pause(false);
    break;
  default:
    break;
  }
}

static void step(struct churn *churn) {
  struct random *random = &churn->worker->random;
  uint64_t dice = random_below(random, 100);
  if (dice < 36)
    make_one(churn);
  else if (dice < 52)
    oracle_check(churn->worker, any_slot(churn));
  else if (dice < 62)
    look_below(churn);
  else if (dice < 74)
    end_one(churn);
  else if (dice < 82)
    resize_one(churn);
  else if (dice < 93)
    hang_one(churn);
  else if (dice < 98)
    oracle_point_inside(any_slot(churn), random_below(random, 64));
  else
    rarely(churn);
}

/* ---- Frame ---- */

static void begin(struct worker *worker) {
  (void)worker;
  pthread_key_create(&specific_slots, NULL);
}

static void work(struct worker *worker) {
  struct reference stack_slots[SEGMENT] = {0};
  struct reference *added = calloc(SEGMENT, sizeof *added);
  harness_check(added && subject.add_root(added, SEGMENT * sizeof *added), "no root could be added");
  struct churn churn = {.worker = worker,
                        .places = subject.can & CAN_SCAN_THREAD_STORAGE ? PLACES : IN_THREAD_STORAGE,
                        .segment = {[ON_STACK] = stack_slots,
                                    [IN_THREAD_STORAGE] = thread_slots,
                                    [IN_GLOBAL] = global_slots[worker->index % MOST_WORKERS],
                                    [IN_HEAP] = new_table(worker),
                                    [IN_ADDED_ROOT] = added}};
  bool specific = churn.places > IN_SPECIFIC;
  if (specific) pthread_setspecific(specific_slots, new_table(worker));
  while (harness_goes_on(worker)) step(&churn);
  uint64_t objects = 1 + specific, bytes = objects * SEGMENT * sizeof *added;
  for (uint64_t i = 0; i < churn.places * SEGMENT; i++) oracle_check_tree(worker, slot(&churn, i), &objects, &bytes);
  harness_census(worker, objects, bytes);
  for (uint64_t i = 0; i < churn.places * SEGMENT; i++) oracle_drop(worker, slot(&churn, i));
  old_table(worker, churn.segment[IN_HEAP]);
  if (specific) old_table(worker, pthread_getspecific(specific_slots));
  pthread_setspecific(specific_slots, NULL);
  subject.remove_root(added, SEGMENT * sizeof *added);
  free(added);
}

struct program program = {
    .name = "churn",
    .summary = "allocation, free and resize over all sizes and kinds, hung from every kind of root",
    .threads = 4,
    .least_threads = 1,
    .retained = 64,
    .begin = begin,
    .work = work,
};
