/* Who runs: scheduling points, waiting, virtual time, the end of a run. */
#include "apart.h"
#include "record.h"
#include "runtime.h"
#include "stage.h"
#include "sync.h"

#include <stdio.h>
#include <string.h>

const char *const op_names[OP_KINDS] = {"none",  "load", "store", "rmw",    "fence", "lock",   "unlock",
                                        "wait",  "wake", "start", "exit",   "join",  "signal", "deliver",
                                        "yield", "map",  "free",  "choice", "plain"};

#define STEPS_DEFAULT 20000u

static uint32_t bit(const struct fiber *fiber) { return UINT32_C(1) << fiber->id; }

static void set_state(struct fiber *fiber, enum fiber_state fiber_state) {
  fiber->state = fiber_state;
  if (fiber_state == FIBER_READY && !fiber->spinning)
    RT->enabled |= bit(fiber);
  else
    RT->enabled &= ~bit(fiber);
}

/* ---- Picking ---- */

static COLD _Noreturn void deadlock(void) {
  char all[400] = "";
  for (unsigned i = 0; i < RT->fibers; i++) {
    const struct fiber *fiber = &RT->fiber[i];
    if (fiber->state != FIBER_BLOCKED && !fiber->spinning) continue;
    char one[120];
    sync_describe_wait(fiber, one, sizeof one);
    size_t length = strlen(all);
    snprintf(all + length, sizeof all - length, "%sthread %u %s", length ? "; " : "", fiber->id, one);
  }
  fail(INTERLEAVE_DEADLOCK, "nobody can go on: %s", all);
}

static struct fiber *earliest(void) {
  struct fiber *first = NULL;
  uint64_t deadline = UINT64_MAX;
  for (unsigned i = 0; i < RT->fibers; i++) {
    struct fiber *fiber = &RT->fiber[i];
    if (fiber->state != FIBER_BLOCKED || fiber->wait[fiber->waits - 1].deadline >= deadline) continue;
    first = fiber;
    deadline = fiber->wait[fiber->waits - 1].deadline;
  }
  return first;
}

static void time_out(struct fiber *fiber) {
  uint64_t deadline = fiber->wait[fiber->waits - 1].deadline;
  if (RT->now < deadline) RT->now = deadline;
  fiber->wait[fiber->waits - 1].timed_out = true;
  set_state(fiber, FIBER_READY);
}

static void release_spinners(void) {
  uint32_t spinners = RT->spinners;
  RT->spinners = 0;
  for (unsigned i = 0; i < RT->fibers; i++)
    if (spinners >> i & 1) {
      RT->fiber[i].spinning = false;
      set_state(&RT->fiber[i], RT->fiber[i].state);
    }
}

/* Nobody can go on by what others did: time passes, and only then do those go on that spin for nothing. */
static COLD void idle(void) {
  struct fiber *sleeper = earliest();
  if (sleeper)
    time_out(sleeper);
  else if (RT->spinners)
    release_spinners();
  else
    deadlock();
}

static uint32_t signalled(void) {
  uint32_t set = 0;
  for (unsigned i = 0; i < RT->fibers; i++)
    if ((RT->fiber[i].state == FIBER_BLOCKED || RT->fiber[i].spinning) && signal_deliverable(&RT->fiber[i]))
      set |= UINT32_C(1) << i;
  return set;
}

static COLD void maybe_time_out_early(void) {
  uint8_t ids[FIBERS_MAX];
  unsigned n = 0;
  for (unsigned i = 0; i < RT->fibers; i++) {
    const struct fiber *fiber = &RT->fiber[i];
    if (fiber->state == FIBER_BLOCKED && fiber->wait[fiber->waits - 1].deadline != UINT64_MAX) ids[n++] = (uint8_t)i;
  }
  unsigned taken = n ? choose(CHOICE_TIME, n + 1) : 0;
  if (taken) time_out(&RT->fiber[ids[taken - 1]]);
}

/* Gives the processor to whom the strategy names; returns when it is the current fiber's turn again. stays: to give it
 * to another while the current fiber could go on is a preemption. */
static void pick_from(bool stays) {
  struct fiber *me = RT->current;
  uint8_t ids[FIBERS_MAX];
  unsigned n = 0;
  uint32_t set;
  if (UNLIKELY(RT->model->early_timeouts)) maybe_time_out_early();
  for (;;) {
    set = RT->enabled;
    if (UNLIKELY(RT->pending_signals)) set |= signalled();
    if (LIKELY(set)) break;
    idle();
  }
  bool current = stays && set & bit(me);
  if (LIKELY((set & (set - 1)) == 0)) {
    ids[0] = (uint8_t)__builtin_ctz(set);
  } else {
    if (current) ids[n++] = (uint8_t)me->id;
    for (uint32_t left = current ? set & ~bit(me) : set; left; left &= left - 1)
      ids[n++] = (uint8_t)__builtin_ctz(left);
    ids[0] = ids[choose_thread(ids, n, current)];
  }
  if (ids[0] == me->id) return;
  RT->switches++;
  fiber_switch(&RT->fiber[ids[0]]);
}

static void pick(void) { pick_from(true); }

void schedule_any(void) { pick_from(false); }

/* ---- Points ---- */

static void count_step(void) {
  uint32_t limit = RT->model->steps ? RT->model->steps : STEPS_DEFAULT;
  if (UNLIKELY(++RT->step > limit))
    fail(INTERLEAVE_LIVELOCK, "more than %u steps: threads that only wait for each other, or a model that is too long",
         limit);
}

/* Handlers have operations of their own; the one that they interrupt is still to come. */
static COLD void take_signals(struct fiber *me) {
  struct operation pending = me->pending;
  signal_poll();
  me->pending = pending;
}

void schedule_point(enum op_kind kind, uintptr_t address, bool write, bool seq_cst) {
  if (UNLIKELY(RT->setting_up)) return;
  struct fiber *me = RT->current;
  count_step();
  me->pending = (struct operation){kind, write, seq_cst, address};
  if (LIKELY(!stage_passes(kind, address, write))) pick();
  if (UNLIKELY(RT->pending_signals)) take_signals(me);
}

void interleave_point(void) { schedule_point(OP_YIELD, 0, false, false); }

void schedule_spin(void) {
  if (UNLIKELY(RT->setting_up)) return;
  struct fiber *me = RT->current;
  count_step();
  record_waits(me->pending.address);
  me->spinning = true;
  RT->spinners |= bit(me);
  set_state(me, FIBER_READY);
  pick();
  if (UNLIKELY(me->spinning)) { /* chosen to take a signal */
    me->spinning = false;
    RT->spinners &= ~bit(me);
    set_state(me, FIBER_READY);
    signal_deliver_blocked();
  }
}

/* Stands for "anything that another does" in the list of what a spinning fiber waits for. */
#define ANYTHING UINT32_MAX

void schedule_yield(void) {
  schedule_point(OP_YIELD, 0, false, false);
  struct fiber *me = RT->current;
  if (me->yielded == RT->switches + 1) {
    me->spin[0].location = ANYTHING;
    me->spin_count = 1;
    schedule_spin();
    me->spin_count = 0;
  }
  me->yielded = RT->switches + 1;
  schedule_executed(OP_YIELD, 0, 0, 0);
}

void schedule_stored(uint32_t location) {
  for (uint32_t left = RT->spinners; left; left &= left - 1) {
    struct fiber *fiber = &RT->fiber[__builtin_ctz(left)];
    for (unsigned i = 0; i < fiber->spin_count; i++)
      if (fiber->spin[i].location == location) {
        RT->spinners &= ~bit(fiber);
        fiber->spinning = false;
        set_state(fiber, FIBER_READY);
        break;
      }
  }
}

/* ---- Waiting ---- */

bool schedule_block(uintptr_t waits_for, uint64_t deadline) {
  struct fiber *me = RT->current;
  if (UNLIKELY(RT->setting_up)) fail(INTERLEAVE_DEADLOCK, "setup waits, and nobody else runs");
  count_step();
  if (me->waits == WAITS_MAX)
    fail(INTERLEAVE_UNSUPPORTED, "handlers that wait are nested more than %u deep", WAITS_MAX);
  unsigned level = me->waits++;
  me->wait[level].address = waits_for;
  me->wait[level].deadline = deadline;
  me->wait[level].woken = me->wait[level].timed_out = me->wait[level].interrupted = false;
  me->spin_count = 0;
  record_waits(waits_for);
  set_state(me, FIBER_BLOCKED);
  for (;;) {
    pick();
    if (me->wait[level].woken || me->wait[level].timed_out) break;
    /* Chosen to take a signal. */
    set_state(me, FIBER_READY);
    struct operation pending = me->pending;
    me->wait[level].interrupted = true;
    signal_deliver_blocked();
    me->pending = pending;
    break;
  }
  me->waits = level;
  bool in_time = !me->wait[level].timed_out;
  if (UNLIKELY(RT->pending_signals)) take_signals(me);
  return in_time;
}

static unsigned level_of(const struct fiber *fiber, uintptr_t waits_for) {
  unsigned level = fiber->waits;
  while (level && !(fiber->wait[level - 1].address == waits_for && !fiber->wait[level - 1].woken &&
                    !fiber->wait[level - 1].timed_out))
    level--;
  return level;
}

void schedule_wake(struct fiber *fiber, uintptr_t waits_for) {
  unsigned level = level_of(fiber, waits_for);
  if (!level) return;
  fiber->wait[level - 1].woken = true;
  if (level == fiber->waits && fiber->state == FIBER_BLOCKED) set_state(fiber, FIBER_READY);
}

struct fiber *schedule_waiter(uintptr_t waits_for, const struct fiber *after) {
  for (unsigned i = after ? after->id + 1 : 0; i < RT->fibers; i++)
    if (level_of(&RT->fiber[i], waits_for)) return &RT->fiber[i];
  return NULL;
}

unsigned schedule_wake_all(uintptr_t waits_for) {
  unsigned count = 0;
  for (struct fiber *fiber = NULL; (fiber = schedule_waiter(waits_for, fiber)); count++)
    schedule_wake(fiber, waits_for);
  return count;
}

void schedule_reblock(uintptr_t waits_for) {
  for (unsigned i = 0; i < RT->fibers; i++) {
    struct fiber *fiber = &RT->fiber[i];
    if (fiber == RT->current || !fiber->waits || fiber->state != FIBER_READY) continue;
    unsigned top = fiber->waits - 1;
    if (fiber->wait[top].address != waits_for || !fiber->wait[top].woken) continue;
    fiber->wait[top].woken = false;
    if (!fiber->wait[top].interrupted) set_state(fiber, FIBER_BLOCKED);
  }
}

/* ---- Threads come and go ---- */

void schedule_ready(struct fiber *fiber) {
  if (RT->fibers <= fiber->id) RT->fibers = fiber->id + 1;
  set_state(fiber, FIBER_READY);
}

_Noreturn void schedule_end(void) {
  struct fiber *me = RT->current;
  set_state(me, FIBER_ENDED);
  bool last = true;
  for (unsigned i = 0; i < RT->fibers; i++)
    if (RT->fiber[i].state == FIBER_READY || RT->fiber[i].state == FIBER_BLOCKED) last = false;
  if (last) run_leave();
  pick();
  __builtin_trap();
}

/* ---- What happened ---- */

static uint64_t mix(uint64_t hash, uint64_t value) {
  hash = (hash ^ value) * UINT64_C(0x9e3779b97f4a7c15);
  return hash ^ hash >> 29;
}

static void tell_others(void) {
  if (RT->recording) record_executed(&RT->noted);
  /* What is not explored follows from what is. */
  if (RT->tracing && !stage->unexplored) trace_executed(RT->current, &RT->noted);
  RT->noted = (struct executed){0};
}

void schedule_executed(enum op_kind kind, uintptr_t address, uint32_t location, uint32_t detail) {
  RT->hash = mix(RT->hash,
                 (uint64_t)RT->current->lane | (uint64_t)kind << 8 | (uint64_t)location << 16 | (uint64_t)detail << 40);
  if (UNLIKELY(RT->spinners)) schedule_stored(ANYTHING);
  if (LIKELY(!RT->recording && !RT->tracing)) return;
  RT->noted.kind = kind;
  RT->noted.address = address;
  RT->noted.location = location;
  RT->noted.detail = detail;
  apart_unseen(tell_others);
}
