/* A ring of recent events for each thread, printed on a failed check in a form that ci/repro reads. */
#ifndef VGC_EVENT_H
#define VGC_EVENT_H

#include <stdint.h>

enum event_kind {
  EVENT_NONE,
  EVENT_REFILL,     /* span, class */
  EVENT_SPAN_TAKEN, /* span, class */
  EVENT_SPAN_MADE,  /* span, pages */
  EVENT_REMOTE,     /* first remote free into a span's word: span, word */
  EVENT_STOP,       /* epoch, threads */
  EVENT_CYCLE,      /* cycle, marked bytes */
  EVENT_SURRENDER,  /* spans taken from owners, spans kept */
  EVENT_ATTACH,     /* thread record, tid */
  EVENT_LEAVE,      /* thread record, tid */
  EVENT_ERROR,      /* pointer, enum vgc_error */
};

/* Records on the calling thread's ring. Slow paths only. Async-signal-safe. */
void event_record(enum event_kind, uintptr_t a, uintptr_t b);
/* Prints all rings: lines of "vgc-event TIME THREAD KIND A B", merged by nobody; sort them by TIME. */
void event_dump(void);

#endif
