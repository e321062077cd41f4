#include "check_mark.h"

#include "arena.h"
#include "config.h"
#include "error.h"
#include "finalize.h"
#include "layout.h"
#include "marker.h"
#include "platform.h"
#include "roots.h"
#include "span.h"
#include "special.h"

/* World stopped. */
static uint8_t *maps[ARENA_MAX] COLLECTOR_DATA;
static size_t map_bytes[ARENA_MAX] COLLECTOR_DATA;
static struct {
  uintptr_t *entries; /* object starts still to scan */
  size_t depth, capacity;
} todo COLLECTOR_DATA;

static size_t object_bytes(const struct span *span) {
  return span->size ? span->size : (size_t)span->pages * config.page_bytes;
}

static bool test_and_set(uintptr_t object) {
  const struct arena *arena = arena_of(object);
  size_t bit = (object - load_relaxed(&arena->base)) / 8;
  uint8_t *byte = &maps[arena - arenas][bit / 8];
  uint8_t mask = (uint8_t)(1u << bit % 8);
  bool was = *byte & mask;
  *byte |= mask;
  return was;
}

static void *reserve(size_t bytes) {
  void *start = platform_reserve(bytes, 4096);
  if (!start) {
    platform_print("vgc: check level 3: no memory for the second marker; lower VGC_CHECK_LEVEL\n");
    platform_abort();
  }
  return start;
}

static void todo_push(uintptr_t object) {
  if (todo.depth == todo.capacity) {
    size_t capacity = todo.capacity ? todo.capacity * 2 : 65536;
    uintptr_t *entries = reserve(capacity * sizeof *entries);
    if (todo.entries) {
      __builtin_memcpy(entries, todo.entries, todo.depth * sizeof *entries);
      platform_release(todo.entries, todo.capacity * sizeof *entries);
    }
    todo.entries = entries;
    todo.capacity = capacity;
  }
  todo.entries[todo.depth++] = object;
}

/* Start of the object that the word names, 0 if none. */
static uintptr_t object_of(uintptr_t word, bool anywhere) {
  struct span *span = span_of(word);
  if (!span) return 0;
  uintptr_t slot = (word - span->base) / object_bytes(span);
  if (slot >= span->slots) return 0;
  uint64_t bit = UINT64_C(1) << slot % 64;
  if (load_relaxed(&span->bits[slot / 64].free) & bit) return 0;
  bool active = (load_relaxed(&span->active) & SPAN_NO_WORD) == slot / 64;
  if (active && (load_relaxed(&span->avail) & bit)) return 0;
  uintptr_t object = span->base + slot * object_bytes(span);
  return anywhere || !marker_exact || marker_is_displacement(word - object) ? object : 0;
}

static void visit_as(uintptr_t word, bool anywhere) {
  uintptr_t object = object_of(word, anywhere);
  if (object && !test_and_set(object)) todo_push(object);
}

static void visit(uintptr_t word) { visit_as(word, false); }

static void show(const struct vgc_marker *marker, uintptr_t word) {
  (void)marker;
  visit(word);
}

NO_SANITIZE static void scan_object(uintptr_t object) {
  const struct span *span = span_of(object);
  if (kind_is_noscan(span->kind)) return;
  size_t words = object_bytes(span) / sizeof(uintptr_t);
  const uintptr_t *content = (const uintptr_t *)object;
  const struct layout *layout = NULL;
  if (span->kind == KIND_TYPED) layout = layout_of((vgc_layout_id)content[--words]);
  if (layout && layout_is_kind(layout)) {
    if (layout->scan == VGC_SCAN_PROCEDURE)
      layout_ask(layout, object, words * sizeof(uintptr_t), &(struct vgc_marker){.show = show});
    if (layout->scan != VGC_SCAN_ALL) return;
    layout = NULL;
  }
  if (layout) words = words / layout->words * layout->words;
  for (size_t i = 0; i < words; i++) {
    size_t within = layout ? i % layout->words : 0;
    if (!layout || (layout->bits[within / 64] >> within % 64 & 1)) visit(content[i]);
  }
}

static void drain(void) {
  while (todo.depth) scan_object(todo.entries[--todo.depth]);
}

NO_SANITIZE static void visit_range(void *context, const void *low, const void *high, struct thread *thread,
                                    bool is_static) {
  (void)context, (void)thread;
  for (const uintptr_t *at = low; at < (const uintptr_t *)high; at++)
    if (*at) visit_as(*at, !is_static); /* data segments are mostly zero */
  drain();
}

static void visit_uncollectable(struct span *span, void *arg) {
  (void)arg;
  if (!kind_is_uncollectable(span->kind)) return;
  for (uint32_t slot = 0; slot < span->slots; slot++) {
    uintptr_t object = span->base + slot * object_bytes(span);
    if (span_issued(span, slot / 64) >> slot % 64 & 1 && !special_is_freed((void *)object)) visit(object);
  }
  drain();
}

static void visit_kept(const void *object, bool contents) {
  if (contents)
    scan_object((uintptr_t)object);
  else
    visit((uintptr_t)object);
  drain();
}

static bool is_set(const void *object) {
  const struct arena *arena = arena_of((uintptr_t)object);
  if (!arena) return false;
  size_t bit = ((uintptr_t)object - load_relaxed(&arena->base)) / 8;
  return maps[arena - arenas][bit / 8] >> bit % 8 & 1;
}

static bool visit_value(void *entry, void *any) {
  const struct vgc_ephemeron *ephemeron = (const struct vgc_ephemeron *)~((const struct ephemeron *)entry)->hidden;
  const void *value = load_relaxed(&ephemeron->value);
  if (!value || is_set(value) || !is_set(ephemeron) || !is_set(load_relaxed(&ephemeron->key))) return false;
  visit((uintptr_t)value);
  drain();
  if (is_set(value)) *(bool *)any = true; /* it may have been freed (X103) */
  return false;
}

static void visit_values(void) {
  bool any;
  do {
    any = false;
    special_each_ephemeron(visit_value, &any);
  } while (any);
}

static void forget(uintptr_t object) {
  const struct arena *arena = arena_of(object);
  size_t bit = (object - load_relaxed(&arena->base)) / 8;
  maps[arena - arenas][bit / 8] &= (uint8_t) ~(1u << bit % 8);
}

void check_mark_keep(const void *object, bool contents) {
  if (contents) {
    bool was = test_and_set((uintptr_t)object);
    scan_object((uintptr_t)object);
    if (!was) forget((uintptr_t)object);
  } else {
    visit((uintptr_t)object);
  }
  drain();
  visit_values();
}

static void compare(struct span *span, void *arg) {
  (void)arg;
  for (uint32_t slot = 0; slot < span->slots; slot++) {
    uintptr_t object = span->base + slot * object_bytes(span);
    bool second = is_set((const void *)object);
    bool first = span->bits[slot / 64].mark >> slot % 64 & 1;
    if (first == second) continue;
    error_report(VGC_ERROR_CORRUPT, (void *)object,
                 first ? "check level 3: marked, but the second marker does not reach it"
                       : "check level 3: reachable for the second marker, but not marked");
  }
}

void check_mark_again(void) {
  for (uint32_t i = 0, count = load_relaxed(&arenas_count); i < count; i++) {
    map_bytes[i] = (load_relaxed(&arenas[i].bytes) / 64 + 4095) / 4096 * 4096;
    maps[i] = reserve(map_bytes[i]);
  }
  span_each(visit_uncollectable, NULL);
  roots_scan_again(visit_range, NULL);
  finalize_show_kept(visit_kept);
  visit_values();
}

void check_mark_compare(void) {
  span_each(compare, NULL);
  for (uint32_t i = 0, count = load_relaxed(&arenas_count); i < count; i++) platform_release(maps[i], map_bytes[i]);
  if (todo.entries) platform_release(todo.entries, todo.capacity * sizeof *todo.entries);
  todo.entries = NULL;
  todo.capacity = 0;
}
