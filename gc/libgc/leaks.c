/* Leak finding: what no pointer leads to and GC_free has not freed; and debugging objects that are overwritten. */
#include <stdlib.h>

#include "debug.h"

#define SHOWN 64u /* of one collection; the others are counted */

_Thread_local bool layer_finding, layer_asked;
struct finding {
  uintptr_t hidden;
  size_t size;
  const char *file; /* NULL: not known */
  GC_word line;
};
struct findings {
  struct finding shown[SHOWN];
  size_t count;
};
/* Of one collection, on the stack of the thread that has asked for it: so no lock is held while it waits for others. */
struct report {
  struct findings lost, smashed;
};

static void note(struct findings *findings, const void *object, size_t size, const struct debug_object *known) {
  uintptr_t address = (uintptr_t)object + (known->is_one ? sizeof(struct debug_header) : 0);
  if (findings->count < SHOWN)
    findings->shown[findings->count] =
        (struct finding){~address, known->is_one ? known->size : size, known->file, known->line};
  findings->count++;
}

static void visit(void *object, size_t size, int reached, void *arg) {
  struct report *report = arg;
  struct debug_object known = {.is_one = false};
  if (GET(debug_used)) known = debug_look(object, size);
  if (known.smashed) note(&report->smashed, object, size, &known);
  if (!reached && GET(GC_find_leak) && !known.freed) note(&report->lost, object, size, &known);
}

static void show(const struct findings *findings, const char *what) {
  for (size_t i = 0; i < findings->count && i < SHOWN; i++) {
    const struct finding *finding = &findings->shown[i];
    if (finding->file)
      GC_err_printf("%s object at %p (%s:%lu, size %zu)\n", what, (void *)~finding->hidden, finding->file,
                    (unsigned long)finding->line, finding->size);
    else
      GC_err_printf("%s object at %p (size %zu)\n", what, (void *)~finding->hidden, finding->size);
  }
  if (findings->count > SHOWN) GC_err_printf("%s objects, not shown: %zu\n", what, findings->count - SHOWN);
}

static void print(const struct report *report) {
  show(&report->smashed, "Smashed");
  show(&report->lost, "Leaked");
  if (report->lost.count + report->smashed.count && getenv("GC_ABORT_ON_LEAK"))
    layer_fatal("Leaked or smashed objects encountered");
}

bool layer_visit(vgc_visit *function, void *arg) {
  layer_finding = true;
  bool done = !vgc_collect_and_visit(function, arg);
  layer_finding = false;
  return done;
}

bool layer_looks(void) { return GET(GC_find_leak) || GET(debug_used); }

static bool look(void) {
  struct report report;
  report.lost.count = report.smashed.count = 0;
  bool done = layer_visit(visit, &report);
  int error = errno;
  if (done) print(&report);
  errno = error;
  return done;
}

/* Also what another thread's collection has made due, which may have served for this one. */
bool layer_collect(void) {
  bool before = layer_asked;
  layer_asked = true;
  bool done = layer_looks() ? look() : !vgc_collect();
  layer_asked = before;
  int error = errno;
  if (done) layer_finalizers_due();
  errno = error;
  return done;
}

static void at_exit(void) {
  if (GET(GC_find_leak)) layer_collect();
}

void layer_leaks_start(void) {
  if (GET(GC_find_leak)) atexit(at_exit);
}
