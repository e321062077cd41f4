/* What unload_program.c loads and unloads: this library alone is linked with libgc. */
#include <gc/gc.h>

enum { OBJECTS = 100 };

int unload_library_use(pthread_t *thread, void *(*run)(void *), GC_finalization_proc finalizer);
int unload_library_use(pthread_t *thread, void *(*run)(void *), GC_finalization_proc finalizer) {
  GC_INIT();
  for (unsigned i = 0; i < OBJECTS; i++) GC_REGISTER_FINALIZER(GC_MALLOC(100), finalizer, NULL, NULL, NULL);
  return GC_pthread_create(thread, NULL, run, NULL);
}
