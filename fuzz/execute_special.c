#include "execute_run.h"

#include <errno.h>
#include <string.h>

/* ---- Frees ---- */

bool special_freed(struct run *run, struct object *object) {
  void *address = shadow_address(object);
  bool left = vgc_base_of(address) == address;
  CHECK(run, left || !object->named, "%p was freed at once, though a link has named it", address);
  CHECK(run, !left || object->named, "%p was not freed, though no link has ever named it", address);
  if (left) {
    shadow_left(run->shadow, object);
  } else {
    shadow_gone(run->shadow, object);
    run->freed++;
  }
  return true;
}

/* ---- Weak links ---- */

static void **place_of(const struct run *run, const struct weak *weak) {
  const struct shadow *shadow = run->shadow;
  if (weak->holder == OBJECT_NONE) return (void **)(shadow->weak_words + (weak - shadow->weaks));
  return (void **)shadow_address(&shadow->objects[weak->holder]) + weak->word;
}

static void **outside(const struct run *run, uint8_t number) {
  return (void **)(run->shadow->weak_words + number % WEAKS);
}

/* The program knows what the link's word holds. */
static bool stands(const struct run *run, const struct weak *weak) {
  return weak->used && (weak->holder == OBJECT_NONE || run->shadow->objects[weak->holder].state == STATE_LIVE);
}

static bool check_result(struct run *run, const char *what, int result, int error) {
  CHECK(run, error ? result == -1 && errno == error : result == 0, "%s = %d, errno %s; expected %s", what, result,
        strerror(errno), error ? strerror(error) : "0");
  return true;
}

static bool check_holds(struct run *run, const struct weak *weak) {
  void *found = vgc_weak_get(place_of(run, weak)), *expected = shadow_address(&run->shadow->objects[weak->target]);
  CHECK(run, found == expected, "a link holds %p; expected %p", found, expected);
  return true;
}

static uint32_t name(const struct run *run, struct object *target) {
  target->named = true;
  return shadow_index(run->shadow, target);
}

static bool weak_add(struct run *run, const struct operation *op) {
  struct weak *weak = &run->shadow->weaks[op->a % WEAKS];
  struct object *target = shadow_handle(run->shadow, op->b);
  if (!target || (weak->used && weak->holder != OBJECT_NONE)) return true;
  enum vgc_weak kind = (enum vgc_weak)(op->n % 2);
  errno = 0;
  int result = vgc_weak_add(outside(run, op->a), shadow_address(target), kind);
  if (!check_result(run, "vgc_weak_add", result, weak->used ? EEXIST : 0)) return false;
  if (!weak->used)
    *weak = (struct weak){.used = true, .kind = kind, .holder = OBJECT_NONE, .target = name(run, target)};
  return weak->watched || check_holds(run, weak);
}

static bool weak_watch(struct run *run, const struct operation *op) {
  struct weak *weak = &run->shadow->weaks[op->a % WEAKS];
  struct object *target = shadow_handle(run->shadow, op->b);
  enum vgc_weak kind = (enum vgc_weak)(op->n % 2);
  if (!target || (weak->used && (!weak->watched || weak->kind != kind))) return true;
  *outside(run, op->a) = (void *)target->hidden;
  int result = vgc_weak_watch(outside(run, op->a), shadow_address(target), kind);
  CHECK(run, result == weak->used, "vgc_weak_watch = %d, errno %d; expected %d", result, errno, weak->used);
  *weak =
      (struct weak){.used = true, .watched = true, .kind = kind, .holder = OBJECT_NONE, .target = name(run, target)};
  return true;
}

/* A word of a pointer-free object that can be a link; NULL: the handle has none. */
static struct object *holder_with_room(struct run *run, uint8_t handle, uint32_t n, size_t *word) {
  struct object *holder = shadow_handle(run->shadow, handle);
  if (!holder || holder->kind != KIND_NOSCAN || holder->size < sizeof(void *)) return NULL;
  *word = word_of(holder, n);
  if (shadow_weak_at(run->shadow, holder, *word)) return holder;
  return shadow_unchecked(holder, *word) ? holder : NULL;
}

static bool weak_inside(struct run *run, const struct operation *op) {
  struct weak *weak = &run->shadow->weaks[op->a % WEAKS];
  struct object *target = shadow_handle(run->shadow, op->b);
  size_t word;
  if (!target || weak->used) return true;
  struct object *holder = holder_with_room(run, (uint8_t)op->n, op->n / 512, &word);
  if (!holder) return true;
  bool exists = shadow_weak_at(run->shadow, holder, word);
  struct weak made = {.used = true,
                      .kind = (enum vgc_weak)(op->n / 256 % 2),
                      .holder = shadow_index(run->shadow, holder),
                      .word = word,
                      .target = shadow_index(run->shadow, target)};
  /* What a cycle cleared may not be known yet, of a holder that was away. */
  if (exists && shadow_weak_at(run->shadow, holder, word)->unsure) return true;
  errno = 0;
  int result = vgc_weak_add(place_of(run, &made), shadow_address(target), made.kind);
  if (!check_result(run, "vgc_weak_add in an object", result, exists ? EEXIST : 0)) return false;
  if (exists) return true;
  name(run, target);
  *weak = made;
  return check_holds(run, weak);
}

static int move_link(const struct weak *weak, void **from, void **to) {
  errno = 0;
  return weak->watched ? vgc_weak_move_watch(from, to, weak->kind) : vgc_weak_move(from, to);
}

static bool weak_move(struct run *run, const struct operation *op) {
  struct weak *from = &run->shadow->weaks[op->a % WEAKS], *to = &run->shadow->weaks[op->b % WEAKS];
  if (from->used && (!stands(run, from) || from->unsure)) return true;
  if (to->used && (to->holder != OBJECT_NONE || to->watched != from->watched || to->kind != from->kind)) return true;
  void **from_place = from->used ? place_of(run, from) : outside(run, op->a);
  int error = !from->used ? ENOENT : to->used && to != from ? EEXIST : 0;
  bool watched = from->used && from->watched;
  if (!error && watched && to != from) *outside(run, op->b) = *from_place;
  if (!check_result(run, "vgc_weak_move", move_link(from, from_place, outside(run, op->b)), error)) return false;
  if (error || to == from) return true;
  *to = *from;
  to->holder = OBJECT_NONE;
  from->used = false;
  return watched || check_holds(run, to);
}

static bool weak_move_inside(struct run *run, const struct operation *op) {
  struct weak *weak = &run->shadow->weaks[op->a % WEAKS];
  size_t word;
  if (!stands(run, weak) || weak->watched || weak->unsure) return true;
  struct object *holder = holder_with_room(run, op->b, op->n, &word);
  if (!holder) return true;
  const struct weak *other = shadow_weak_at(run->shadow, holder, word);
  if (other && other->unsure) return true;
  struct weak moved = *weak;
  moved.holder = shadow_index(run->shadow, holder);
  moved.word = word;
  int result = move_link(weak, place_of(run, weak), place_of(run, &moved));
  if (!check_result(run, "vgc_weak_move into an object", result, other && other != weak ? EEXIST : 0)) return false;
  if (!other) *weak = moved;
  return check_holds(run, weak);
}

static bool remove_link(struct run *run, struct weak *weak) {
  if (!stands(run, weak)) return true;
  void **place = place_of(run, weak);
  bool cleared = weak->unsure && !*place;
  errno = 0;
  int result = weak->watched ? vgc_weak_unwatch(place, weak->kind) : vgc_weak_remove(place);
  if (!check_result(run, "vgc_weak_remove", result, cleared ? ENOENT : 0)) return false;
  weak->used = false;
  if (weak->holder != OBJECT_NONE) shadow_unlink(&run->shadow->objects[weak->holder], weak->word);
  return true;
}

static bool weak_remove(struct run *run, const struct operation *op) {
  struct weak *weak = &run->shadow->weaks[op->a % WEAKS];
  if (weak->used) return remove_link(run, weak);
  errno = 0;
  return check_result(run, "vgc_weak_remove of no link", vgc_weak_remove(outside(run, op->a)), ENOENT);
}

bool special_cut(struct run *run, const struct object *holder, size_t size) {
  for (size_t i = 0; i < WEAKS; i++) {
    struct weak *weak = &run->shadow->weaks[i];
    if (!weak->used || weak->holder != shadow_index(run->shadow, holder)) continue;
    if ((weak->word + 1) * sizeof(void *) > size && !remove_link(run, weak)) return false;
  }
  return true;
}

/* What the library gave is an object, and alive with all that it reaches. */
static bool hold_given(struct run *run, struct object *object, const void *address, uint8_t handle) {
  CHECK(run, object->state != STATE_GONE && vgc_base_of(address) == address,
        "%p (allocation %u) is reclaimed, and can still be got", address, shadow_index(run->shadow, object));
  if (object->freed) return true;
  shadow_mark_from(run->shadow, object);
  if (!verify_marked(run, "can still be got")) return false;
  shadow_set_handle(run->shadow, handle, object, 0);
  shadow_settle(run->shadow);
  if (object->state == STATE_DROPPED) shadow_leave(run->shadow, object, STATE_DROPPED); /* the handle is no root */
  return true;
}

static bool weak_get(struct run *run, const struct operation *op) {
  const struct weak *weak = &run->shadow->weaks[op->a % WEAKS];
  if (!stands(run, weak) || weak->watched) return true;
  const void *found = vgc_weak_get(place_of(run, weak));
  if (!found) return true;
  return check_holds(run, weak) && hold_given(run, &run->shadow->objects[weak->target], found, op->b);
}

/* ---- Ephemerons ---- */

static bool cleared(const void *ephemeron) { return !vgc_ephemeron_key(ephemeron); }

static bool check_ephemeron(struct run *run, const struct object *ephemeron) {
  const struct shadow *shadow = run->shadow;
  const void *address = shadow_address(ephemeron);
  const void *key = vgc_ephemeron_key(address), *value = vgc_ephemeron_value(address);
  const void *made = ephemeron->value == OBJECT_NONE ? NULL : shadow_address(&shadow->objects[ephemeron->value]);
  bool whole = key == shadow_address(&shadow->objects[ephemeron->key]) && value == made;
  CHECK(run, whole || (!key && !value), "an ephemeron holds %p, %p; expected what it was made with, or NULL", key,
        value);
  CHECK(run, !key || !ephemeron->cleared, "an ephemeron that was cleared holds %p again", key);
  CHECK(run, !key || vgc_base_of(key) == key, "an ephemeron holds a key that is reclaimed, %p", key);
  return true;
}

static bool ephemeron_new(struct run *run, const struct operation *op) {
  struct object *key = shadow_handle(run->shadow, op->b);
  const struct object *value = shadow_handle(run->shadow, (uint8_t)op->n);
  if (!key) return true;
  errno = 0;
  void *address = vgc_ephemeron_new(shadow_address(key), value ? shadow_address(value) : NULL);
  if (!address) return failed_allocation(run, "vgc_ephemeron_new", 0);
  struct object *object;
  if (!adopt(run, "vgc_ephemeron_new", address, 0, 0, KIND_EPHEMERON, 0, &object)) return false;
  object->key = name(run, key);
  object->value = value ? shadow_index(run->shadow, value) : OBJECT_NONE;
  run->shadow->attached = true;
  return check_ephemeron(run, object) && put(run, op->a, object);
}

static bool ephemeron_get(struct run *run, const struct operation *op) {
  const struct object *ephemeron = shadow_handle(run->shadow, op->b);
  if (!ephemeron || ephemeron->kind != KIND_EPHEMERON) return true;
  if (!check_ephemeron(run, ephemeron)) return false;
  const void *value = vgc_ephemeron_value(shadow_address(ephemeron));
  if (!value) return true;
  struct object *object = &run->shadow->objects[ephemeron->value];
  /* A value that was freed is not the program's any more. */
  if (object->freed || (object->state == STATE_GONE && !object->reclaimed)) return true;
  return hold_given(run, object, value, op->a);
}

/* ---- After a cycle ---- */

enum { SEEN_HOLDING = 1, SEEN_CLEARED = 2, SEEN_BOTH = 3 };

/* Links of one kind are cleared together. */
static bool see(struct run *run, struct object *target, enum vgc_weak kind, bool holds) {
  target->seen[kind] |= holds ? SEEN_HOLDING : SEEN_CLEARED;
  CHECK(run, target->seen[kind] != SEEN_BOTH, "of two %s links to %p one is cleared", kind ? "long" : "short",
        shadow_address(target));
  CHECK(run, !(target->seen[VGC_WEAK_SHORT] & SEEN_HOLDING) || !(target->seen[VGC_WEAK_LONG] & SEEN_CLEARED),
        "a long link to %p is cleared, a short one not", shadow_address(target));
  return true;
}

static bool look_at_link(struct run *run, struct weak *weak) {
  struct object *target = &run->shadow->objects[weak->target];
  if (weak->holder != OBJECT_NONE && run->shadow->objects[weak->holder].state == STATE_GONE) weak->used = false;
  if (!weak->used) return true;
  bool unsure = weak->unsure;
  weak->unsure = !stands(run, weak);
  if (weak->unsure) return true;
  const void *found = vgc_weak_get(place_of(run, weak)), *address = shadow_address(target);
  const void *expected = weak->watched ? (const void *)target->hidden : address;
  CHECK(run, !found || found == expected, "a link to %p holds %p", expected, found);
  if (!unsure && !see(run, target, weak->kind, found)) return false;
  if (found) {
    CHECK(run, target->state != STATE_GONE && vgc_base_of(address) == address,
          "a link holds %p (allocation %u), which is reclaimed", address, weak->target);
  } else if (!unsure) {
    CHECK(run, target->state != STATE_LIVE, "the link to %p (allocation %u), which is reachable, was cleared", address,
          weak->target);
    CHECK(run, weak->kind == VGC_WEAK_SHORT || !target->marked,
          "the long link to %p, which a finalizer keeps, was cleared", address);
  }
  if (target->state == STATE_DROPPED && !target->marked) found ? run->outcome->held++ : run->outcome->cleared++;
  weak->used = found != NULL;
  return true;
}

static bool look_at_ephemeron(struct run *run, struct object *ephemeron) {
  bool unsure = ephemeron->unsure;
  ephemeron->unsure = ephemeron->state != STATE_LIVE;
  if (ephemeron->unsure) return true;
  if (!check_ephemeron(run, ephemeron)) return false;
  bool is_cleared = cleared(shadow_address(ephemeron));
  struct object *key = &run->shadow->objects[ephemeron->key];
  CHECK(run, !is_cleared || ephemeron->cleared || unsure || key->state != STATE_LIVE,
        "an ephemeron was cleared, and its key, %p, is reachable", shadow_address(key));
  if (!unsure && !ephemeron->cleared && !see(run, key, VGC_WEAK_SHORT, !is_cleared)) return false;
  ephemeron->cleared = is_cleared;
  return true;
}

bool special_after_cycle(struct run *run) {
  struct shadow *shadow = run->shadow;
  shadow_mark_kept(shadow);
  if (!verify_marked(run, "is kept for a finalizer")) return false;
  for (uint32_t i = 0; i < shadow->count; i++) memset(shadow->objects[i].seen, 0, sizeof shadow->objects[i].seen);
  for (size_t i = 0; i < WEAKS; i++) {
    if (shadow->weaks[i].used && !look_at_link(run, &shadow->weaks[i])) return false;
  }
  for (uint32_t i = 0; i < shadow->count && shadow->attached; i++) {
    if (shadow->objects[i].kind == KIND_EPHEMERON && !look_at_ephemeron(run, &shadow->objects[i])) return false;
  }
  return true;
}

void special_start(struct run *run) {
  finalizer_start(run);
  run->shadow->ephemeron_cleared = cleared;
}

/* ---- Invalid ---- */

static void nothing(void *object, void *arg) { (void)object, (void)arg; }

static bool bad_link(struct run *run, const struct operation *op, char *address) {
  const struct weak *weak = &run->shadow->weaks[op->a % WEAKS];
  void **place = outside(run, op->a), *inside = address + 1 + op->n % 7;
  if (weak->used && weak->holder == OBJECT_NONE) return true;
  errno = 0;
  switch (op->n / 8 % 4) {
  case 0:
    return check_result(run, "vgc_weak_add into an object", vgc_weak_add(place, inside, VGC_WEAK_SHORT), EINVAL);
  case 1:
    return check_result(run, "vgc_weak_add at no word",
                        vgc_weak_add((void **)(void *)((char *)place + 1), address, VGC_WEAK_LONG), EINVAL);
  case 2:
    return check_result(run, "vgc_weak_move of no link", vgc_weak_move(place, place), ENOENT);
  default:
    return check_result(run, "vgc_weak_unwatch of no link", vgc_weak_unwatch(place, VGC_WEAK_LONG), ENOENT);
  }
}

static bool bad_special(struct run *run, const struct operation *op) {
  const struct object *object = shadow_handle(run->shadow, op->b);
  if (!object || object->usable < 8) return true;
  char *address = shadow_address(object);
  errno = 0;
  switch (op->a % 8) {
  case 0:
    return check_result(run, "vgc_set_finalizer inside an object",
                        vgc_set_finalizer(address + 1 + op->n % 7, nothing, NULL, VGC_ORDERED), EINVAL);
  case 1:
    return check_result(run, "vgc_set_finalizer in no order",
                        vgc_set_finalizer(address, nothing, NULL, (enum vgc_order)(VGC_UNREACHABLE + 1)), EINVAL);
  case 2:
    return check_result(run, "vgc_set_finalizer of no object",
                        vgc_set_finalizer(run->shadow->words, nothing, NULL, VGC_ORDERED), EINVAL);
  case 3:
    CHECK(run, !vgc_ephemeron_new(address + 1, address) && errno == EINVAL, "an ephemeron with a key inside an object");
    return true;
  default:
    return bad_link(run, op, address);
  }
}

bool do_special(struct run *run, const struct operation *op) {
  switch (op->opcode) {
  case OP_finalizer:
  case OP_finalizer_exchange:
    return finalizer_set(run, op);
  case OP_finalizer_off:
    return finalizer_take_off(run, op->a);
  case OP_finalize:
  case OP_finalize_all:
    return finalizer_run(run, op->opcode == OP_finalize_all);
  case OP_weak_add:
    return weak_add(run, op);
  case OP_weak_watch:
    return weak_watch(run, op);
  case OP_weak_inside:
    return weak_inside(run, op);
  case OP_weak_move:
    return weak_move(run, op);
  case OP_weak_move_inside:
    return weak_move_inside(run, op);
  case OP_weak_remove:
    return weak_remove(run, op);
  case OP_weak_get:
    return weak_get(run, op);
  case OP_ephemeron:
    return ephemeron_new(run, op);
  case OP_ephemeron_get:
    return ephemeron_get(run, op);
  default:
    return bad_special(run, op);
  }
}
