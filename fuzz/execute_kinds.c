/* Kinds of the program's own. A disclaim procedure is called for what nothing reaches, once, and once more only in a
 * later cycle that finds it again; and never is an object reclaimed whose procedure was not called. */
#include "execute_run.h"

#include <errno.h>

static struct run *running; /* whose objects are disclaimed */

/* ---- Procedures; the world stands ---- */

static void show_every_other(void *object, size_t size, void *arg, struct vgc_marker *marker) {
  const void *const *words = object;
  (void)arg;
  for (size_t i = 0; i < size / sizeof *words; i += 2) vgc_mark(marker, words[i]);
}

/* In this cycle, the one that runs or has just ended. */
static bool asked_now(const struct run *run, const struct object *object) { return object->asked == run->cycle_starts; }

/* What a reaching kind's object points to is kept for it, and cannot lead back to it. */
static bool check_contents(struct run *run, const struct object *object) {
  bool back = shadow_contents_reach(run->shadow, object, object, true);
  CHECK(run, !back, "the object at %p is disclaimed, and reaches itself", shadow_address(object));
  for (uint32_t i = 0; i < run->shadow->count; i++) {
    const struct object *other = &run->shadow->objects[i];
    if (!other->marked) continue;
    CHECK(run, vgc_is_reached(shadow_address(other)), "%p (allocation %u), which %p reaches, is not kept for it",
          shadow_address(other), i, shadow_address(object));
    if (!verify_object(run, other, false)) return false;
  }
  return true;
}

static bool check_asked(struct run *run, struct object *object, const void *address, size_t size, const void *arg) {
  CHECK(run, object && object->kind == KIND_OWN && arg == &shadow_owns[object->layout],
        "%p is disclaimed, where no object of the kind is", address);
  CHECK(run, shadow_owns[object->layout].disclaims && !object->freed,
        "%p is disclaimed, which is freed or of no such kind", address);
  CHECK(run, object->state == STATE_DROPPED, "the object at %p (allocation %u), which is reachable, is disclaimed",
        address, shadow_index(run->shadow, object));
  CHECK(run, !asked_now(run, object), "the object at %p is disclaimed twice in a cycle", address);
  CHECK(run, size == object->usable, "%p is disclaimed with %zu bytes; expected %zu", address, size, object->usable);
  CHECK(run, !shadow_is_kept(run->shadow, object), "the object at %p is disclaimed, and kept for a finalizer", address);
  CHECK(run, !vgc_is_reached(address), "the object at %p is disclaimed, and said to be reached", address);
  if (!verify_object(run, object, false)) return false;
  return !shadow_owns[object->layout].reaches || check_contents(run, object);
}

static int asked(void *address, size_t size, void *arg) {
  struct object *object = shadow_find(running->shadow, address, STATE_DROPPED);
  if (!object || shadow_address(object) != address) object = shadow_find(running->shadow, address, STATE_LIVE);
  if (!check_asked(running, object, address, size, arg)) return 1;
  object->keeps = shadow_owns[object->layout].keeps_once && !object->asked;
  object->asked = running->cycle_starts;
  running->outcome->disclaimed++;
  return object->keeps;
}

/* ---- After a cycle ---- */

/* What is asked for is gone, unless it is kept, or something that is kept reaches it. */
static bool look_at(struct run *run, struct object *object) {
  const void *address = shadow_address(object);
  bool now = asked_now(run, object), alive = vgc_base_of(address) == address;
  CHECK(run, alive || now, "the object at %p (allocation %u) is reclaimed, and was not disclaimed", address,
        shadow_index(run->shadow, object));
  CHECK(run, !alive || !now || object->marked || shadow_has_anothers_place(run->shadow, object),
        "the object at %p was disclaimed, and is not reclaimed", address);
  if (!alive) shadow_reclaimed(run->shadow, object);
  return true;
}

bool kinds_after_cycle(struct run *run) {
  struct shadow *shadow = run->shadow;
  shadow_mark_disclaimed(shadow, run->cycle_starts, false);
  if (!verify_marked(run, "its disclaim procedure keeps, or another's")) return false;
  shadow_mark_disclaimed(shadow, run->cycle_starts, true);
  for (uint32_t i = 0; i < shadow->count; i++) {
    struct object *object = &shadow->objects[i];
    if (object->kind != KIND_OWN || object->state != STATE_DROPPED || object->freed) continue;
    if (shadow_owns[object->layout].disclaims && !look_at(run, object)) return false;
  }
  return true;
}

/* ---- Start, allocation ---- */

static vgc_layout_id ids[OWNS]; /* for the process, as the library promises */

bool kinds_start(struct run *run) {
  running = run;
  for (size_t i = 0; i < OWNS; i++) {
    const struct shadow_own *own = &shadow_owns[i];
    struct vgc_kind kind = {.struct_size = sizeof kind,
                            .name = "fuzz",
                            .scan = own->every_other ? VGC_SCAN_PROCEDURE : VGC_SCAN_ALL,
                            .mark = own->every_other ? show_every_other : NULL,
                            .disclaim = own->disclaims ? asked : NULL,
                            .disclaim_reaches = own->reaches,
                            .arg = (void *)(uintptr_t)own};
    if (!ids[i]) ids[i] = vgc_kind_register(&kind);
    CHECK(run, ids[i] != 0, "vgc_kind_register failed with errno %d", errno);
  }
  return true;
}

bool kinds_check(struct run *run, const struct object *object) {
  vgc_layout_id found = vgc_kind_of(shadow_address(object)),
                expected = object->kind == KIND_OWN ? ids[object->layout] : 0;
  CHECK(run, object->kind != KIND_OWN || found == expected, "vgc_kind_of(%p) = %u; expected %u", shadow_address(object),
        found, expected);
  return true;
}

bool kinds_allocate(struct run *run, const struct operation *op, size_t size) {
  uint32_t own = op->b % OWNS;
  errno = 0;
  void *address = vgc_malloc_kind(ids[own], size);
  if (!address) return failed_allocation(run, "vgc_malloc_kind", size);
  struct object *object;
  return adopt(run, "vgc_malloc_kind", address, size, 0, KIND_OWN, own, &object) && put(run, op->a, object);
}
