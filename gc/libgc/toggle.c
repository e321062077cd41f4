/* Toggle references: strong or weak as the program says before each collection. */
#include <pthread.h>
#include <stdlib.h>

#include "layer.h"

/* In uncollectable memory, so `strong` keeps; `weak` is hidden, and cleared with the object. */
struct reference {
  GC_hidden_pointer weak;
  void *strong;
  struct reference *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct reference *references; /* the lock; the collecting thread takes it, too */
static GC_toggleref_func status_of;

void GC_set_toggleref_func(GC_toggleref_func function) { SET(status_of, function); }
GC_toggleref_func GC_get_toggleref_func(void) { return GET(status_of); }

/* What has been dropped, or is gone, is emptied here and taken out by the next GC_toggleref_add: before a collection
 * nothing may be freed. */
void layer_toggle(void) {
  GC_toggleref_func function = GET(status_of);
  if (!function) return;
  for (struct reference *reference = __atomic_load_n(&references, __ATOMIC_ACQUIRE); reference;
       reference = reference->next) {
    GC_hidden_pointer weak = GET(reference->weak);
    if (!weak) continue;
    void *object = GC_REVEAL_POINTER(weak);
    GC_ToggleRefStatus status = function(object);
    SET(reference->strong, status == GC_TOGGLE_REF_STRONG ? object : NULL);
    if (status == GC_TOGGLE_REF_DROP) SET(reference->weak, 0);
  }
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
  pthread_mutex_lock(&lock);
  reference->next = references;
  __atomic_store_n(&references, reference, __ATOMIC_RELEASE); /* acquire: layer_toggle */
  pthread_mutex_unlock(&lock);
  return GC_SUCCESS;
}
