/* Linked with -static and libgc.a alone: threads, finalizers, and data that only static words hold. */
#include <gc/gc.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

static void **lists[4];
static unsigned finalized;

static void count(void *object, void *arg) { (void)object, (void)arg, finalized++; }

static void *build(void *arg) {
  void ***list = arg;
  for (unsigned i = 0; i < 30000; i++) {
    void **cell = GC_MALLOC(32);
    cell[0] = *list;
    cell[1] = (void *)(size_t)i;
    *list = cell;
    GC_REGISTER_FINALIZER(GC_MALLOC(100), count, NULL, NULL, NULL);
  }
  return arg;
}

int main(void) {
  GC_INIT();
  pthread_t threads[4];
  for (int i = 0; i < 4; i++)
    if (pthread_create(&threads[i], NULL, build, &lists[i])) return 1;
  for (int i = 0; i < 4; i++)
    if (pthread_join(threads[i], NULL)) return 2;
  GC_gcollect();
  GC_invoke_finalizers();
  for (int i = 0; i < 4; i++) {
    size_t expected = 30000;
    for (void **cell = lists[i]; cell; cell = cell[0])
      if ((size_t)cell[1] != --expected) return 3;
    if (expected) return 4;
  }
  if (finalized < 90000) return 5;
  puts("ok");
  return 0;
}
