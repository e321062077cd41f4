#include "unreached.h"

#include "check_mark.h"
#include "config.h"
#include "ephemeron.h"
#include "layout.h"
#include "mark.h"
#include "platform.h"
#include "span.h"
#include "special.h"

/* ---- Objects ---- */

struct object {
  void *start;
  size_t usable;
  const struct layout *layout; /* of a typed one, or NULL */
};

static struct object object_in(const struct span *span, uint32_t slot) {
  size_t bytes = span_slot_bytes(span);
  uintptr_t start = span->base + slot * bytes;
  if (span->kind != KIND_TYPED) return (struct object){(void *)start, bytes, NULL};
  bytes -= sizeof(uintptr_t);
  /* Zero, which names no layout, until an allocation is complete. */
  return (struct object){(void *)start, bytes, layout_of(layout_id_at(start + bytes))};
}

/* ---- All are shown ---- */

struct shown {
  vgc_visit *visit;
  void *arg;
};

static void show_in(struct span *span, void *to) {
  const struct shown *shown = to;
  for (uint32_t w = 0; w < span->words; w++)
    for (uint64_t issued = span_issued(span, w); issued; issued &= issued - 1) {
      struct object object = object_in(span, w * 64 + bitmap_first(issued));
      if (special_is_freed(object.start)) continue;
      platform_unpoison(object.start, object.usable);
      shown->visit(object.start, object.usable, mark_reached(object.start), shown->arg);
    }
}

void unreached_show(vgc_visit *visit, void *arg) { span_each(show_in, &(struct shown){visit, arg}); }

/* ---- Some are asked for ---- */

/* What there is to do with an unreached object of a kind that has a disclaim procedure. */
typedef void do_with(const struct object *);

static void each_unreached_in(struct span *span, void *arg) {
  if (span->kind != KIND_TYPED) return;
  for (uint32_t w = 0; w < span->words; w++)
    for (uint64_t left = span_issued(span, w) & ~span->bits[w].mark; left; left &= left - 1) {
      struct object object = object_in(span, w * 64 + bitmap_first(left));
      if (!object.layout || !object.layout->disclaim) continue;
      if (mark_reached(object.start) || special_is_freed(object.start)) continue; /* by what was done with another */
      (*(do_with **)arg)(&object);
    }
}

static void each_unreached(do_with *act) { span_each(each_unreached_in, &act); }

/* One that points to itself needs not wait for itself. */
static void keep_contents(const struct object *object) {
  if (!object->layout->disclaim_reaches) return;
  mark_contents(object->start, true);
  if (config.check_level >= 3) check_mark_keep(object->start, true);
}

static void disclaim(const struct object *object) {
  platform_unpoison(object->start, object->usable);
  if (!object->layout->disclaim(object->start, object->usable, object->layout->arg)) return;
  mark_object(object->start);
  ephemerons_index();
  ephemerons_mark_values(); /* before another is asked that is kept for this one */
  if (config.check_level >= 3) check_mark_keep(object->start, false);
}

/* All contents are kept before the first object is asked for, for any of them may reach any other. */
void unreached_disclaim(void) {
  if (!layout_any_disclaims(false)) return;
  if (layout_any_disclaims(true)) {
    each_unreached(keep_contents);
    ephemerons_mark_values();
  }
  each_unreached(disclaim);
  ephemerons_end_index();
}
