/* Double-checked initialisation: the pointer is seen before what it points to.
 * Source: D. Bacon et al., The "double-checked locking is broken" declaration, 2000; S. Meyers and A. Alexandrescu, C++
 * and the perils of double-checked locking, 2004. */
#include "gallery.h"

struct table {
  int size;
};

static bool fixed;
static struct table *_Atomic instance;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static struct table *get(void) {
  struct table *table = fixed ? atomic_load_explicit(&instance, memory_order_acquire)
                              : atomic_load_explicit(&instance, memory_order_relaxed);
  if (table != NULL) return table;
  pthread_mutex_lock(&lock);
  table = atomic_load_explicit(&instance, memory_order_relaxed);
  if (table == NULL) {
    table = malloc(sizeof *table);
    if (table == NULL) abort();
    table->size = 42;
    if (fixed)
      atomic_store_explicit(&instance, table, memory_order_release);
    else
      atomic_store_explicit(&instance, table, memory_order_relaxed);
  }
  pthread_mutex_unlock(&lock);
  return table;
}

static void use(void) { interleave_assert(get()->size == 42); }

static void run(bool with_fix) {
  fixed = with_fix;
  instance = NULL;
  RUN(use, use);
  free(instance);
}
GALLERY(double_checked, "double-checked initialisation by relaxed accesses", INTERLEAVE_RACE, run);
