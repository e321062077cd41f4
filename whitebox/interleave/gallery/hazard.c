/* A hazard pointer whose announcement is not ordered before the second look at the source: the reclaimer may not see
 * it. Source: M. M. Michael, Hazard pointers: safe memory reclamation for lock-free objects, 2004, section 3.2. */
#include "gallery.h"

struct object {
  int value;
};

static bool fixed;
static struct object *_Atomic current, *_Atomic hazard;
static struct object *kept; /* could not be freed yet */

static struct object *make(int value) {
  struct object *object = malloc(sizeof *object);
  if (object == NULL) abort();
  object->value = value;
  return object;
}

static void reader(void) {
  struct object *object = atomic_load_explicit(&current, memory_order_acquire);
  for (;;) {
    atomic_store_explicit(&hazard, object, memory_order_release);
    if (fixed) atomic_thread_fence(memory_order_seq_cst);
    struct object *again = atomic_load_explicit(&current, memory_order_acquire);
    if (again == object) break;
    object = again;
  }
  interleave_assert(object->value != 0);
  atomic_store_explicit(&hazard, NULL, memory_order_release);
}

static void replacer(void) {
  struct object *old = atomic_exchange_explicit(&current, make(2), memory_order_acq_rel);
  if (fixed) atomic_thread_fence(memory_order_seq_cst);
  if (atomic_load_explicit(&hazard, memory_order_acquire) == old)
    kept = old;
  else
    free(old);
}

static void run(bool with_fix) {
  fixed = with_fix;
  current = make(1);
  hazard = NULL;
  kept = NULL;
  RUN(reader, replacer);
  free(kept);
  free(current);
}
GALLERY(hazard, "a hazard pointer without its fence", INTERLEAVE_MEMORY, run);
