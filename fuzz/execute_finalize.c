#include "execute_run.h"

#include <errno.h>
#include <string.h>

/* ---- Finalizers ---- */

enum action { NOTHING, BRING_BACK, SET_AGAIN, FREE, ALLOCATE, ACTIONS };

static struct run *running; /* whose finalizers are called */
static bool called(struct run *run, enum action action, void *address, void *arg);

static void nothing(void *object, void *arg) { called(running, NOTHING, object, arg); }
static void bring_back(void *object, void *arg) { called(running, BRING_BACK, object, arg); }
static void set_again(void *object, void *arg) { called(running, SET_AGAIN, object, arg); }
static void free_it(void *object, void *arg) { called(running, FREE, object, arg); }
static void allocate(void *object, void *arg) { called(running, ALLOCATE, object, arg); }

static vgc_finalizer *const actions[ACTIONS] = {nothing, bring_back, set_again, free_it, allocate};

/* The object that lies there, with a finalizer that is set, or that is due. */
static struct object *find_finalized(struct run *run, const void *address, bool due) {
  for (uint32_t i = 0; i < run->shadow->count; i++) {
    struct object *object = &run->shadow->objects[i];
    if (object->state == STATE_GONE || shadow_address(object) != address) continue;
    if (due ? object->finalizer.due : object->finalizer.set) return object;
  }
  return NULL;
}

bool verify_marked(struct run *run, const char *why) {
  for (uint32_t i = 0; i < run->shadow->count; i++) {
    const struct object *object = &run->shadow->objects[i];
    const void *address = shadow_address(object);
    if (!object->marked) continue;
    CHECK(run, vgc_base_of(address) == address, "the object at %p (%zu bytes, allocation %u), which %s, is reclaimed",
          address, object->size, i, why);
    if (!verify_object(run, object, false)) return false;
  }
  struct object *lost = run->shadow->lost;
  CHECK(run, !lost, "allocation %u at %p, which %s, was reclaimed", shadow_index(run->shadow, lost),
        shadow_address(lost), why);
  return true;
}

static bool is_rooted(const struct run *run, uint8_t handle) {
  return run->shadow->range_added[handle / RANGE_WORDS] || run->shadow->callback_added[handle / RANGE_WORDS];
}

static bool hold_again(struct run *run, const struct object *object, uint8_t handle) {
  if (shadow_handle(run->shadow, handle) || !is_rooted(run, handle)) return false;
  shadow_set_handle(run->shadow, handle, object, 0);
  shadow_settle(run->shadow);
  return true;
}

static bool free_in_finalizer(struct run *run, struct object *object) {
  if (object->state != STATE_DROPPED || object->finalizer.set) return true;
  vgc_free(shadow_address(object));
  return special_freed(run, object);
}

static bool allocate_in_finalizer(struct run *run) {
  enum { BYTES = 48 };
  struct object *object;
  void *address = vgc_malloc(BYTES);
  if (!address) return failed_allocation(run, "vgc_malloc, by a finalizer", BYTES);
  if (!adopt(run, "vgc_malloc, by a finalizer", address, BYTES, 0, KIND_SCANNED, 0, &object)) return false;
  shadow_fill(object, 0);
  return true;
}

static bool set_anew(struct run *run, struct object *object, const struct finalizer *before) {
  int result = vgc_set_finalizer(shadow_address(object), actions[NOTHING], NULL, VGC_ORDERED);
  CHECK(run, result == 0, "vgc_set_finalizer by a finalizer: %d, errno %d", result, errno);
  object->finalizer =
      (struct finalizer){.set = true, .handle = before->handle, .hidden_arg = ~(uintptr_t)0, .arg = OBJECT_NONE};
  return true;
}

static bool act(struct run *run, struct object *object, const struct finalizer *finalizer) {
  switch ((enum action)finalizer->action) {
  case BRING_BACK:
    hold_again(run, object, finalizer->handle);
    return true;
  case SET_AGAIN:
    return object->finalizer.set || !hold_again(run, object, finalizer->handle) || set_anew(run, object, finalizer);
  case FREE:
    return free_in_finalizer(run, object);
  case ALLOCATE:
    return allocate_in_finalizer(run);
  default:
    return true;
  }
}

/* Once for each that is due, with its own argument, and all that the object reaches intact. */
static bool called(struct run *run, enum action action, void *address, void *arg) {
  struct object *object = find_finalized(run, address, true);
  CHECK(run, object, "a finalizer is called for %p, where none is due", address);
  CHECK(run, !run->in_finalizer, "a finalizer is called inside of another");
  const struct finalizer finalizer = object->finalizer;
  CHECK(run, action == finalizer.action && (uintptr_t)arg == ~finalizer.hidden_arg,
        "the finalizer of %p: number %d with argument %p; expected %d with %p", address, action, arg, finalizer.action,
        (void *)~finalizer.hidden_arg);
  run->in_finalizer = true;
  run->due--;
  run->finalized++;
  run->outcome->finalized += !finalizer.anyway;
  shadow_mark_from(run->shadow, object);
  if (!verify_marked(run, "a finalizer may use")) return false;
  object->finalizer.due = false;
  if (!act(run, object, &finalizer)) return false;
  shadow_settle(run->shadow);
  run->in_finalizer = false;
  return true;
}

/* ---- When one becomes due; the world stands ---- */

/* Another object whose pointers keep this one from being due. */
static bool makes_wait(struct run *run, const struct object *other, const struct object *object) {
  const struct finalizer *finalizer = &other->finalizer;
  bool old = finalizer->due && (finalizer->cycle != run->cycle_ends || finalizer->anyway);
  bool fresh = finalizer->due && !old;
  bool ordered = (finalizer->set || fresh) && finalizer->order != VGC_UNORDERED;
  bool first = fresh && finalizer->order == VGC_UNORDERED && object->finalizer.order == VGC_UNREACHABLE;
  if ((!old && !ordered && !first) || other->state == STATE_GONE || other->freed) return false;
  return shadow_contents_reach(run->shadow, other, object, !old && finalizer->order == VGC_IGNORE_SELF);
}

static bool became_due(struct run *run, const void *address) {
  struct object *object = find_finalized(run, address, false);
  CHECK(run, object, "a finalizer of %p is due, which has none", address);
  CHECK(run, object->state == STATE_DROPPED, "the finalizer of %p (allocation %u) is due, but the object is reachable",
        address, shadow_index(run->shadow, object));
  for (uint32_t i = 0; i < run->shadow->count; i++) {
    CHECK(run, !makes_wait(run, &run->shadow->objects[i], object),
          "the finalizer of allocation %u (order %d) is due, though allocation %u (order %d) reaches the object",
          shadow_index(run->shadow, object), object->finalizer.order, i, run->shadow->objects[i].finalizer.order);
  }
  object->finalizer.set = false;
  object->finalizer.due = true;
  object->finalizer.cycle = run->cycle_ends;
  run->due++;
  return true;
}

void finalizer_due(void *arg, void *object) { became_due(arg, object); }

/* ---- Setting ---- */

static bool check_set(struct run *run, const struct object *object) {
  void *arg, *address = shadow_address(object);
  const struct finalizer *finalizer = &object->finalizer;
  vgc_finalizer *expected = finalizer->set ? actions[finalizer->action] : NULL;
  uintptr_t expected_arg = finalizer->set ? ~finalizer->hidden_arg : 0;
  vgc_finalizer *found = vgc_get_finalizer(address, &arg);
  CHECK(run, found == expected && (uintptr_t)arg == expected_arg,
        "vgc_get_finalizer(%p): %s finalizer, argument %p; expected %s, %p", address, found ? "a" : "no", arg,
        expected ? "one" : "none", (void *)expected_arg);
  return true;
}

bool finalizer_set(struct run *run, const struct operation *op) {
  struct object *object = shadow_handle(run->shadow, op->a), *arg = shadow_handle(run->shadow, op->b);
  if (!object || object->finalizer.due) return true;
  if (!check_set(run, object)) return false;
  const struct finalizer before = object->finalizer;
  bool takes_arg = op->n / 32 % 4 == 0 && arg;
  struct finalizer after = {.set = true,
                            .action = (uint8_t)(op->n / 4 % ACTIONS),
                            .handle = op->b,
                            .order = (enum vgc_order)(op->n % 4),
                            .hidden_arg = takes_arg ? arg->hidden : ~(uintptr_t)op->n,
                            .arg = takes_arg ? shadow_index(run->shadow, arg) : OBJECT_NONE};
  vgc_finalizer *old = NULL;
  void *old_arg = NULL;
  int result =
      op->opcode == OP_finalizer
          ? vgc_set_finalizer(shadow_address(object), actions[after.action], (void *)~after.hidden_arg, after.order)
          : vgc_exchange_finalizer(shadow_address(object), actions[after.action], (void *)~after.hidden_arg,
                                   after.order, &old, &old_arg);
  CHECK(run, result == 0, "a finalizer could not be set: %d, errno %d (%s)", result, errno, strerror(errno));
  bool given = !before.set || (old == actions[before.action] && (uintptr_t)old_arg == ~before.hidden_arg);
  CHECK(run, op->opcode == OP_finalizer || (given && !old == !before.set),
        "vgc_exchange_finalizer gives back another finalizer than was set, or argument %p", old_arg);
  object->finalizer = after;
  run->shadow->attached = true;
  shadow_settle(run->shadow);
  return check_set(run, object);
}

bool finalizer_take_off(struct run *run, uint8_t handle) {
  struct object *object = shadow_handle(run->shadow, handle);
  if (!object) return true;
  if (!check_set(run, object)) return false;
  int result = vgc_set_finalizer(shadow_address(object), NULL, NULL, VGC_ORDERED);
  CHECK(run, result == 0, "vgc_set_finalizer(NULL) = %d, errno %d", result, errno);
  object->finalizer.set = false;
  shadow_settle(run->shadow);
  return check_set(run, object);
}

bool finalizer_count_due(struct run *run) {
  size_t due = vgc_finalizers_due();
  CHECK(run, due == run->due, "vgc_finalizers_due = %zu; expected %zu", due, (size_t)run->due);
  return true;
}

static void make_all_due(struct run *run) {
  for (uint32_t i = 0; i < run->shadow->count; i++) {
    struct finalizer *finalizer = &run->shadow->objects[i].finalizer;
    if (!finalizer->set) continue;
    finalizer->set = false;
    finalizer->due = finalizer->anyway = true;
    run->due++;
  }
}

bool finalizer_run(struct run *run, bool all) {
  uint64_t before = run->finalized;
  if (!finalizer_count_due(run)) return false;
  if (all) make_all_due(run);
  size_t count = all ? vgc_finalize_all() : vgc_finalize();
  if (run->outcome->failed) return false;
  CHECK(run, count == run->finalized - before && run->due == 0, "vgc_finalize = %zu; %zu were called, %zu are left",
        count, (size_t)(run->finalized - before), (size_t)run->due);
  return finalizer_count_due(run);
}

void finalizer_start(struct run *run) { running = run; }
