/* Debian's libgc (bdwgc), the control: a mature collector on which every program must pass. */
#include "subject.h"

#define GC_THREADS
#define GC_NO_THREAD_REDIRECTS
#include <gc/gc.h>
#include <gc/gc_typed.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "oracle.h"

static _Atomic uint64_t suspensions;
static GC_descr layout;

/* World stopped, allocator lock held. */
static void on_thread(GC_EventType event, void *thread) {
  (void)thread;
  if (event == GC_EVENT_THREAD_SUSPENDED) atomic_fetch_add_explicit(&suspensions, 1, memory_order_relaxed);
}

static bool begin(void) {
#if defined(STRESS_SANITIZED)
  printf("not applicable: Debian's libgc is not instrumented, so it cannot run under a sanitizer\n");
  return false;
#endif
  GC_INIT();
  GC_set_on_thread_event(on_thread);
  GC_word bits[1] = {0};
  for (unsigned word = 0; word < ORACLE_ELEMENT / 8; word++)
    if (ORACLE_POINTER_WORDS >> word & 1) GC_set_bit(bits, word);
  layout = GC_make_descriptor(bits, ORACLE_ELEMENT / 8);
  return true;
}

static void *allocate(enum subject_kind kind, size_t size, size_t alignment, unsigned way) {
  (void)way;
  if (alignment > 8) {
    void *object = GC_memalign(alignment, size);
    return object ? memset(object, 0, size) : NULL;
  }
  switch (kind) {
  case KIND_NOSCAN:
    return GC_malloc_atomic(size);
  case KIND_TYPED:
    return GC_calloc_explicitly_typed(size / ORACLE_ELEMENT, ORACLE_ELEMENT, layout);
  case KIND_UNCOLLECTABLE:
    return GC_malloc_uncollectable(size);
  default:
    return GC_malloc(size);
  }
}

static void *resize(void *object, size_t size) { return GC_realloc(object, size); }
static void release(void *object) { GC_free(object); }
static size_t usable(const void *object) { return GC_size(object); }
static void *base(const void *interior) { return GC_base((void *)(uintptr_t)interior); }
static void collect(void) { GC_gcollect(); }
static void pause_collection(bool on) {
  if (on)
    GC_disable();
  else
    GC_enable();
}
static void trim(void) {}

struct call {
  void (*body)(void *);
  void *arg;
};
static void *call(void *arg) {
  const struct call *it = arg;
  it->body(it->arg);
  return NULL;
}
static void blocking(void (*body)(void *), void *arg) { GC_do_blocking(call, &(struct call){body, arg}); }

static bool add_root(const void *start, size_t size) {
  char *low = (char *)(uintptr_t)start;
  GC_add_roots(low, low + size);
  return true;
}
static void remove_root(const void *start, size_t size) {
  char *low = (char *)(uintptr_t)start;
  GC_remove_roots(low, low + size);
}
static void stats(struct subject_stats *out) {
  *out = (struct subject_stats){.cycles = GC_get_gc_no(),
                                .suspensions = atomic_load_explicit(&suspensions, memory_order_relaxed),
                                .heap_bytes = GC_get_heap_size(),
                                .peak_heap_bytes = GC_get_heap_size()};
}

static bool set_finalizer(void *object, void (*finalizer)(void *, void *), void *arg) {
  GC_register_finalizer_no_order(object, finalizer, arg, NULL, NULL);
  return true;
}
static void finalize(void) { GC_invoke_finalizers(); }
static bool weak_add(void **link, void *object) {
  *link = object;
  return GC_general_register_disappearing_link(link, object) == GC_SUCCESS;
}
static void *read_link(void *link) { return *(void **)link; }
static void *weak_get(void **link) { return GC_call_with_alloc_lock(read_link, link); }
static void weak_remove(void **link) { GC_unregister_disappearing_link(link); }

const struct subject subject_real = {
    .name = "libgc",
    .can = CAN_COLLECT | CAN_INTERIOR | CAN_COUNT_THREADS | CAN_FINALIZE,
    .begin = begin,
    .allocate = allocate,
    .resize = resize,
    .release = release,
    .usable = usable,
    .base = base,
    .collect = collect,
    .pause = pause_collection,
    .trim = trim,
    .blocking = blocking,
    .add_root = add_root,
    .remove_root = remove_root,
    .stats = stats,
    .create = GC_pthread_create,
    .join = GC_pthread_join,
    .detach = GC_pthread_detach,
    .leave = GC_pthread_exit,
    .set_finalizer = set_finalizer,
    .finalize = finalize,
    .weak_add = weak_add,
    .weak_get = weak_get,
    .weak_remove = weak_remove,
};
