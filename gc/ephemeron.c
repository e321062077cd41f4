#include "ephemeron.h"

#include "atomic.h"
#include "mark.h"
#include "marker.h"
#include "platform.h"
#include "point.h"
#include "special.h"

static struct vgc_ephemeron *ephemeron_of(const struct ephemeron *entry) {
  return (struct vgc_ephemeron *)~entry->hidden;
}

/* ---- By looking at all ---- */

static bool mark_value(void *entry, void *any) {
  const struct vgc_ephemeron *ephemeron = ephemeron_of(entry);
  const void *value = load_relaxed(&ephemeron->value);
  if (!mark_reached(ephemeron) || !mark_reached(load_relaxed(&ephemeron->key)) || mark_reached(value)) return false;
  mark_object(value);
  if (mark_reached(value)) *(bool *)any = true; /* it may have been freed (X103) */
  return false;
}

/* Whether any value has been marked. */
static bool look_at_all(void) {
  bool any = false;
  POINT(ephemerons_look_at_all);
  special_each_ephemeron(mark_value, &any);
  return any;
}

/* ---- By what is being marked ---- */

/* Of the ephemerons whose values are not marked yet. Each has the number of its entry, counted from 1. */
static struct {
  const struct ephemeron *entries;
  size_t bytes;                /* of the memory, which begins at `first` */
  size_t places;               /* of keys by their addresses; a power of two */
  uint32_t *first, *next;      /* for each place the first with such a key, for each ephemeron the next; 0: none */
  uint32_t *next_ready, ready; /* those whose values are to be marked, last come first; 0: it is not among them */
} waiting COLLECTOR_DATA;

#define NO_MORE UINT32_MAX /* end of those that are ready */

static uint32_t *place_of(uintptr_t key) {
  return &waiting.first[(size_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (waiting.places - 1)];
}

static const struct vgc_ephemeron *waiting_one(uint32_t number) { return ephemeron_of(&waiting.entries[number - 1]); }

static void make_ready(uint32_t number) {
  const struct vgc_ephemeron *ephemeron = waiting_one(number);
  if (!mark_reached(ephemeron) || !mark_reached(load_relaxed(&ephemeron->key))) return;
  if (waiting.next_ready[number - 1]) return;
  waiting.next_ready[number - 1] = waiting.ready;
  waiting.ready = number;
}

/* An object that is marked now may be the key of some, or be one. */
static void see(uintptr_t object) {
  for (uint32_t number = *place_of(object); number; number = waiting.next[number - 1])
    if ((uintptr_t)load_relaxed(&waiting_one(number)->key) == object) make_ready(number);
  const struct ephemeron *entry = special_ephemeron_find((const void *)object);
  if (entry) make_ready((uint32_t)(entry - waiting.entries) + 1);
}

static void wait_for_all(size_t count) {
  waiting.ready = NO_MORE;
  for (uint32_t number = 1; number <= count; number++) {
    const struct vgc_ephemeron *ephemeron = waiting_one(number);
    if (mark_reached(load_relaxed(&ephemeron->value))) continue;
    uint32_t *place = place_of((uintptr_t)load_relaxed(&ephemeron->key));
    waiting.next[number - 1] = *place;
    *place = number;
    make_ready(number);
  }
}

void ephemerons_index(void) {
  size_t count, places = 1;
  if (waiting.first) return;
  waiting.entries = special_ephemerons(&count);
  if (!count) return;
  while (places < count) places *= 2;
  waiting.bytes = ((places + 2 * count) * sizeof(uint32_t) + 4095) & ~(size_t)4095;
  uint32_t *memory = platform_reserve(waiting.bytes, 4096);
  if (!memory) return;
  waiting.places = places;
  waiting.first = memory;
  waiting.next = memory + places;
  waiting.next_ready = waiting.next + count;
  wait_for_all(count);
  marker_watch(see);
}

void ephemerons_end_index(void) {
  if (!waiting.first) return;
  marker_watch(NULL);
  platform_release(waiting.first, waiting.bytes);
  waiting.first = NULL;
}

static void mark_ready(void) {
  while (waiting.ready != NO_MORE) {
    const struct vgc_ephemeron *ephemeron = waiting_one(waiting.ready);
    waiting.ready = waiting.next_ready[waiting.ready - 1];
    mark_object(load_relaxed(&ephemeron->value));
  }
}

/* ---- A cycle's steps ---- */

/* Most values never lead to another key; but where a second look still finds some, each further one might find no more
 * than one. */
void ephemerons_mark_values(void) {
  if (waiting.first) {
    mark_ready();
    return;
  }
  bool again = look_at_all();
  if (again) again = look_at_all();
  if (again) ephemerons_index();
  if (waiting.first) mark_ready();
  ephemerons_end_index();
  while (again) again = look_at_all();
}

static bool clear_key_if_unreached(void *entry, void *arg) {
  (void)arg;
  struct vgc_ephemeron *ephemeron = ephemeron_of(entry);
  const void *key = load_relaxed(&ephemeron->key);
  if (mark_reached(key)) return false;
  store_relaxed(&ephemeron->key, NULL);
  store_relaxed(&ephemeron->value, NULL);
  return false;
}

void ephemerons_clear_keys(void) { special_each_ephemeron(clear_key_if_unreached, NULL); }

static bool forget_if_unreached(void *entry, void *arg) {
  (void)arg;
  return !mark_reached(ephemeron_of(entry));
}

void ephemerons_forget(void) { special_each_ephemeron(forget_if_unreached, NULL); }
