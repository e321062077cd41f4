/* pthread_once and call_once. */
#include <pthread.h>
#include <threads.h>

#include "sync.h"

enum { ONCE_NEW, ONCE_RUNNING, ONCE_DONE };
_Static_assert(PTHREAD_ONCE_INIT == ONCE_NEW && sizeof(pthread_once_t) == 4, "glibc's");
_Static_assert(sizeof(once_flag) == 4, "one layout for both");

static void set(void *control, uint32_t value) {
  sync_put(control, value);
  schedule_wake_all((uintptr_t)control);
  sync_changed(control);
}

/* Its cancellation handler, in glibc, lets another try. */
void once_owner_ended(void *control) {
  schedule_point(OP_UNLOCK, (uintptr_t)control, true, false);
  memory_release(&sync_clocks(control)->released);
  set(control, ONCE_NEW);
  schedule_executed(OP_UNLOCK, (uintptr_t)control, 0, 3);
}

static void run_once_only(uint32_t *control, void (*routine)(void), const void *pc) {
  uintptr_t address = (uintptr_t)control;
  sync_point_unless(*control == ONCE_RUNNING && held_by(control) != own_id(), OP_LOCK, control, true);
  sync_use(control, pc);
  if (*control == ONCE_RUNNING && held_by(control) == own_id())
    fail(INTERLEAVE_DEADLOCK, "thread %u waits for the initialisation through %p, which it runs itself", self()->id,
         (void *)control);
  while (*control == ONCE_RUNNING) sync_block(OP_LOCK, control, true, NO_DEADLINE);
  memory_acquire(&sync_clocks(control)->released);
  bool mine = *control == ONCE_NEW;
  if (mine) {
    sync_put(control, ONCE_RUNNING);
    held_add(HELD_ONCE, control);
    schedule_reblock(address);
  }
  schedule_executed(OP_LOCK, address, 0, mine);
  if (!mine) return;
  routine();
  schedule_point(OP_UNLOCK, address, true, false);
  sync_use(control, pc);
  memory_release(&sync_clocks(control)->released);
  held_remove(HELD_ONCE, control);
  set(control, ONCE_DONE);
  schedule_executed(OP_UNLOCK, address, 0, 0);
}

int interleave_wrap_pthread_once(pthread_once_t *control, void (*routine)(void)) {
  run_once_only((uint32_t *)control, routine, CALLER);
  return 0;
}

void interleave_wrap_call_once(once_flag *control, void (*routine)(void)) {
  run_once_only((uint32_t *)control, routine, CALLER);
}
