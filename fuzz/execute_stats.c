#include "execute_run.h"

#include <errno.h>

/* Objects and bytes that the library must still count, because it knows them: live ones, and dropped ones whose address
 * is still an object's. Dropped ones that are none any more are collected. */
static void recount(struct run *run, uint64_t *objects, uint64_t *bytes) {
  struct shadow *shadow = run->shadow;
  *objects = *bytes = 0;
  for (uint32_t i = 0; i < shadow->count; i++) {
    struct object *object = &shadow->objects[i];
    if (object->state == STATE_DROPPED && vgc_base_of(shadow_address(object)) != shadow_address(object)) {
      if (shadow_is_kept(shadow, object)) shadow->lost = object;
      shadow_reclaimed(shadow, object);
    }
    if (object->state == STATE_GONE) continue;
    ++*objects;
    *bytes += shadow_slot(object);
  }
}

static bool check_sums(struct run *run, const struct vgc_stats *stats) {
  CHECK(run, stats->live_objects == stats->objects_allocated - stats->objects_freed - stats->objects_swept,
        "live_objects %zu is not allocated %zu - freed %zu - swept %zu", (size_t)stats->live_objects,
        (size_t)stats->objects_allocated, (size_t)stats->objects_freed, (size_t)stats->objects_swept);
  CHECK(run, stats->live_bytes == stats->bytes_allocated - stats->bytes_freed - stats->bytes_swept,
        "live_bytes %zu is not allocated %zu - freed %zu - swept %zu", (size_t)stats->live_bytes,
        (size_t)stats->bytes_allocated, (size_t)stats->bytes_freed, (size_t)stats->bytes_swept);
  CHECK(run, stats->live_bytes <= stats->heap_bytes, "live_bytes %zu exceed heap_bytes %zu", (size_t)stats->live_bytes,
        (size_t)stats->heap_bytes);
  CHECK(run, stats->heap_bytes <= stats->peak_heap_bytes, "heap_bytes %zu exceed peak_heap_bytes %zu",
        (size_t)stats->heap_bytes, (size_t)stats->peak_heap_bytes);
  CHECK(run, !run->config.hard_limit || stats->heap_bytes <= run->config.hard_limit,
        "heap_bytes %zu exceed the hard limit %zu", (size_t)stats->heap_bytes, run->config.hard_limit);
  CHECK(run, stats->threads == 1, "threads %zu, in a program of one", (size_t)stats->threads);
  CHECK(run, !stats->heap_bytes || stats->arenas, "heap_bytes %zu without an arena", (size_t)stats->heap_bytes);
  return true;
}

bool do_stats(struct run *run) {
  struct vgc_stats stats = {.struct_size = sizeof stats};
  uint64_t objects, bytes;
  int result = vgc_get_stats(&stats);
  CHECK(run, result == 0, "vgc_get_stats = %d, errno %d", result, errno);
  recount(run, &objects, &bytes);
  CHECK(run, stats.objects_allocated == run->allocated, "objects_allocated %zu; expected %zu",
        (size_t)stats.objects_allocated, (size_t)run->allocated);
  /* Nor is a free counted whose report is owed. */
  CHECK(run, stats.objects_freed == run->freed, "objects_freed %zu; expected %zu", (size_t)stats.objects_freed,
        (size_t)run->freed);
  CHECK(run, stats.live_objects == objects, "live_objects %zu; a recount finds %zu (%zu collected)",
        (size_t)stats.live_objects, (size_t)objects, (size_t)stats.objects_swept);
  CHECK(run, stats.live_bytes == bytes, "live_bytes %zu; a recount finds %zu", (size_t)stats.live_bytes, (size_t)bytes);
  CHECK(run, stats.objects_swept == run->shadow->collected, "objects_swept %zu; a recount finds %zu",
        (size_t)stats.objects_swept, (size_t)run->shadow->collected);
  CHECK(run, stats.cycles == run->cycle_ends && stats.cycles == run->cycle_starts,
        "cycles %zu; hooks saw %zu begin and %zu end", (size_t)stats.cycles, (size_t)run->cycle_starts,
        (size_t)run->cycle_ends);
  return check_sums(run, &stats) && expect_error(run, "vgc_get_stats", 0);
}

/* ---- Interior pointers ---- */

/* vgc_base_of and vgc_usable_size of any address against the shadow. */
static bool check_lookup(struct run *run, const void *address) {
  const struct object *live = shadow_find(run->shadow, address, STATE_LIVE);
  const void *base = vgc_base_of(address);
  size_t usable = vgc_usable_size(address), expected = 0;
  if (live) {
    CHECK(run, base == shadow_address(live), "vgc_base_of(%p) = %p; expected %p", address, base, shadow_address(live));
    expected = address == shadow_address(live) ? live->usable : 0;
    CHECK(run, usable == expected, "vgc_usable_size(%p) = %zu; expected %zu, of the object at %p", address, usable,
          expected, shadow_address(live));
    return true;
  }
  const struct object *dropped = shadow_find(run->shadow, address, STATE_DROPPED);
  const void *possible = dropped ? shadow_address(dropped) : NULL;
  CHECK(run, !base || base == possible, "vgc_base_of(%p) = %p, where no object is", address, base);
  CHECK(run, usable == 0 || (address == possible && usable == dropped->usable),
        "vgc_usable_size(%p) = %zu, where no object begins", address, usable);
  return true;
}

bool do_base_of(struct run *run, const struct operation *op) {
  const struct object *object = shadow_handle(run->shadow, op->a);
  if (!object) return true;
  const char *base = shadow_address(object);
  size_t usable = object->usable;
  return check_lookup(run, base) && check_lookup(run, base + shadow_slot(object)) && check_lookup(run, base - 1) &&
         (usable == 0 || (check_lookup(run, base + usable - 1) && check_lookup(run, base + op->n % usable))) &&
         expect_error(run, "vgc_base_of", 0);
}

void *any_address(struct run *run, uint8_t handle, uint8_t how, uint32_t n) {
  const struct object *object = shadow_handle(run->shadow, handle);
  uintptr_t near = object ? ~object->hidden : (uintptr_t)run->shadow->words;
  switch (how % 8) {
  case 0:
    return (void *)(near + n % 4096);
  case 1:
    return (void *)(near - n % 4096);
  case 2:
    return (void *)(near + n);
  case 3:
    return (void *)(near - n);
  case 4:
    return (void *)(near + ((uintptr_t)n << 16));
  case 5:
    return (void *)(near - ((uintptr_t)n << 16));
  case 6:
    return (void *)((uintptr_t)n << 40 | n);
  default:
    return (void *)(uintptr_t)n;
  }
}

bool do_base_of_any(struct run *run, const struct operation *op) {
  return check_lookup(run, any_address(run, op->a, op->b, op->n)) && expect_error(run, "vgc_base_of", 0);
}
