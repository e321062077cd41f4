/* What a failing run is told as. */
#ifndef INTERLEAVE_REPORT_H
#define INTERLEAVE_REPORT_H

#include <stdio.h>

#include "runtime.h"

struct report_options {
  unsigned rows; /* of the trace, the last ones; UINT32_MAX all */
  const char *token;
};

/* About the run just made, which was recorded. */
void report_print(FILE *, const struct report_options *);
/* Which edge a race lacks: what the second thread knows of the first, and by what it should have known more. */
void report_missing_edge(FILE *);
const char *report_thread_name(unsigned lane, char *text, size_t size);
/* Finds the source lines of all that is recorded, for report_trace. */
void report_resolve(void);
/* The threads in columns. */
void report_trace(FILE *, unsigned rows);
/* The events that the failure names: the access at which it was seen and the other one of a race; or NULL. */
const struct event *report_access(void);
const struct event *report_other_access(void);

extern const char *const failure_names[INTERLEAVE_UNSUPPORTED + 1];
/* What the failure is, with names in the place of addresses. */
void report_failure_text(char *text, size_t size);
/* "name", "name+8", "stack of thread 1" or "0x...". */
const char *report_object(uintptr_t address, char *text, size_t size);
/* A plain access to its own thread's stack. */
bool report_is_own_stack(const struct event *);
/* How an event reads: "store ready = 1, release". */
void report_event_text(const struct event *, char *text, size_t size);

#endif
