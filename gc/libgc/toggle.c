/* Toggle references: strong or weak as the program says before each collection. */
#include <stdlib.h>

#include "layer.h"

/* In uncollectable memory, so `strong` keeps; `weak` is hidden, and cleared with the object. */
struct reference {
  GC_hidden_pointer weak;
  void *strong;
  struct reference *next;
};

/* By the collecting thread before it stops the world, and by who adds one with collections locked out: with a mutex, a
 * fork that had it would wait for a collection that waits for it. */
static struct reference *references;
static size_t count, empty; /* of all, and of those that were found empty */
static GC_toggleref_func status_of;

void GC_set_toggleref_func(GC_toggleref_func function) { SET(status_of, function); }
GC_toggleref_func GC_get_toggleref_func(void) { return GET(status_of); }

/* False: it is empty, now or before. */
static bool toggle(struct reference *reference, GC_toggleref_func function) {
  GC_hidden_pointer weak = GET(reference->weak);
  if (!weak) return false;
  void *object = GC_REVEAL_POINTER(weak);
  GC_ToggleRefStatus status = function(object);
  SET(reference->strong, status == GC_TOGGLE_REF_STRONG ? object : NULL);
  if (status == GC_TOGGLE_REF_DROP) SET(reference->weak, 0);
  return status != GC_TOGGLE_REF_DROP;
}

/* Before a collection nothing may be freed: that is left to GC_toggleref_add. */
void layer_toggle(void) {
  GC_toggleref_func function = GET(status_of);
  if (!function) return;
  empty = 0;
  for (struct reference *reference = references; reference; reference = reference->next)
    if (!toggle(reference, function)) empty++;
}

/* Collections are locked out. Takes the empty ones out of the list, and returns them in one of their own. */
static struct reference *take_empty(void) {
  struct reference *taken = NULL;
  if (empty < count / 2 || !empty) return NULL;
  for (struct reference **at = &references; *at;) {
    struct reference *reference = *at;
    if (GET(reference->weak)) {
      at = &reference->next;
      continue;
    }
    *at = reference->next;
    reference->next = taken;
    taken = reference;
    count--;
  }
  empty = 0;
  return taken;
}

int GC_toggleref_add(void *object, int strong) {
  if (!GET(status_of)) return GC_SUCCESS;
  layer_ensure();
  struct reference *reference = vgc_malloc_uncollectable(sizeof *reference);
  if (!reference) return GC_NO_MEMORY;
  reference->weak = GC_HIDE_POINTER(object);
  reference->strong = strong ? object : NULL;
  if (vgc_weak_watch((void **)&reference->weak, object, VGC_WEAK_LONG) < 0) {
    vgc_free(reference);
    return GC_NO_MEMORY;
  }
  bool locks = !layer_locked;
  if (locks) vgc_lock();
  struct reference *taken = take_empty();
  reference->next = references;
  references = reference;
  count++;
  if (locks) vgc_unlock();
  while (taken) {
    struct reference *next = taken->next;
    vgc_weak_unwatch((void **)&taken->weak, VGC_WEAK_LONG);
    vgc_free(taken);
    taken = next;
  }
  return GC_SUCCESS;
}
