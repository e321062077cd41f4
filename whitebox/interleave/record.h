/* The events of a recorded run, for its report. Recording is off while searching: a failing run is replayed with it on.
 */
#ifndef INTERLEAVE_RECORD_H
#define INTERLEAVE_RECORD_H

#include "runtime.h"

void record_clear(void);
/* Notes an event, if recording, stamped with the current fiber, lane, clock and call stack; pc: innermost place. */
void record_event(enum op_kind, uintptr_t address, unsigned size, bool write, bool atomic, const void *pc);
/* Called apart: an operation, and the plain access in RT->noted. */
void record_executed(const struct executed *);
void record_plain(void);
/* The current fiber cannot do its pending operation now. */
void record_waits(uintptr_t address);
#define RECORD_WAITS 0xffu /* `order` of such an event */
unsigned record_count(void);
const struct event *record_get(unsigned index);
uint32_t record_step(unsigned index); /* RT->step at that event */
/* Its call stack, outermost first, `calls` of them. */
const void *const *record_calls(const struct event *);
/* The last event of that lane, at or before that clock, that touches the address; or NULL. */
const struct event *record_find(unsigned lane, uint16_t clock, uintptr_t address);

void record_set_up(void); /* once for each process */
/* How many events the run has had, those no longer kept included. */
uint64_t record_total(void);
/* interleave_before_failure is called at that event of the next run, counted from 1: before it takes effect. */
void record_stop_at(uint64_t event);
void interleave_before_failure(void);

#endif
