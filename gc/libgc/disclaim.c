/* Objects that are finalized as they are reclaimed. */
#include "kinds.h"

#include <pthread.h>

/* Before the object: a word, as the header says, which programs count in where they register displacements. */
#define CLOSURE_BYTES sizeof(GC_word)

static int finalized_kind;

static int finalize(void *memory) {
  const struct GC_finalizer_closure *closure = *(const struct GC_finalizer_closure **)memory;
  if (closure) closure->proc((char *)memory + CLOSURE_BYTES, closure->cd);
  return 0;
}

static void add_kind(void) {
  unsigned kind = GC_new_kind(GC_new_free_list(), GC_DS_LENGTH, 1, 1);
  GC_register_disclaim_proc((int)kind, finalize, 1);
  vgc_displacement_add(CLOSURE_BYTES);
  SET(finalized_kind, (int)kind);
}

void GC_init_finalized_malloc(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  layer_ensure();
  pthread_once(&once, add_kind);
}

void *GC_finalized_malloc(size_t size, const struct GC_finalizer_closure *closure) {
  if (!GET(finalized_kind)) layer_fatal("GC_finalized_malloc before GC_init_finalized_malloc");
  size_t bytes;
  if (__builtin_add_overflow(size, CLOSURE_BYTES, &bytes)) bytes = SIZE_MAX;
  char *memory = GC_generic_malloc(bytes, GET(finalized_kind));
  if (!memory) return NULL;
  __atomic_store_n((const struct GC_finalizer_closure **)(void *)memory, closure, __ATOMIC_RELAXED);
  return memory + CLOSURE_BYTES;
}
