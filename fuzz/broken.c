/* Planted defects between the executor and the library, one at a time, named by the environment variable FUZZ_BROKEN:
 * the executor must see each, else what it passes means nothing. Linked with --wrap for each function below. */
#include <stdlib.h>
#include <string.h>

#include "vgc.h"

void *__real_vgc_malloc(size_t size);
void *__real_vgc_realloc(void *ptr, size_t size);
void __real_vgc_free(void *ptr);
int __real_vgc_collect(void);
int __real_vgc_get_stats(struct vgc_stats *stats);
void *__real_vgc_base_of(const void *ptr);
int __real_vgc_root_remove(const void *start, size_t size);
int __real_vgc_set_finalizer(void *object, vgc_finalizer *finalizer, void *arg, enum vgc_order order);
int __real_vgc_weak_add(void **link, void *object, enum vgc_weak kind);
vgc_layout_id __real_vgc_kind_register(const struct vgc_kind *kind);
vgc_layout_id __wrap_vgc_kind_register(const struct vgc_kind *kind);
int __real_vgc_displacement_add(size_t displacement);
int __wrap_vgc_displacement_add(size_t displacement);
void *__wrap_vgc_malloc(size_t size);
void *__wrap_vgc_realloc(void *ptr, size_t size);
void __wrap_vgc_free(void *ptr);
int __wrap_vgc_collect(void);
int __wrap_vgc_get_stats(struct vgc_stats *stats);
void *__wrap_vgc_base_of(const void *ptr);
int __wrap_vgc_root_remove(const void *start, size_t size);
int __wrap_vgc_set_finalizer(void *object, vgc_finalizer *finalizer, void *arg, enum vgc_order order);
int __wrap_vgc_weak_add(void **link, void *object, enum vgc_weak kind);

static int broken(const char *how) {
  const char *chosen = getenv("FUZZ_BROKEN");
  return chosen && strcmp(chosen, how) == 0;
}

static uintptr_t last; /* object of vgc_malloc, complemented: no root */
static size_t last_size;
static unsigned count;

void *__wrap_vgc_malloc(size_t size) {
  if (broken("overlap") && last && last_size == size && ++count % 8 == 0) return (void *)~last;
  char *object = __real_vgc_malloc(size);
  if (!object) return NULL;
  if (broken("dirty")) object[vgc_usable_size(object) - 1] = 1;
  last = ~(uintptr_t)object;
  last_size = size;
  return object;
}

void *__wrap_vgc_realloc(void *ptr, size_t size) {
  char *object = __real_vgc_realloc(ptr, size);
  if (object && object != ptr && broken("short-copy")) object[0] ^= 1;
  return object;
}

void __wrap_vgc_free(void *ptr) {
  if (broken("silent") && __real_vgc_base_of(ptr) != ptr) return;
  __real_vgc_free(ptr);
}

/* ---- Finalizers and links ---- */

static uintptr_t finalized, named; /* the last ones, complemented: no roots */
static void **link;

int __wrap_vgc_set_finalizer(void *object, vgc_finalizer *finalizer, void *arg, enum vgc_order order) {
  if (finalizer && broken("unordered")) order = VGC_UNORDERED;
  int result = __real_vgc_set_finalizer(object, finalizer, arg, order);
  if (finalizer && !result) finalized = ~(uintptr_t)object;
  return result;
}

int __wrap_vgc_weak_add(void **place, void *object, enum vgc_weak kind) {
  int result = __real_vgc_weak_add(place, object, kind);
  if (result) return result;
  if (broken("no-link")) vgc_weak_remove(place);
  link = place;
  named = ~(uintptr_t)object;
  return 0;
}

static void call_early(void) {
  void *arg;
  vgc_finalizer *finalizer = finalized ? vgc_get_finalizer((void *)~finalized, &arg) : NULL;
  if (finalizer) finalizer((void *)~finalized, arg);
}

static void clear_early(void) {
  if (!link || *link != (void *)~named || vgc_weak_remove(link)) return;
  *link = NULL;
}

/* ---- Kinds ---- */

static void show_nothing(void *object, size_t size, void *arg, struct vgc_marker *marker) {
  (void)object, (void)size, (void)arg, (void)marker;
}

static vgc_disclaim_procedure *disclaim;
static int disclaim_and_keep(void *object, size_t size, void *arg) { return disclaim(object, size, arg) || 1; }

vgc_layout_id __wrap_vgc_kind_register(const struct vgc_kind *kind) {
  struct vgc_kind other = *kind;
  if (other.mark && broken("no-mark")) other.mark = show_nothing;
  if (other.disclaim && broken("no-disclaim")) other.disclaim = NULL;
  if (other.disclaim && broken("always-kept")) {
    disclaim = other.disclaim;
    other.disclaim = disclaim_and_keep;
  }
  return __real_vgc_kind_register(&other);
}

int __wrap_vgc_displacement_add(size_t displacement) {
  return displacement < 65536 && broken("no-inside") ? 0 : __real_vgc_displacement_add(displacement);
}

/* ---- Collections, and what is known ---- */

int __wrap_vgc_collect(void) {
  if (broken("idle")) return 0;
  if (broken("early-call")) call_early();
  if (broken("early-clear")) clear_early();
  int result = __real_vgc_collect();
  if (broken("lost-object") && last && __real_vgc_base_of((void *)~last) == (void *)~last) {
    __real_vgc_free((void *)~last);
    last = 0;
  }
  return result;
}

int __wrap_vgc_get_stats(struct vgc_stats *stats) {
  int result = __real_vgc_get_stats(stats);
  if (broken("miscount")) stats->live_bytes += 16;
  return result;
}

void *__wrap_vgc_base_of(const void *ptr) {
  char *base = __real_vgc_base_of(ptr);
  return base && base != ptr && broken("wrong-base") ? base + 16 : base;
}

int __wrap_vgc_root_remove(const void *start, size_t size) {
  return broken("any-root") ? 0 : __real_vgc_root_remove(start, size);
}
