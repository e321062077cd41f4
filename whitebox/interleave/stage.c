/* Parts of a run that are not explored. */
#include "stage.h"

struct stage *stage;

void stage_initialize(void) { stage = state_allocate(sizeof *stage); }
void stage_begin(void) { *stage = (struct stage){0}; }

void interleave_meet(unsigned threads, bool explored) {
  if (threads == 0) fail(INTERLEAVE_UNSUPPORTED, "interleave_meet(0): a meeting of nobody");
  if (RT->setting_up) fail(INTERLEAVE_UNSUPPORTED, "interleave_meet in a setup, where nothing is explored");
  if (stage->over && explored) fail(INTERLEAVE_UNSUPPORTED, "the run is explored again after interleave_explored_all");
  if (threads == 1) { /* others may be waiting for a meeting of theirs */
    stage->unexplored = !explored;
    if (explored) schedule_any();
    return;
  }
  /* No point before it: to come later is no other execution than to be overtaken at the next step. */
  self()->pending = (struct operation){.kind = OP_JOIN, .address = (uintptr_t)stage};
  memory_release(&stage->arriving);
  unsigned meeting = stage->meetings;
  if (++stage->arrived < threads) {
    while (stage->meetings == meeting) schedule_block((uintptr_t)stage, UINT64_MAX);
  } else {
    stage->arrived = 0;
    stage->met = stage->arriving;
    stage->meetings++;
    stage->unexplored = !explored;
    schedule_wake_all((uintptr_t)stage);
    if (explored) schedule_any();
  }
  memory_acquire(&stage->met);
  schedule_executed(OP_JOIN, (uintptr_t)stage, 0, meeting);
}

void interleave_explored_all(void) {
  if (!stage->unexplored) fail(INTERLEAVE_UNSUPPORTED, "interleave_explored_all in a part that is explored");
  stage->over = true;
  if (!learning()) return;
  RT->discarded = true;
  run_leave();
}
