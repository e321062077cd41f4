#include "record.h"

#include "apart.h"

#include <string.h>
#include <unwind.h>

/* The last events of a run, and a pool of call stacks; both are rings. */
#define EVENTS (1u << 18)
#define CALLS  (1u << 22)

struct record {
  uint64_t events;              /* ever */
  uint32_t calls;               /* ever, modulo 2^32 */
  uint64_t stop_at;             /* a place to stop for a debugger: before this event; 0 none */
  uint32_t last_of[FIBERS_MAX]; /* its last event's number + 1, to share its stack */
  struct event event[EVENTS];
  uint32_t step[EVENTS];
  const void *call[CALLS];
};
static struct record *record;

void record_set_up(void) { record = state_allocate(sizeof *record); }

void record_clear(void) {
  record->events = 0;
  record->calls = 0;
  memset(record->last_of, 0, sizeof record->last_of);
}

void record_stop_at(uint64_t event) { record->stop_at = event; }
uint64_t record_total(void) { return record->events; }

/* A debugger's breakpoint. */
__attribute__((noinline, used)) void interleave_before_failure(void) { __asm__ volatile("" ::: "memory"); }

static const void **stack_at(uint32_t at) { return &record->call[at % CALLS]; }

/* Stacks lie in one piece. */
static uint32_t room_for(unsigned calls) {
  uint32_t left = CALLS - record->calls % CALLS;
  if (left < calls) record->calls += left;
  uint32_t at = record->calls;
  record->calls += calls;
  return at;
}

static bool kept(uint32_t at) { return record->calls - at <= CALLS; }

static uint32_t stack_of(const struct fiber *fiber) {
  uint32_t last = record->last_of[fiber->id];
  if (last && record->events - (last - 1) <= EVENTS) {
    const struct event *event = &record->event[(last - 1) % EVENTS];
    if (event->calls == fiber->calls && kept(event->stack) &&
        memcmp(stack_at(event->stack), fiber->call, fiber->calls * sizeof *fiber->call) == 0)
      return event->stack;
  }
  uint32_t at = room_for(fiber->calls);
  memcpy(stack_at(at), fiber->call, fiber->calls * sizeof *fiber->call);
  return at;
}

/* The place in the innermost function under test: what calls out of it, as seen in the return address that is just
 * inside of the one by which it was called. */
struct search {
  const void *caller, *before;
  const void *found;
};

static _Unwind_Reason_Code look_at_frame(struct _Unwind_Context *context, void *argument) {
  struct search *search = argument;
  const void *pc = (const void *)_Unwind_GetIP(context);
  if (pc == search->caller) {
    search->found = search->before;
    return _URC_END_OF_STACK;
  }
  search->before = pc;
  return _URC_NO_REASON;
}

static COLD const void *place_of_call(const struct fiber *fiber) {
  if (fiber->calls == 0 || fiber->calls > CALLS_MAX) return NULL;
  struct search search = {.caller = fiber->call[fiber->calls - 1]};
  _Unwind_Backtrace(look_at_frame, &search);
  return search.found;
}

static struct event *note(const struct executed *done, bool atomic) {
  if (RT->setting_up) return NULL;
  const struct fiber *fiber = RT->current;
  uint32_t place = (uint32_t)(record->events % EVENTS);
  struct event *event = &record->event[place];
  unsigned calls = fiber->calls < CALLS_MAX ? fiber->calls : CALLS_MAX;
  *event = (struct event){.fiber = (uint8_t)fiber->id,
                          .lane = (uint8_t)fiber->lane,
                          .kind = (uint8_t)done->kind,
                          .order = (uint8_t)done->order,
                          .size = (uint8_t)(done->size < UINT8_MAX ? done->size : UINT8_MAX),
                          .write = done->write,
                          .atomic = atomic,
                          .address = done->address,
                          .pc = done->pc ? done->pc : place_of_call(fiber),
                          .calls = calls,
                          .stack = stack_of(fiber),
                          .clock = fiber->clock.lane[fiber->lane]};
  record->step[place] = RT->step;
  record->last_of[fiber->id] = (uint32_t)++record->events;
  if (record->events == record->stop_at) interleave_before_failure();
  return event;
}

static void note_noted(void) {
  note(&RT->noted, RT->noted.location != 0);
  RT->noted = (struct executed){0};
}

void record_event(enum op_kind kind, uintptr_t address, unsigned size, bool write, bool atomic, const void *pc) {
  if (LIKELY(!RT->recording)) return;
  RT->noted.kind = kind;
  RT->noted.address = address;
  RT->noted.location = atomic; /* for note_noted alone */
  RT->noted.size = size;
  RT->noted.write = write;
  RT->noted.pc = pc;
  apart_unseen(note_noted);
}

void record_plain(void) {
  RT->noted.kind = OP_PLAIN;
  note(&RT->noted, false);
  RT->noted = (struct executed){0};
}

void record_executed(const struct executed *done) {
  struct event *event = note(done, true);
  if (!event) return;
  if (!done->size) { /* of no atomic */
    event->value = done->detail;
    return;
  }
  event->location = done->location;
  event->store = done->detail;
  event->value = done->value;
  event->stored = done->stored;
}

void record_waits(uintptr_t address) {
  if (LIKELY(!RT->recording)) return;
  RT->noted.kind = RT->current->pending.kind;
  RT->noted.address = address;
  RT->noted.location = 1;
  RT->noted.order = RECORD_WAITS;
  apart_unseen(note_noted);
}

unsigned record_count(void) { return record->events < EVENTS ? (unsigned)record->events : EVENTS; }

static uint32_t place_of(unsigned index) { return (uint32_t)((record->events - record_count() + index) % EVENTS); }

const struct event *record_get(unsigned index) {
  return index < record_count() ? &record->event[place_of(index)] : NULL;
}

uint32_t record_step(unsigned index) { return record->step[place_of(index)]; }

const void *const *record_calls(const struct event *event) {
  static const void *const none;
  return event->calls && kept(event->stack) ? (const void *const *)stack_at(event->stack) : &none;
}

const struct event *record_find(unsigned lane, uint16_t clock, uintptr_t address) {
  for (unsigned i = record_count(); i-- > 0;) {
    const struct event *event = record_get(i);
    if (event->lane != lane || event->clock > clock) continue;
    if (address - event->address < (event->size ? event->size : 1)) return event;
  }
  return NULL;
}
