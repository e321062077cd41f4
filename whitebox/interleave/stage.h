/* What of a run is explored: not every part, and not every operation. Called by schedule.c and choose.c. */
#ifndef INTERLEAVE_STAGE_H
#define INTERLEAVE_STAGE_H

#include "learn.h"
#include "runtime.h"

struct stage {
  bool unexplored;
  bool over;             /* nothing is explored any more */
  unsigned arrived;      /* in interleave_meet */
  unsigned meetings;     /* so far */
  struct clock arriving; /* what those know who have come so far */
  struct clock met;      /* as of the last meeting: some may come to the next before others have left this one */
};
extern struct stage *stage;

/* Whether what the current fiber is about to do is no scheduling point. */
static inline bool stage_passes(enum op_kind kind, uintptr_t address, bool write) {
  return UNLIKELY(stage->unexplored) || (UNLIKELY(RT->model->learn) && learn_passes(kind, address, write));
}

/* Called by parts.c. */
void stage_initialize(void);
void stage_begin(void);

#endif
