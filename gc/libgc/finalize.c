/* Finalizers and disappearing links. */

#include "layer.h"

/* ---- Finalizers ---- */

static void set(void *object, GC_finalization_proc finalizer, void *arg, GC_finalization_proc *old, void **old_arg,
                enum vgc_order order) {
  vgc_finalizer *before = NULL;
  void *before_arg = NULL;
  /* A procedure that a collection calls may not do this; Crystal's does, for memory of the reserve, which stays. */
  if (GET(GC_find_leak) || vgc_in_collection()) return;
  layer_ensure();
  int error = vgc_exchange_finalizer(object, finalizer, arg, order, &before, &before_arg);
  if (error && errno == ENOMEM) return;
  if (!error && finalizer && !before) layer_count_finalizer(1);
  if (!error && !finalizer && before) layer_count_finalizer(-1);
  if (old) *old = before;
  if (old_arg) *old_arg = before_arg;
}

#define DEFINE(suffix, order)                                                                                          \
  void GC_register_finalizer##suffix(void *object, GC_finalization_proc finalizer, void *arg,                          \
                                     GC_finalization_proc *old, void **old_arg) {                                      \
    set(object, finalizer, arg, old, old_arg, order);                                                                  \
  }
DEFINE(, VGC_ORDERED)
DEFINE(_ignore_self, VGC_IGNORE_SELF)
DEFINE(_no_order, VGC_UNORDERED)
DEFINE(_unreachable, VGC_UNREACHABLE)

int GC_should_invoke_finalizers(void) { return vgc_finalizers_due() != 0; }
int GC_invoke_finalizers(void) { return (int)vgc_finalize(); }
void GC_finalize_all(void) {
  while (vgc_finalize_all()) {
  }
}

/* Already roots. */
void GC_push_finalizer_structures(void) {}

/* ---- Links ---- */

static int watch(void **link, const void *object, enum vgc_weak kind) {
  if (GET(GC_find_leak)) return GC_UNIMPLEMENTED;
  layer_ensure();
  int result = vgc_weak_watch(link, (void *)(uintptr_t)object, kind);
  if (result >= 0) return result ? GC_DUPLICATE : GC_SUCCESS;
  return errno == ENOMEM ? GC_NO_MEMORY : GC_SUCCESS; /* what is not of the heap is never found inaccessible */
}

static int move(void **from, void **to, enum vgc_weak kind) {
  if (!vgc_weak_move_watch(from, to, kind)) return GC_SUCCESS;
  return errno == EEXIST ? GC_DUPLICATE : errno == ENOMEM ? GC_NO_MEMORY : GC_NOT_FOUND;
}

int GC_general_register_disappearing_link(void **link, const void *object) {
  return watch(link, object, VGC_WEAK_SHORT);
}

int GC_register_disappearing_link(void **link) {
  return GC_general_register_disappearing_link(link, vgc_base_of(link));
}

int GC_register_long_link(void **link, const void *object) { return watch(link, object, VGC_WEAK_LONG); }
int GC_move_disappearing_link(void **from, void **to) { return move(from, to, VGC_WEAK_SHORT); }
int GC_move_long_link(void **from, void **to) { return move(from, to, VGC_WEAK_LONG); }
int GC_unregister_disappearing_link(void **link) { return !vgc_weak_unwatch(link, VGC_WEAK_SHORT); }
int GC_unregister_long_link(void **link) { return !vgc_weak_unwatch(link, VGC_WEAK_LONG); }
