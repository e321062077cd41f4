#include "finalize.h"

#include "atomic.h"
#include "collect.h"
#include "config.h"
#include "ephemeron.h"
#include "error.h"
#include "mark.h"
#include "platform.h"
#include "point.h"
#include "span.h"
#include "special.h"

/* World stopped: what became due in this cycle. */
static size_t fresh COLLECTOR_DATA;
/* Where on its stack the thread is calling finalizers, 0: nowhere. One that has left by longjmp is above that. */
static _Thread_local uintptr_t calling __attribute__((tls_model("initial-exec")));

static void *object_of(const struct finalizer *finalizer) { return (void *)~finalizer->hidden; }

static bool is_unreached(const void *object) { return !mark_reached(object); }

static bool makes_wait(const struct finalizer *finalizer) { return finalizer->order != VGC_UNORDERED; }

/* ---- Links ---- */

/* The object in which the link stands, or NULL: none of the heap's. */
static const void *holder_of(const struct link *link) {
  uintptr_t place = (uintptr_t)link_place(link);
  const struct span *span = span_of(place);
  return span ? (const void *)(span->base + span_slot(span, place) * (uintptr_t)span->size) : NULL;
}

static bool clear_if_unreached(void *entry, void *kind) {
  struct link *link = entry;
  const void *object = (const void *)~link->hidden;
  if (link_kind(link) != *(const enum vgc_weak *)kind || mark_reached(object)) return false;
  store_loose(link_place(link), NULL); /* loose: who reads it meanwhile was stopped before or after */
  return true;
}

static void clear_links(enum vgc_weak kind) {
  if (special_any_links(kind)) special_each_link(clear_if_unreached, &kind);
}

/* A link dies with the object in which it stands. */
static bool forget_if_unreached(void *entry, void *arg) {
  (void)arg;
  const struct link *link = entry;
  const void *holder = holder_of(link);
  return holder && !mark_reached(holder);
}

/* ---- Finalizers ---- */

/* An object that waits for others is reached through them, and keeps its own finalizer from becoming due. */
static bool mark_what_waits(void *entry, void *arg) {
  (void)arg;
  const struct finalizer *finalizer = entry;
  if (makes_wait(finalizer) && is_unreached(object_of(finalizer)))
    mark_contents(object_of(finalizer), finalizer->order == VGC_IGNORE_SELF);
  return false;
}

static bool make_due(void *entry, void *last) {
  const struct finalizer *finalizer = entry;
  if ((finalizer->order == VGC_UNREACHABLE) != *(const bool *)last || !is_unreached(object_of(finalizer))) return false;
  special_make_due((struct due){object_of(finalizer), finalizer->function, finalizer->arg});
  fresh++;
  return true;
}

/* Each is marked only when all are known, for none of them reaches another in a way that counts. */
static void make_all_due(bool last) {
  size_t before = fresh;
  special_each_finalizer(make_due, &last);
  const struct due *due = special_due_last(fresh - before);
  const struct vgc_hooks *hooks = hooks_get();
  for (size_t i = 0; i < fresh - before; i++) {
    mark_object(due[i].object);
    if (hooks->finalizer_due) hooks->finalizer_due(hooks->arg, due[i].object);
  }
  ephemerons_mark_values();
}

static bool make_due_anyway(void *entry, void *arg) {
  (void)arg;
  const struct finalizer *finalizer = entry;
  special_make_due((struct due){object_of(finalizer), finalizer->function, finalizer->arg});
  return true;
}

void finalize_make_all_due(void) {
  special_lock();
  special_each_finalizer(make_due_anyway, NULL);
  special_unlock();
}

void finalize_unreached(void) {
  fresh = 0;
  ephemerons_mark_values();
  clear_links(VGC_WEAK_SHORT);
  ephemerons_clear_keys();
  special_each_finalizer(mark_what_waits, NULL);
  ephemerons_mark_values();
  make_all_due(false);
  make_all_due(true);
}

void finalize_forget(void) {
  clear_links(VGC_WEAK_LONG);
  special_each_link(forget_if_unreached, NULL);
  ephemerons_forget();
  special_forget_dead(is_unreached);
}

typedef void show(const void *object, bool contents);

static bool show_if_waited_for(void *entry, void *to) {
  const struct finalizer *finalizer = entry;
  if (makes_wait(finalizer)) (*(show **)to)(object_of(finalizer), true);
  return false;
}

void finalize_show_kept(show *to) {
  const struct due *due = special_due_last(fresh);
  for (size_t i = 0; i < fresh; i++) to(due[i].object, false);
  special_each_finalizer(show_if_waited_for, &to);
}

/* ---- The calls ---- */

void finalize_now_and_then(void) {
  if (LIKELY(!load_relaxed(&special_dues)) || CONFIG(finalize_on_demand)) return;
  if (!collect_in_hook() && !collect_excluded()) finalize_run_outermost();
}

size_t finalize_run_outermost(void) {
  return !calling || (uintptr_t)__builtin_frame_address(0) > calling ? finalize_run() : 0;
}

size_t finalize_run(void) {
  size_t count = 0;
  struct due due;
  uintptr_t outer = calling;
  calling = (uintptr_t)__builtin_frame_address(0);
  while (special_take_due(&due)) {
    POINT(finalize_taken);
    due.finalizer(due.object, due.arg);
    count++;
  }
  calling = outer;
  due = (struct due){0}; /* nothing is kept by what is left on the stack */
  OPAQUE(due.object);
  return count;
}
