/* What of a run is explored: not every part, and not every word. Called by schedule.c and choose.c. */
#ifndef INTERLEAVE_STAGE_H
#define INTERLEAVE_STAGE_H

#include "runtime.h"

#define PRIVATE_MAX 16u

struct stage {
  bool unexplored;
  unsigned arrived;  /* in interleave_meet */
  unsigned meetings; /* so far */
  struct clock clock;
  unsigned ranges;
  struct private_range {
    uintptr_t low;
    size_t size;
    unsigned owner; /* fiber, or FIBERS_MAX while nobody has come */
  } range[PRIVATE_MAX];
};
extern struct stage *stage;

bool stage_is_private(uintptr_t address);

/* Whether an operation there is no scheduling point. */
static inline bool stage_passes(uintptr_t address) {
  return UNLIKELY(stage->unexplored) || (UNLIKELY(stage->ranges) && stage_is_private(address));
}

/* Called by parts.c. */
void stage_initialize(void);
void stage_begin(void);
void stage_keep(void);
void stage_forget_setup(void);

#endif
