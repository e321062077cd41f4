/* Replays: a list of decisions by their number; and strategies by the names that tokens give them. */
#include <stdlib.h>
#include <string.h>

#include "exhaustive.h"

struct list {
  struct strategy base;
  const struct decision *decisions;
  uint32_t count, at;
  uint32_t divergences;
};

static unsigned list_take(struct list *list, enum choice_kind kind, unsigned n) {
  if (list->at >= list->count) return 0;
  const struct decision *decision = &list->decisions[list->at++];
  if (decision->taken == 0) return 0;
  if (decision->taken < n && (decision->kind == kind || decision->kind == CHOICE_KINDS)) return decision->taken;
  list->divergences++;
  return 0;
}

static bool list_begin(struct strategy *strategy, uint64_t run) {
  struct list *list = (struct list *)strategy;
  (void)run;
  list->at = 0;
  list->divergences = 0;
  return true;
}

static unsigned list_thread(struct strategy *strategy, const uint8_t *ids, unsigned n, bool current_enabled) {
  (void)ids;
  (void)current_enabled;
  return list_take((struct list *)strategy, CHOICE_THREAD, n);
}

static unsigned list_other(struct strategy *strategy, enum choice_kind kind, unsigned n) {
  return list_take((struct list *)strategy, kind, n);
}

static void list_describe(const struct strategy *strategy, FILE *out) {
  fprintf(out, "list of %u decisions", ((const struct list *)strategy)->count);
}

uint32_t strategy_list_divergences(const struct strategy *strategy) {
  const struct list *list = (const struct list *)strategy;
  uint32_t unused = 0;
  for (uint32_t i = list->at; i < list->count; i++) unused += list->decisions[i].taken != 0;
  return list->divergences + unused;
}

struct strategy *strategy_list(const struct decision *decisions, uint32_t count) {
  struct list *list = calloc(1, sizeof *list);
  if (list == NULL) abort();
  list->decisions = decisions;
  list->count = count;
  list->base = (struct strategy){.name = "list",
                                 .begin = list_begin,
                                 .thread = list_thread,
                                 .other = list_other,
                                 .end = strategy_end_nothing,
                                 .describe = list_describe,
                                 .active = strategy_itself,
                                 .by_list = true};
  return &list->base;
}

struct strategy *strategy_named(const char *name, uint64_t seed, uint64_t parameter) {
  unsigned long number = 0;
  char *end = NULL;
  if (strcmp(name, "random") == 0) return strategy_random(seed);
  if (strcmp(name, "pos") == 0) return strategy_pos(seed);
  if (strcmp(name, "portfolio") == 0) return strategy_portfolio(seed);
  if (strcmp(name, "naive") == 0) return strategy_exhaustive(UINT32_MAX, false);
  if (strcmp(name, "exhaustive") == 0) return strategy_exhaustive(UINT32_MAX, true);
  if (strncmp(name, "pct", 3) == 0) {
    number = strtoul(name + 3, &end, 10);
    if (end == name + 3 || *end || number < 1 || number > PCT_DEPTH_MAX) return NULL;
    struct strategy *strategy = strategy_pct(seed, (unsigned)number);
    pct_restore(strategy, parameter);
    return strategy;
  }
  return NULL;
}
