#include "apart.h"
#include "stage.h"
#include "strategy.h"

struct choices *choices;

void choose_set_up(void) { choices = state_allocate(sizeof *choices); }

void choose_begin(struct strategy *strategy) {
  choices->strategy = strategy;
  choices->count = 0;
  choices->threads = 0;
}

static COLD void too_many(void) {
  fail(INTERLEAVE_UNSUPPORTED, "more than %u decisions in one run; the model is too large for the explorer",
       DECISIONS_MAX);
}

static inline struct decision *note(enum choice_kind kind, unsigned n, unsigned taken) {
  if (UNLIKELY(choices->count == DECISIONS_MAX)) too_many();
  struct decision *decision = &choices->list[choices->count++];
  *decision = (struct decision){.step = RT->step,
                                .n = (uint16_t)n,
                                .taken = (uint16_t)taken,
                                .kind = (uint8_t)kind,
                                .fiber = RT->current ? (uint8_t)RT->current->id : 0};
  return decision;
}

static inline bool nothing_to_choose(unsigned n) { return n <= 1 || RT->setting_up || stage->unexplored; }

static uint64_t ask_other(uint64_t kind, uint64_t n, uint64_t unused, uint64_t unused_too) {
  (void)unused, (void)unused_too;
  return choices->strategy->other(choices->strategy, (enum choice_kind)kind, (unsigned)n);
}

static uint64_t ask_thread(uint64_t ids, uint64_t n, uint64_t current_enabled, uint64_t unused) {
  (void)unused;
  return choices->strategy->thread(choices->strategy, (const uint8_t *)ids, (unsigned)n, current_enabled);
}

unsigned choose(enum choice_kind kind, unsigned n) {
  if (nothing_to_choose(n)) return 0;
  if (UNLIKELY(n > UINT16_MAX)) fail(INTERLEAVE_UNSUPPORTED, "a choice among %u; at most %u", n, UINT16_MAX);
  unsigned taken = (unsigned)apart(ask_other, kind, n, 0, 0);
  note(kind, n, taken);
  return taken;
}

unsigned choose_thread(const uint8_t *ids, unsigned n, bool current_enabled) {
  if (nothing_to_choose(n)) return 0;
  unsigned taken = (unsigned)apart(ask_thread, (uintptr_t)ids, n, current_enabled, 0);
  struct decision *decision = note(CHOICE_THREAD, n, taken);
  decision->target = ids[taken];
  decision->preemption = current_enabled && taken;
  choices->threads++;
  RT->preemptions += decision->preemption;
  return taken;
}
