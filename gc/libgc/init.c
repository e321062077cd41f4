/* Start and end, and what happens around a collection. */
#include <pthread.h>
#include <stdlib.h>

#include "layer.h"

bool layer_ready;

/* Exact for mark procedures. While the heap may grow, which nobody tells, all is plausible. A
 * byte below the heap's first object, which its address would keep: the variable is a root. */
#define ANYWHERE (void *)UINTPTR_MAX
void *GC_least_plausible_heap_addr, *GC_greatest_plausible_heap_addr = ANYWHERE;

static void learn_bounds(void) {
  void *low, *high;
  vgc_heap_bounds(&low, &high);
  SET(GC_least_plausible_heap_addr, low ? (char *)low - 1 : NULL);
  SET(GC_greatest_plausible_heap_addr, high);
}

static void forget_bounds(void) {
  SET(GC_least_plausible_heap_addr, NULL);
  SET(GC_greatest_plausible_heap_addr, ANYWHERE);
}

/* ---- The program's procedures ---- */

static GC_start_callback_proc start_callback;
static GC_on_collection_event_proc on_collection_event;
static GC_on_thread_event_proc on_thread_event;
static GC_await_finalize_proc await_finalize;
GC_on_heap_resize_proc GC_on_heap_resize;

#define PROCEDURE(type, name, variable)                                                                                \
  void GC_set_##name(type procedure) { SET(variable, procedure); }                                                     \
  type GC_get_##name(void) { return GET(variable); }
PROCEDURE(GC_start_callback_proc, start_callback, start_callback)
PROCEDURE(GC_on_collection_event_proc, on_collection_event, on_collection_event)
PROCEDURE(GC_on_thread_event_proc, on_thread_event, on_thread_event)
PROCEDURE(GC_await_finalize_proc, await_finalize_proc, await_finalize)
PROCEDURE(GC_on_heap_resize_proc, on_heap_resize, GC_on_heap_resize)

static void event(GC_EventType type) {
  GC_on_collection_event_proc procedure = GET(on_collection_event);
  if (procedure) procedure(type);
}

/* ---- Around a collection ---- */

/* For procedures that allocate during a collection, which libgc may serve from a free list: memory that is never
 * collected, nor given twice. */
#define RESERVED       16u
#define RESERVED_BYTES 512u
static void *reserve[RESERVED]; /* relaxed: what is in it nobody else has */

static void fill_reserve(void) {
  static _Thread_local bool filling; /* which may come here again */
  if (filling) return;
  filling = true;
  for (unsigned i = 0; i < RESERVED; i++)
    if (!GET(reserve[i])) SET(reserve[i], vgc_malloc_uncollectable(RESERVED_BYTES));
  filling = false;
}

static void *take_reserve(size_t bytes) {
  for (unsigned i = 0; i < RESERVED && bytes <= RESERVED_BYTES; i++) {
    void *ptr = __atomic_exchange_n(&reserve[i], NULL, __ATOMIC_RELAXED);
    if (ptr) return ptr;
  }
  return NULL;
}

static int may_collect(void *arg) {
  (void)arg;
  if (GET(GC_dont_gc) || !layer_may_begin()) return 0;
  if (layer_looks() && !layer_finding) {
    layer_collect();
    return 0;
  }
  layer_tune();
  fill_reserve();
  return 1;
}

static void cycle_start(void *arg) {
  (void)arg;
  SET(GC_gc_no, GET(GC_gc_no) + 1);
  layer_toggle();
  event(GC_EVENT_START);
  GC_start_callback_proc procedure = GET(start_callback);
  if (procedure) procedure();
}

/* With the allocation lock, as of a collection. */
static size_t heap_bytes;

void layer_tell_of_resize(void) {
  GC_on_heap_resize_proc procedure = GET(GC_on_heap_resize);
  size_t bytes = GC_get_heap_size();
  if (procedure && bytes != heap_bytes) procedure(bytes);
  heap_bytes = bytes;
}

static void phase(void *arg, enum vgc_phase phase) {
  (void)arg;
  switch (phase) {
  case VGC_PHASE_STOPPING:
    layer_collection_begins();
    event(GC_EVENT_PRE_STOP_WORLD);
    break;
  case VGC_PHASE_STOPPED:
    learn_bounds();
    event(GC_EVENT_POST_STOP_WORLD);
    event(GC_EVENT_MARK_START);
    break;
  case VGC_PHASE_MARKED:
    event(GC_EVENT_MARK_END);
    event(GC_EVENT_RECLAIM_START);
    break;
  case VGC_PHASE_RECLAIMED: /* a stop that finds the loaded objects changed collects nothing */
    layer_collection_ends();
    layer_begin_count();
    layer_learn_of_finalizers();
    layer_tell_of_resize();
    event(GC_EVENT_RECLAIM_END);
    break;
  case VGC_PHASE_RESUMING:
    forget_bounds();
    event(GC_EVENT_PRE_START_WORLD);
    break;
  case VGC_PHASE_RESUMED:
    event(GC_EVENT_POST_START_WORLD);
    break;
  case VGC_PHASE_ENDED:
    event(GC_EVENT_END);
    break;
  }
}

static void finalizer_due(void *arg, void *object) {
  (void)arg;
  layer_finalizer_is_due();
  GC_await_finalize_proc procedure = GET(await_finalize);
  if (procedure) procedure(object);
}

/* Not from within a finalizer; one that was left by longjmp lay deeper on the stack. */
static void invoke_outermost(void) {
  static _Thread_local uintptr_t invoking;
  uintptr_t here = (uintptr_t)__builtin_frame_address(0), outer = invoking;
  if (here < outer) return;
  invoking = here;
  GC_invoke_finalizers();
  invoking = outer;
}

void layer_finalizers_due(void) {
  static GC_word told; /* GC_gc_no: once for a collection */
  if (!vgc_finalizers_due()) return;
  GC_word number = GET(GC_gc_no);
  GC_finalizer_notifier_proc notifier = GET(GC_finalizer_notifier);
  if (!GET(GC_finalize_on_demand))
    invoke_outermost();
  else if (notifier && __atomic_exchange_n(&told, number, __ATOMIC_RELAXED) != number)
    notifier();
}

/* Within layer_visit finalizers wait for its end. */
static void finalizers_due(void *arg) {
  (void)arg;
  if (!layer_finding) layer_finalizers_due();
}

static void cycle_end(void *arg, const struct vgc_stats *stats) {
  (void)arg;
  layer_report_cycle(stats);
}

static void thread_event(void *arg, pthread_t thread, int suspended) {
  (void)arg;
  GC_on_thread_event_proc procedure = GET(on_thread_event);
  if (procedure) procedure(suspended ? GC_EVENT_THREAD_SUSPENDED : GC_EVENT_THREAD_UNSUSPENDED, (void *)thread);
}

static _Thread_local bool fills;

bool layer_will_fill(bool on) {
  bool before = fills;
  fills = on;
  return before;
}

/* The program is told what it asked for (layer_size), or all that vgc is going to write to. */
static void *out_of_memory(void *arg, size_t bytes) {
  (void)arg;
  void *ptr = vgc_in_collection() ? take_reserve(bytes) : NULL;
  if (ptr) return ptr;
  if (!vgc_in_collection())
    layer_warn("GC Warning: Out of Memory! Heap size: %lu MiB. Returning NULL!\n", GC_get_heap_size() >> 20);
  bool adds = !layer_will_fill(false) && bytes > 16 && bytes <= SIZE_MAX / 2 + 16; /* GC_oom_fn may leave by longjmp */
  size_t added = adds ? (size_t)GET(GC_all_interior_pointers) : 0;
  return GET(GC_oom_fn)(bytes - added);
}

static void error(void *arg, enum vgc_error error, const void *ptr, const char *message) {
  (void)arg, (void)error;
  layer_log("vgc: %p: %s\n", ptr, message);
  layer_fatal(message);
}

/* ---- Collections that the program asks for ---- */

static int never(void) { return 0; }
static GC_stop_func stop_func = never;
static _Thread_local GC_stop_func asked_with; /* NULL: the default one */
/* There is, or was, a function other than never: until then marking does not ask. */
static bool may_stop;

static int give_up(void *arg) {
  (void)arg;
  GC_stop_func function = asked_with ? asked_with : GET(stop_func);
  return function();
}

static void set_hooks(void);

static void learn_of(GC_stop_func function) {
  if (function == never || GET(may_stop)) return;
  SET(may_stop, true);
  if (GC_is_init_called()) set_hooks();
}

void GC_set_stop_func(GC_stop_func function) {
  SET(stop_func, function);
  learn_of(function);
}
GC_stop_func GC_get_stop_func(void) { return GET(stop_func); }

static bool collect_with(GC_stop_func function) {
  GC_stop_func before = asked_with;
  layer_ensure();
  asked_with = function;
  bool done = layer_collect();
  asked_with = before;
  return done;
}

void GC_gcollect(void) {
  if (collect_with(NULL) && GC_get_force_unmap_on_gcollect()) vgc_trim();
}

void GC_gcollect_and_unmap(void) {
  collect_with(never);
  vgc_trim();
}

int GC_try_to_collect(GC_stop_func stop) {
  learn_of(stop);
  return collect_with(stop);
}

/* ---- Not now ---- */

/* GC_dont_gc, which programs write, too, is looked at before each collection; vgc refuses those of threads that have
 * looked already. */
static void change_disabled(int by) {
  static bool known; /* to vgc; allocation lock */
  bool taken = layer_exclude();
  bool disabled = __atomic_add_fetch(&GC_dont_gc, by, __ATOMIC_RELAXED) != 0;
  if (disabled && !known) vgc_disable();
  if (!disabled && known) vgc_enable();
  known = disabled;
  layer_admit(taken);
}

void GC_disable(void) {
  layer_ensure();
  change_disabled(1);
}

void GC_enable(void) {
  layer_ensure();
  change_disabled(-1);
}

int GC_is_disabled(void) { return GET(GC_dont_gc) != 0; }

/* ---- Mutexes ---- */

static pthread_mutex_t mutexes[MUTEXES] = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER};

void layer_lock(enum layer_mutex mutex) { pthread_mutex_lock(&mutexes[mutex]); }
void layer_unlock(enum layer_mutex mutex) { pthread_mutex_unlock(&mutexes[mutex]); }

static void lock_all(void) {
  for (unsigned i = 0; i < MUTEXES; i++) pthread_mutex_lock(&mutexes[i]);
}
static void unlock_all(void) {
  for (unsigned i = 0; i < MUTEXES; i++) pthread_mutex_unlock(&mutexes[i]);
}

/* ---- Start and end ---- */

/* Figures of each cycle cost a walk over the heap: only if they are printed. */
static void set_hooks(void) {
  struct vgc_hooks hooks = {.struct_size = sizeof hooks,
                            .cycle_start = cycle_start,
                            .cycle_end = layer_report_wanted() ? cycle_end : NULL,
                            .out_of_memory = out_of_memory,
                            .error = error,
                            .finalizers_due = finalizers_due,
                            .may_collect = may_collect,
                            .phase = phase,
                            .finalizer_due = finalizer_due,
                            .thread = thread_event,
                            .give_up = GET(may_stop) ? give_up : NULL};
  vgc_set_hooks(&hooks, NULL);
}

static pthread_once_t once = PTHREAD_ONCE_INIT;
static _Thread_local bool starting;
static bool begun; /* vgc may be asked for things */

static void start(void) {
  starting = true;
  struct vgc_config config;
  vgc_config_default(&config);
  layer_read_environment(&config);
  int error = vgc_init(&config) ? errno : 0;
  if (error == EALREADY) layer_catch_up(&config);
  if (error && error != EALREADY) layer_fatal("GC_init: vgc cannot be initialised");
  SET(begun, true);
  set_hooks();
  pthread_atfork(lock_all, unlock_all, unlock_all); /* after vgc's, so that these are taken before its locks */
  layer_threads_start();
  layer_roots_start();
  layer_heed_environment();
  layer_leaks_start();
  __atomic_store_n(&layer_ready, true, __ATOMIC_RELEASE); /* acquire: layer_ensure */
  starting = false;
}

void GC_init(void) {
  if (!starting) pthread_once(&once, start);
}

int GC_is_init_called(void) { return GET(begun); }

void GC_deinit(void) {}
