/* A reference count that goes down by relaxed steps: who frees the object has not waited for those who used it.
 * (ThreadSanitizer does not know fences, and accuses the correct version too.)
 * Source: the documentation of Boost.Atomic, "Reference counting"; H. Sutter, atomic<> weapons, 2012. */
#include "gallery.h"

struct object {
  _Atomic int references;
  int uses[2];
};

static bool fixed;
static struct object *object;

static void release(void) {
  if (fixed) {
    if (atomic_fetch_sub_explicit(&object->references, 1, memory_order_release) != 1) return;
    atomic_thread_fence(memory_order_acquire);
  } else if (atomic_fetch_sub_explicit(&object->references, 1, memory_order_relaxed) != 1) {
    return;
  }
  interleave_assert(object->uses[0] + object->uses[1] == 2);
  object->uses[0] = object->uses[1] = -1;
  free(object);
}

static void first(void) {
  object->uses[0]++;
  release();
}
static void second(void) {
  object->uses[1]++;
  release();
}

static void run(bool with_fix) {
  fixed = with_fix;
  object = malloc(sizeof *object);
  if (object == NULL) abort();
  object->references = 2;
  object->uses[0] = object->uses[1] = 0;
  RUN(first, second);
}
GALLERY(refcount, "a reference count decremented by relaxed steps", INTERLEAVE_RACE, run);
