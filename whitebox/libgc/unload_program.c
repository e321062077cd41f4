/* A library that brought libgc.so.1 is unloaded while a thread that libgc started goes on (M14): libgc stays, for that
 * thread, for finalizers, and for whoever has the address of a function of it. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>

#include "meeting.h"
#include "test.h"

enum { MOST = 75 };

typedef void finalizer(void *object, void *arg);

static struct meeting used, unloaded;
static void *(*allocate)(size_t);
static void (*collect)(void);
static int (*invoke_finalizers)(void);
static int (*use)(pthread_t *, void *(*)(void *), finalizer *);
static _Atomic unsigned finalized;

static void count(void *object, void *arg) {
  (void)object, (void)arg;
  atomic_fetch_add(&finalized, 1);
}

static void *run(void *arg) {
  must(allocate(64));
  meeting_wait(&used);
  meeting_wait(&unloaded);
  for (unsigned i = 0; i < 10000; i++) must(allocate(64));
  return arg;
}

static void find(void *library, const char *name, void *function) {
  void *symbol = dlsym(library, name);
  must(symbol);
  memcpy(function, &symbol, sizeof symbol);
}

int main(void) {
  pthread_t thread;
  meeting_init(&used, 2);
  meeting_init(&unloaded, 2);
  must(!dlopen("libgc.so.1", RTLD_NOW | RTLD_NOLOAD));
  void *library = dlopen(TEST_LIBRARY, RTLD_NOW | RTLD_LOCAL);
  if (!library) fprintf(stderr, "%s\n", dlerror());
  must(library);
  find(library, "unload_library_use", &use);
  find(library, "GC_malloc", &allocate);
  find(library, "GC_gcollect", &collect);
  find(library, "GC_invoke_finalizers", &invoke_finalizers);
  must(use(&thread, run, count) == 0);
  meeting_wait(&used);
  must(dlclose(library) == 0);
  must(!dlopen(TEST_LIBRARY, RTLD_NOW | RTLD_NOLOAD));
  must(dlopen("libgc.so.1", RTLD_NOW | RTLD_NOLOAD));
  meeting_wait(&unloaded);
  must(pthread_join(thread, NULL) == 0);
  collect();
  invoke_finalizers();
  must(atomic_load(&finalized) >= MOST);
  puts("ok");
  return 0;
}
