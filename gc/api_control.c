/* The public functions that steer the collector. */
#include <errno.h>

#include "cache.h"
#include "central.h"
#include "clear.h"
#include "collect.h"
#include "config.h"
#include "error.h"
#include "finalize.h"
#include "heap.h"
#include "init.h"
#include "large.h"
#include "pace.h"
#include "pages.h"
#include "thread.h"
#include "vgc.h"

/* Shows all objects, if visit is not NULL. */
static int collect(vgc_visit *visit, void *arg) {
  if (!cache_ensure()) return -1;
  clear_stack();
  if (!(visit ? collect_and_visit(visit, arg) : collect_now(COLLECT_EXPLICIT))) return -1;
  if (!CONFIG(finalize_on_demand)) finalize_run_outermost();
  return 0;
}

int vgc_collect(void) { return collect(NULL, NULL); }

int vgc_collect_and_visit(vgc_visit *visit, void *arg) {
  if (visit) return collect(visit, arg);
  errno = EINVAL;
  return -1;
}

/* Registers the caller, but for a procedure's: one on a helper has nothing that is to be found by a stop. */
static bool enter(void) { return collect_here() || cache_ensure(); }

void vgc_disable(void) {
  enter(); /* disabling needs no memory and does not fail */
  collect_disable();
}

void vgc_enable(void) {
  if (!collect_enable()) error_report(VGC_ERROR_UNBALANCED, NULL, "vgc_enable without vgc_disable; call them in pairs");
}

int vgc_tune(const struct vgc_config *given) {
  if (!enter()) return -1;
  collect_own_lock_acquire();
  int result = config_tune(given);
  if (!result) pace_tune();
  collect_own_lock_release();
  return result;
}

int vgc_reserve(size_t bytes) {
  if (!enter()) return -1;
  collect_own_lock_acquire();
  int result = pace_reserve(bytes);
  collect_own_lock_release();
  if (result) errno = ENOMEM;
  return result;
}

void vgc_lock(void) {
  cache_ensure(); /* registers the caller; the lock needs no memory */
  if (!collect_exclude()) error_report(VGC_ERROR_UNBALANCED, NULL, "vgc_lock inside vgc_lock; call vgc_unlock before");
}

void vgc_unlock(void) {
  if (!collect_admit()) error_report(VGC_ERROR_UNBALANCED, NULL, "vgc_unlock without vgc_lock; call them in pairs");
}

size_t vgc_heap_bytes(void) { return pages_taken_bytes() + pages_free_bytes(); }

void vgc_exact_pointers(int on) {
  if (enter()) config_set_exact_pointers(on != 0);
}

size_t vgc_trim(void) {
  if (!cache_ensure()) return 0;
  large_finish_sweep();
  central_finish_sweep();
  lock_acquire(&heap_lock);
  size_t bytes = pages_trim(true, 0);
  lock_release(&heap_lock);
  return bytes;
}

void vgc_clear_stack(void) { clear_stack(); }
void vgc_clear_registers(void) { platform_clear_registers(); }
