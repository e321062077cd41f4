/* The end of a failing run, and its report: what happened, where, and which edge is missing. */
#include "report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "process.h"
#include "record.h"
#include "symbols.h"
#include "token.h"

#define NO_LANE 0xff

const char *const failure_names[INTERLEAVE_UNSUPPORTED + 1] = {
    "clean", "race", "assertion", "deadlock", "livelock", "memory", "lock", "mixed-size", "crash", "unsupported",
};

/* ---- The end of the run ---- */

_Noreturn void fail(enum interleave_failure kind, const char *format, ...) {
  struct failure *failure = &RT->failure;
  va_list arguments;
  va_start(arguments, format);
  /* Of a failure while failing, the first counts. */
  if (failure->kind == INTERLEAVE_CLEAN) {
    *failure = (struct failure){.kind = kind, .other_lane = NO_LANE, .lane = NO_LANE};
    vsnprintf(failure->text, sizeof failure->text, format, arguments);
    if (RT->current) failure->lane = (uint8_t)RT->current->lane;
    if (kind != INTERLEAVE_DEADLOCK) record_event(OP_NONE, 0, 0, false, false, NULL);
  }
  va_end(arguments);
  run_leave();
}

_Noreturn void interleave_fail(const char *format, ...) {
  char text[sizeof RT->failure.text];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  fail(INTERLEAVE_ASSERTION, "%s", text);
}

_Noreturn void fail_race(uintptr_t address, unsigned size, bool write, bool atomic, unsigned other_lane,
                         uint16_t other_clock, bool other_write, bool other_atomic) {
  struct failure *failure = &RT->failure;
  if (failure->kind != INTERLEAVE_CLEAN) run_leave();
  *failure = (struct failure){.kind = INTERLEAVE_RACE,
                              .address = address,
                              .size = size,
                              .lane = (uint8_t)RT->current->lane,
                              .other_lane = (uint8_t)other_lane,
                              .other_clock = other_clock,
                              .write = write,
                              .other_write = other_write,
                              .atomic = atomic,
                              .other_atomic = other_atomic};
  snprintf(failure->text, sizeof failure->text, "data race on %u byte%s at %#zx", size, size == 1 ? "" : "s",
           (size_t)address);
  /* Plain accesses are in the record already. */
  if (atomic) record_event(write ? OP_STORE : OP_LOAD, address, size, write, true, NULL);
  run_leave();
}

/* ---- Which events ---- */

const struct event *report_access(void) {
  const struct failure *failure = &RT->failure;
  for (unsigned i = record_count(); i-- > 0;)
    if (record_get(i)->lane == failure->lane) return record_get(i);
  return NULL;
}

const struct event *report_other_access(void) {
  const struct failure *failure = &RT->failure;
  if (failure->kind != INTERLEAVE_RACE) return NULL;
  for (unsigned i = record_count(); i-- > 0;) {
    const struct event *event = record_get(i);
    bool touches = event->address < failure->address + failure->size &&
                   failure->address < event->address + (event->size ? event->size : 1);
    if (event->lane == failure->other_lane && event->clock <= failure->other_clock && touches &&
        event->write == failure->other_write)
      return event;
  }
  return NULL;
}

/* ---- Stacks ---- */

const char *report_thread_name(unsigned lane, char *text, size_t size) {
  unsigned id = lane % FIBERS_MAX;
  snprintf(text, size, "thread %u%s%s", id, id == 0 ? " (main)" : "",
           lane >= FIBERS_MAX ? ", in a signal handler" : "");
  return text;
}

/* Frames of the runtime itself, between a handler and what it interrupts, tell nothing. */
static bool is_own_frame(const struct place *place) {
  static const char here[] = __FILE__;
  size_t directory = (size_t)(symbols_base_name(here) - here);
  return strncmp(place->file, here, directory) == 0 && !strchr(place->file + directory, '/');
}

static unsigned print_place(FILE *out, const void *pc, unsigned number) {
  char current[4096] = "";
  size_t cut = getcwd(current, sizeof current) ? strlen(current) : 0;
  for (const struct place *place = symbols_place(pc); place; place = place->inlined_into) {
    if (is_own_frame(place)) continue;
    bool below = cut && strncmp(place->file, current, cut) == 0 && place->file[cut] == '/';
    fprintf(out, "      #%u %s  %s:%u%s\n", number++, place->function, below ? place->file + cut + 1 : place->file,
            place->line, place->inlined_into ? "  (inlined)" : "");
  }
  return number;
}

static void print_stack(FILE *out, const struct event *event) {
  unsigned number = print_place(out, event->pc, 0);
  const void *const *calls = record_calls(event);
  /* The outermost call is the runtime's own. */
  for (unsigned i = event->calls; i-- > 1;) number = print_place(out, calls[i], number);
}

/* ---- Races ---- */

static void print_access(FILE *out, const struct event *event, unsigned lane, bool write, bool atomic) {
  char name[64], object[160];
  fprintf(out, "  %s: %s %s", report_thread_name(lane, name, sizeof name), atomic ? "an atomic" : "a plain",
          write ? "write" : "read");
  if (!event) {
    fprintf(out, " (longer ago than the record goes)\n");
    return;
  }
  fprintf(out, " of %u byte%s at %s\n", event->size, event->size == 1 ? "" : "s",
          report_object(event->address, object, sizeof object));
  print_stack(out, event);
}

static void print_race(FILE *out) {
  const struct failure *failure = &RT->failure;
  print_access(out, report_access(), failure->lane, failure->write, failure->atomic);
  print_access(out, report_other_access(), failure->other_lane, failure->other_write, failure->other_atomic);
  report_missing_edge(out);
}

/* ---- Deadlocks ---- */

static void print_waiters(FILE *out) {
  for (unsigned id = 0; id < RT->fibers; id++) {
    const struct fiber *fiber = &RT->fiber[id];
    char name[64], object[160];
    bool waits = fiber->state == FIBER_BLOCKED && fiber->waits;
    if (!waits && !fiber->spinning) continue;
    uintptr_t address = waits ? fiber->wait[fiber->waits - 1].address : fiber->pending.address;
    bool thread = fiber->pending.kind == OP_JOIN;
    fprintf(out, "  %s %s", report_thread_name(fiber->lane, name, sizeof name), waits ? "waits" : "spins");
    if (thread)
      fprintf(out, " for the end of thread %u\n", (unsigned)((struct fiber *)address - RT->fiber));
    else
      fprintf(out, " in %s on %s\n", op_names[fiber->pending.kind], report_object(address, object, sizeof object));
    const struct event *last = NULL;
    for (unsigned i = record_count(); i-- > 0 && !last;)
      if (record_get(i)->fiber == id) last = record_get(i);
    if (last) print_stack(out, last);
  }
}

/* ---- The report ---- */

void report_failure_text(char *text, size_t size) {
  const struct failure *failure = &RT->failure;
  char object[160];
  if (failure->kind == INTERLEAVE_RACE)
    snprintf(text, size, "data race on %u byte%s at %s", failure->size, failure->size == 1 ? "" : "s",
             report_object(failure->address, object, sizeof object));
  else
    snprintf(text, size, "%s", failure->text);
}

void report_resolve(void) {
  const void **pcs = NULL;
  size_t count = 0, room = 0;
  for (unsigned i = 0; i < record_count(); i++) {
    const struct event *event = record_get(i);
    const void *const *calls = record_calls(event);
    bool same = i && record_get(i - 1)->stack == event->stack;
    if (count + event->calls + 1 > room) {
      room = 2 * room + event->calls + 1024;
      pcs = realloc(pcs, room * sizeof *pcs);
      if (!pcs) abort();
    }
    pcs[count++] = event->pc;
    for (unsigned call = 0; call < event->calls && !same; call++) pcs[count++] = calls[call];
  }
  symbols_resolve(pcs, count);
  free(pcs);
}

void report_print(FILE *out, const struct report_options *options) {
  const struct failure *failure = &RT->failure;
  bool colour = isatty(fileno(out));
  char text[sizeof failure->text];
  report_failure_text(text, sizeof text);
  report_resolve();
  fprintf(out, "\n%s%s: %s%s: %s\n", colour ? "\033[1;31m" : "", RT->model->name, failure_names[failure->kind],
          colour ? "\033[0m" : "", text);
  const struct event *at = report_access();
  char what[160] = "";
  if (failure->address) process_describe(failure->address, what, sizeof what);
  if (*what) fprintf(out, "  the address is %s\n", what);
  if (failure->kind == INTERLEAVE_RACE) {
    print_race(out);
  } else if (failure->kind == INTERLEAVE_DEADLOCK) {
    print_waiters(out);
  } else if (at) {
    char name[64];
    fprintf(out, "  %s\n", report_thread_name(failure->lane, name, sizeof name));
    print_stack(out, at);
  }
  fprintf(out, "  %u steps, %u preemption%s, %u signal%s delivered\n", RT->step, RT->preemptions,
          RT->preemptions == 1 ? "" : "s", RT->signals, RT->signals == 1 ? "" : "s");
  report_trace(out, options->rows);
  if (!options->token) return;
  fprintf(out, "replay: %s --token %s\n", program_invocation_name, options->token);
  if (token_has_repro()) fprintf(out, "    or: ci/repro %s\n", options->token);
}
