/* Makes a failing run simpler. Deviations from 0 are named by the thread that was running and how many decisions of
 * that kind it had met, not by their number in the run, so that one can be taken out and the others keep their meaning;
 * sets of them are taken out by delta debugging (Zeller and Hildebrandt 2002). Last, small searches look for a failure
 * with fewer preemptions than are left. */
#include <stdlib.h>
#include <string.h>

#include "explore.h"

struct deviation {
  uint8_t kind, fiber;
  uint16_t value; /* CHOICE_THREAD: id of the fiber that goes on */
  uint32_t index; /* among the decisions of that kind met by that fiber */
};

struct deviations {
  struct deviation *list; /* sorted by kind, fiber, index */
  uint32_t count;
};

/* ---- A strategy that deviates there ---- */

struct deviating {
  struct strategy base;
  const struct deviations *deviations;
  uint32_t met[CHOICE_KINDS][FIBERS_MAX];
  uint32_t cursor[CHOICE_KINDS][FIBERS_MAX];
};

static bool deviating_begin(struct strategy *strategy, uint64_t run) {
  struct deviating *d = (struct deviating *)strategy;
  (void)run;
  memset(d->met, 0, sizeof d->met);
  for (uint32_t i = d->deviations->count; i-- > 0;)
    d->cursor[d->deviations->list[i].kind][d->deviations->list[i].fiber] = i;
  return true;
}

static unsigned value_at(struct deviating *d, unsigned kind) {
  unsigned fiber = RT->current->id;
  uint32_t index = d->met[kind][fiber]++, *cursor = &d->cursor[kind][fiber];
  if (*cursor >= d->deviations->count) return UINT32_MAX;
  const struct deviation *next = &d->deviations->list[*cursor];
  if (next->kind != kind || next->fiber != fiber || next->index != index) return UINT32_MAX;
  ++*cursor;
  return next->value;
}

static unsigned deviating_thread(struct strategy *strategy, const uint8_t *ids, unsigned n, bool current_enabled) {
  unsigned value = value_at((struct deviating *)strategy, CHOICE_THREAD);
  (void)current_enabled;
  for (unsigned i = 1; i < n; i++)
    if (ids[i] == value) return i;
  return 0;
}

static unsigned deviating_other(struct strategy *strategy, enum choice_kind kind, unsigned n) {
  unsigned value = value_at((struct deviating *)strategy, kind);
  return value < n ? value : 0;
}

static void deviating_end(struct strategy *strategy, enum verdict verdict) {
  (void)strategy;
  (void)verdict;
}

/* ---- Sets of deviations ---- */

static int by_place(const void *a, const void *b) {
  const struct deviation *x = a, *y = b;
  if (x->kind != y->kind) return x->kind < y->kind ? -1 : 1;
  if (x->fiber != y->fiber) return x->fiber < y->fiber ? -1 : 1;
  return x->index < y->index ? -1 : x->index > y->index;
}

static struct deviations deviations_of(const struct decision *list, uint32_t count) {
  struct deviations all = {calloc(count + 1, sizeof *all.list), 0};
  uint32_t met[CHOICE_KINDS][FIBERS_MAX] = {0};
  if (!all.list) abort();
  for (uint32_t i = 0; i < count; i++) {
    uint32_t index = met[list[i].kind][list[i].fiber]++;
    if (list[i].taken == 0) continue;
    uint16_t value = list[i].kind == CHOICE_THREAD ? list[i].target : list[i].taken;
    all.list[all.count++] = (struct deviation){list[i].kind, list[i].fiber, value, index};
  }
  qsort(all.list, all.count, sizeof *all.list, by_place);
  return all;
}

/* What is less: preemptions first, then deviations, then length. */
struct cost {
  uint32_t preemptions, deviations, decisions;
};

static struct cost cost_of(const struct decision *list, uint32_t count) {
  struct cost cost = {.decisions = count};
  for (uint32_t i = 0; i < count; i++) {
    cost.preemptions += list[i].preemption;
    cost.deviations += list[i].taken != 0;
  }
  return cost;
}

static bool less(const struct cost *a, const struct cost *b) {
  if (a->preemptions != b->preemptions) return a->preemptions < b->preemptions;
  if (a->deviations != b->deviations) return a->deviations < b->deviations;
  return a->decisions < b->decisions;
}

/* ---- Shrinking ---- */

struct shrinking {
  struct decisions best;
  struct cost cost;
  struct failure failure;
  double end;
};

/* The last run was tried; takes it if it is simpler and fails alike. */
static bool take_if_simpler(struct shrinking *s, enum verdict verdict) {
  if (verdict != RUN_FAILED || !same_failure(&RT->failure, &s->failure)) return false;
  struct cost cost = cost_of(choices->list, choices->count);
  if (!less(&cost, &s->cost)) return false;
  decisions_free(&s->best);
  s->best = decisions_keep();
  s->cost = cost;
  return true;
}

/* Without those from `from` to `to`. */
static bool try_without(struct shrinking *s, const struct deviations *all, uint32_t from, uint32_t to) {
  struct deviations rest = {malloc((all->count + 1) * sizeof *rest.list), all->count - (to - from)};
  if (!rest.list) abort();
  memcpy(rest.list, all->list, from * sizeof *rest.list);
  memcpy(rest.list + from, all->list + to, (all->count - to) * sizeof *rest.list);
  struct deviating d = {.deviations = &rest};
  d.base = (struct strategy){.name = "deviating",
                             .begin = deviating_begin,
                             .thread = deviating_thread,
                             .other = deviating_other,
                             .end = deviating_end};
  bool nothing_left;
  bool taken = take_if_simpler(s, run_by(&d.base, 0, &nothing_left));
  free(rest.list);
  return taken;
}

static bool pass(struct shrinking *s, uint32_t size) {
  bool any = false;
  struct deviations all = deviations_of(s->best.list, s->best.count);
  for (uint32_t from = 0; from < all.count && now_seconds() < s->end;) {
    uint32_t to = from + size < all.count ? from + size : all.count;
    if (try_without(s, &all, from, to)) {
      any = true;
      free(all.list);
      all = deviations_of(s->best.list, s->best.count);
    } else {
      from = to;
    }
  }
  free(all.list);
  return any;
}

static void search_below(struct shrinking *s, unsigned bound, double end) {
  struct strategy *search = strategy_exhaustive(bound, false);
  bool nothing_left = false;
  while (!nothing_left && now_seconds() < end)
    if (take_if_simpler(s, run_by(search, 0, &nothing_left))) break;
  strategy_free(search);
}

struct decisions shrink(const struct decisions *from, double seconds) {
  run_list(from->list, from->count, false);
  struct shrinking s = {.failure = RT->failure, .best = decisions_keep()};
  double begin = now_seconds();
  s.end = begin + seconds * 2 / 3;
  s.cost = cost_of(s.best.list, s.best.count);
  for (bool any = true; any && now_seconds() < s.end;) {
    any = false;
    for (uint32_t size = s.cost.deviations; size > 0 && now_seconds() < s.end; size /= 2) any |= pass(&s, size);
  }
  for (unsigned bound = 0; bound < s.cost.preemptions && bound < 4; bound++)
    search_below(&s, bound, now_seconds() + seconds / 12);
  return s.best;
}
