#include "shadow.h"

enum { WORD = sizeof(uintptr_t) };

static bool is_pointer(const struct shadow_layout *layout, size_t word) {
  return layout->pointers[word / 64] >> word % 64 & 1;
}

static bool word_is_scanned(const struct object *object, size_t word) {
  const struct shadow_layout *layout = &shadow_layouts[object->layout];
  switch (object->kind) {
  case KIND_NOSCAN:
  case KIND_EPHEMERON:
    return false;
  case KIND_TYPED:
    return word / layout->words < object->size / WORD / layout->words && is_pointer(layout, word % layout->words);
  case KIND_OWN:
    return !shadow_owns[object->layout].every_other || word % 2 == 0;
  default:
    return true;
  }
}

static void mark(struct shadow *shadow, uint32_t index, size_t *depth) {
  if (index == OBJECT_NONE) return;
  struct object *object = &shadow->objects[index];
  if (object->state == STATE_GONE && object->reclaimed && !shadow->lost) shadow->lost = object;
  if (object->state == STATE_GONE || object->freed || object->marked) return;
  object->marked = true;
  shadow->stack[(*depth)++] = index;
}

static void mark_named(struct shadow *shadow, uintptr_t word, uint32_t index, size_t *depth) {
  if (index == OBJECT_NONE) return;
  uintptr_t inside = word - ~shadow->objects[index].hidden;
  if (!shadow->exact || inside == 0 || inside == SHADOW_DISPLACEMENT) mark(shadow, index, depth);
}

static void mark_links(struct shadow *shadow, const struct object *object, bool ignore_self, size_t *depth) {
  for (uint32_t k = 0; k < object->link_count; k++) {
    const struct link *link = &object->links[k];
    if (ignore_self && link->target == shadow_index(shadow, object)) continue;
    if (word_is_scanned(object, link->word)) mark_named(shadow, ~link->hidden, link->target, depth);
  }
}

static void follow(struct shadow *shadow, size_t depth) {
  while (depth) mark_links(shadow, &shadow->objects[shadow->stack[--depth]], false, &depth);
}

static void clear_marks(struct shadow *shadow) {
  for (uint32_t i = 0; i < shadow->count; i++) shadow->objects[i].marked = false;
}

/* ---- Roots ---- */

static void mark_roots(struct shadow *shadow) {
  size_t depth = 0;
  for (uint32_t i = 0; i < shadow->count; i++) {
    const struct object *object = &shadow->objects[i];
    if (object->kind == KIND_UNCOLLECTABLE && object->state != STATE_GONE) mark(shadow, i, &depth);
    if (object->finalizer.set || object->finalizer.due) mark(shadow, object->finalizer.arg, &depth);
  }
  for (size_t i = 0; i < HANDLES; i++) {
    if (shadow->range_added[i / RANGE_WORDS]) mark_named(shadow, shadow->words[i], shadow->handles[i], &depth);
    if (shadow->callback_added[i / RANGE_WORDS]) mark(shadow, shadow->handles[i], &depth); /* it may push a stack */
  }
  follow(shadow, depth);
}

/* Of one more ephemeron whose key is marked; false if there is none. */
static bool mark_a_value(struct shadow *shadow) {
  for (uint32_t i = 0; i < shadow->count; i++) {
    const struct object *object = &shadow->objects[i];
    if (object->kind != KIND_EPHEMERON || !object->marked || object->value == OBJECT_NONE) continue;
    const struct object *value = &shadow->objects[object->value];
    if (!shadow->objects[object->key].marked || value->marked || value->freed) continue;
    if (value->state == STATE_GONE && (!value->reclaimed || shadow->lost)) continue;
    if (shadow->ephemeron_cleared(shadow_address(object))) continue;
    size_t depth = 0;
    mark(shadow, object->value, &depth);
    follow(shadow, depth);
    return true;
  }
  return false;
}

void shadow_settle(struct shadow *shadow) {
  clear_marks(shadow);
  mark_roots(shadow);
  while (shadow->attached && mark_a_value(shadow)) continue;
  for (uint32_t i = 0; i < shadow->count; i++) {
    struct object *object = &shadow->objects[i];
    if (object->state == STATE_LIVE && !object->marked) {
      shadow_leave(shadow, object, STATE_DROPPED);
      shadow->dropped++;
      shadow->finalizable += object->finalizer.set;
    } else if (object->state == STATE_DROPPED && object->marked) {
      object->state = STATE_LIVE;
      object->was_dropped = false;
      shadow->live_bytes += object->usable;
      shadow->dropped--;
      shadow->finalizable -= object->finalizer.set;
    }
  }
}

/* ---- What finalizers keep ---- */

void shadow_mark_kept(struct shadow *shadow) {
  size_t depth = 0;
  clear_marks(shadow);
  for (uint32_t i = 0; i < shadow->count && shadow->attached; i++) {
    const struct object *object = &shadow->objects[i];
    if (object->finalizer.due || (object->finalizer.set && object->state == STATE_DROPPED)) mark(shadow, i, &depth);
  }
  follow(shadow, depth);
}

void shadow_mark_disclaimed(struct shadow *shadow, uint64_t cycle, bool values) {
  size_t depth = 0;
  clear_marks(shadow);
  for (uint32_t i = 0; i < shadow->count; i++) {
    if (shadow->objects[i].asked == cycle && shadow->objects[i].keeps) mark(shadow, i, &depth);
  }
  follow(shadow, depth);
  while (values && shadow->attached && mark_a_value(shadow)) continue;
}

bool shadow_is_kept(struct shadow *shadow, const struct object *object) {
  if (!shadow->attached) return false;
  shadow_mark_kept(shadow);
  return object->marked;
}

void shadow_mark_from(struct shadow *shadow, const struct object *object) {
  size_t depth = 0;
  clear_marks(shadow);
  mark(shadow, shadow_index(shadow, object), &depth);
  follow(shadow, depth);
}

bool shadow_contents_reach(struct shadow *shadow, const struct object *from, const struct object *to,
                           bool ignore_self) {
  size_t depth = 0;
  clear_marks(shadow);
  mark_links(shadow, from, ignore_self, &depth);
  follow(shadow, depth);
  return to->marked;
}
