/* Happens-before between threads and their handlers, apart from atomics. */
#include "atomics.h"

/* A lane has 16 bits; nothing that a model should do takes as many. */
#define CLOCK_MAX (NEVER - 2)

void memory_fold_handlers(struct fiber *me) {
  if (LIKELY(!me->handled)) return;
  clock_join(&me->clock, &me->after_handler);
  me->handled = false;
}

void memory_barrier_step(void) {
  struct fiber *me = self();
  memory_fold_handlers(me);
  if (UNLIKELY(++me->clock.lane[me->lane] >= CLOCK_MAX))
    fail(INTERLEAVE_LIVELOCK, "a thread synchronised %u times in one run, more than a clock can count", CLOCK_MAX);
}

void memory_release(struct clock *to) {
  memory_fold_handlers(self());
  clock_join(to, &self()->clock);
  memory_barrier_step();
}

void memory_acquire(const struct clock *from) {
  clock_join(&self()->clock, from);
  memory_barrier_step();
}

/* What the thread wrote since its last barrier may still be in the compiler's registers: the handler does not know it.
 * What both read and wrote as atomics they agree about, as one thread does (that is what `view` carries), and others to
 * whom the handler releases agree as well: where the compiler has put off an atomic store, nobody sees it before the
 * thread goes on. */
void memory_enter_handler(void) {
  struct fiber *me = self();
  struct clock *thread = &me->interrupted[me->handler_depth++];
  *thread = me->clock;
  unsigned lane = FIBERS_MAX + me->id;
  clock_join(&me->view, &me->clock);
  if (me->lane != lane) me->clock.lane[me->lane]--;
  unsigned before = me->lane;
  me->lane = lane;
  clock_join(&me->clock, &me->after_handler);
  memory_barrier_step();
  if (before != lane) atomics_share(before, lane);
}

void memory_leave_handler(void) {
  struct fiber *me = self();
  const struct clock *thread = &me->interrupted[--me->handler_depth];
  clock_join(&me->after_handler, &me->clock);
  me->handled = true;
  clock_join(&me->view, &me->clock);
  me->clock = *thread;
  if (me->handler_depth == 0) me->lane = me->id;
}
