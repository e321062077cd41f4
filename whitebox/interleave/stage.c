/* Parts of a run that are not explored, and words that only one thread uses. Both keep a model small without hiding
 * anything: what is left out are choices between executions that are alike. */
#include "stage.h"

#include <string.h>

struct stage *stage;
static struct stage *kept;

void stage_initialize(void) {
  stage = state_allocate(sizeof *stage);
  kept = state_allocate(sizeof *kept);
}

void stage_begin(void) { *stage = *kept; }
void stage_keep(void) { *kept = *stage; }
void stage_forget_setup(void) { *kept = (struct stage){0}; }

/* ---- Meeting ---- */

void interleave_meet(unsigned threads, bool explored) {
  if (threads == 0) fail(INTERLEAVE_UNSUPPORTED, "interleave_meet(0): a meeting of nobody");
  if (RT->setting_up) fail(INTERLEAVE_UNSUPPORTED, "interleave_meet in a setup, where nothing is explored");
  struct fiber *me = self();
  /* No point before it: to come later is no other execution than to be overtaken at the next step. */
  me->pending = (struct operation){.kind = OP_WAIT, .address = (uintptr_t)stage};
  memory_release(&stage->clock);
  unsigned meeting = stage->meetings;
  if (++stage->arrived < threads) {
    while (stage->meetings == meeting) schedule_block((uintptr_t)stage, UINT64_MAX);
  } else {
    stage->arrived = 0;
    stage->meetings++;
    stage->unexplored = !explored;
    schedule_wake_all((uintptr_t)stage);
    if (explored) schedule_any();
  }
  memory_acquire(&stage->clock);
  schedule_executed(OP_WAIT, (uintptr_t)stage, 0, meeting);
}

/* ---- Words of one thread ---- */

void interleave_private(const void *start, size_t size) {
  if (stage->ranges == PRIVATE_MAX) fail(INTERLEAVE_UNSUPPORTED, "more than %u private ranges", PRIVATE_MAX);
  stage->range[stage->ranges++] = (struct private_range){(uintptr_t)start, size, FIBERS_MAX};
}

bool stage_is_private(uintptr_t address) {
  for (unsigned i = 0; i < stage->ranges; i++) {
    struct private_range *range = &stage->range[i];
    if (address - range->low >= range->size) continue;
    unsigned me = self()->id;
    if (range->owner == FIBERS_MAX) range->owner = me;
    if (range->owner != me)
      fail(INTERLEAVE_UNSUPPORTED,
           "thread %u uses %#zx, which interleave_private gave to one thread alone and thread %u has used", me,
           (size_t)address, range->owner);
    return true;
  }
  return false;
}
