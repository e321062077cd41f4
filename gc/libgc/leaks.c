/* Leak finding: what no pointer leads to and GC_free has not freed; and debugging objects that are overwritten. */
#include <stdlib.h>

#include "debug.h"

#define SHOWN 64u /* of one collection; the others are counted */

_Thread_local bool layer_finding, layer_asked;
/* The lock, or the stopped world of a collection that its holder began. */
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
static struct findings lost, smashed;

static void note(struct findings *findings, const void *object, size_t size, const struct debug_object *known) {
  uintptr_t address = (uintptr_t)object + (known->is_one ? sizeof(struct debug_header) : 0);
  if (findings->count < SHOWN)
    findings->shown[findings->count] =
        (struct finding){~address, known->is_one ? known->size : size, known->file, known->line};
  findings->count++;
}

static void visit(void *object, size_t size, int reached, void *arg) {
  (void)arg;
  struct debug_object known = {.is_one = false};
  if (GET(debug_used)) known = debug_look(object, size);
  if (known.smashed) note(&smashed, object, size, &known);
  if (!reached && GET(GC_find_leak) && !known.freed) note(&lost, object, size, &known);
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

static void report(void) {
  show(&smashed, "Smashed");
  show(&lost, "Leaked");
  if (lost.count + smashed.count && getenv("GC_ABORT_ON_LEAK")) layer_fatal("Leaked or smashed objects encountered");
}

/* With the lock. */
static bool visit_all(vgc_visit *function, void *arg) {
  layer_finding = true;
  bool done = !vgc_collect_and_visit(function, arg);
  layer_finding = false;
  return done;
}

bool layer_visit(vgc_visit *function, void *arg) {
  layer_lock(MUTEX_LEAKS);
  bool done = visit_all(function, arg);
  layer_unlock(MUTEX_LEAKS);
  return done;
}

static bool is_wanted(void) { return GET(GC_find_leak) || GET(debug_used); }

/* Unless it need not be one of its own, and another thread's has begun meanwhile. */
static bool find(bool own) {
  GC_word before = GET(GC_gc_no);
  layer_lock(MUTEX_LEAKS);
  if (!own && GET(GC_gc_no) != before) {
    layer_unlock(MUTEX_LEAKS);
    return true;
  }
  lost.count = smashed.count = 0;
  bool done = visit_all(visit, NULL);
  int error = errno;
  if (done) report();
  layer_unlock(MUTEX_LEAKS);
  errno = error;
  return done;
}

/* Also what another thread's collection has made due, which may have served for this one. */
bool layer_collect(void) {
  bool before = layer_asked;
  layer_asked = true;
  bool done = is_wanted() ? find(true) : !vgc_collect();
  layer_asked = before;
  int error = errno;
  if (done) layer_finalizers_due();
  errno = error;
  return done;
}

bool layer_find_instead(void) {
  if (layer_finding || !is_wanted()) return false;
  if (find(false)) layer_finalizers_due();
  return true;
}

static void at_exit(void) {
  if (GET(GC_find_leak)) layer_collect();
}

void layer_leaks_start(void) {
  if (GET(GC_find_leak)) atexit(at_exit);
}
