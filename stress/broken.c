#include "broken.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "subject.h"

/* How many calls there are to one that goes wrong. */
enum { RARE = 997, OFTEN = 16, MOSTLY = 2, KEPT = 1 << 20, HEALTHY_COLLECTIONS = 3 };

static _Atomic uint64_t calls;
static bool every(uint64_t n) { return atomic_fetch_add_explicit(&calls, 1, memory_order_relaxed) % n == n - 1; }

static void *early_free(enum subject_kind kind, size_t size, size_t alignment, unsigned way) {
  void *object = subject_real.allocate(kind, size, alignment, way);
  if (object && every(RARE)) subject_real.release(object);
  return object;
}

static void *misclassify(enum subject_kind kind, size_t size, size_t alignment, unsigned way) {
  if ((kind != KIND_SCANNED && kind != KIND_TYPED) || alignment > 8 || !every(OFTEN))
    return subject_real.allocate(kind, size, alignment, way);
  void *object = subject_real.allocate(KIND_NOSCAN, size, alignment, way);
  return object ? memset(object, 0, subject_real.usable(object)) : NULL;
}

static void *keep(enum subject_kind kind, size_t size, size_t alignment, unsigned way) {
  static void *_Atomic kept[KEPT];
  static _Atomic uint64_t count;
  void *object = subject_real.allocate(kind, size, alignment, way);
  if (object && every(MOSTLY)) {
    uint64_t slot = atomic_fetch_add_explicit(&count, 1, memory_order_relaxed);
    atomic_store_explicit(&kept[slot % KEPT], object, memory_order_relaxed);
  }
  return object;
}

static void *wild(enum subject_kind kind, size_t size, size_t alignment, unsigned way) {
  if (every(RARE)) *(volatile char *)(uintptr_t)(size % 8) = 1;
  return subject_real.allocate(kind, size, alignment, way);
}

static void *torn_resize(void *object, size_t size) {
  char *moved = subject_real.resize(object, size);
  if (moved && size > 16 && every(OFTEN)) moved[size / 4] = (char)(moved[size / 4] ^ 1);
  return moved;
}

static bool begin_without_collection(void) {
  if (!subject_real.begin()) return false;
  subject_real.pause(true);
  return true;
}
static void no_collection(void) {}
static void no_pause(bool on) { (void)on; }

static void deaf(void) {
  if (atomic_fetch_add(&calls, 1) < HEALTHY_COLLECTIONS)
    subject_real.collect();
  else
    for (;;) pause();
}

static void miscount(struct subject_stats *stats) {
  subject_real.stats(stats);
  stats->allocated += stats->cycles > HEALTHY_COLLECTIONS;
}

/* The argument exists only as its complement while the collector looks. */
struct hidden {
  void *(*start)(void *);
  uintptr_t complement;
};
static void *start_hidden(void *argument) {
  struct hidden hidden = *(struct hidden *)argument;
  free(argument);
  subject_real.collect();
  return hidden.start((void *)~hidden.complement);
}
static int create_hidden(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument) {
  struct hidden *hidden = malloc(sizeof *hidden);
  if (!hidden) return -1;
  *hidden = (struct hidden){start, ~(uintptr_t)argument};
  return subject_real.create(thread, attributes, start_hidden, hidden);
}

/* ---- Finalizers and links ---- */

typedef void finalizer(void *object, void *arg);
struct call {
  finalizer *finalizer;
  void *arg;
};

static void call_twice(void *object, void *arg) {
  struct call call = *(struct call *)arg;
  free(arg);
  call.finalizer(object, call.arg);
  call.finalizer(object, call.arg);
}
static bool set_twice(void *object, finalizer *function, void *arg) {
  struct call *call = function && every(OFTEN) ? malloc(sizeof *call) : NULL;
  if (!call) return subject_real.set_finalizer(object, function, arg);
  *call = (struct call){function, arg};
  return subject_real.set_finalizer(object, call_twice, call);
}

static bool set_early(void *object, finalizer *function, void *arg) {
  if (function && every(RARE)) function(object, arg);
  return subject_real.set_finalizer(object, function, arg);
}

static bool set_seldom(void *object, finalizer *function, void *arg) {
  return (function && every(OFTEN)) || subject_real.set_finalizer(object, function, arg);
}

static bool add_nothing(void **link, void *object) {
  if (!every(OFTEN)) return subject_real.weak_add(link, object);
  __atomic_store_n(link, object, __ATOMIC_RELAXED);
  return true;
}

static void *get_nothing(void **link) { return every(RARE) ? NULL : subject_real.weak_get(link); }

static const struct defect {
  const char *name, *what;
  struct subject functions; /* those that are not NULL replace the real ones */
} defects[] = {
    {"broken-free", "now and then hands out an object that it has freed", {.allocate = early_free}},
    {"broken-kind", "now and then does not scan a scanned object", {.allocate = misclassify}},
    {"broken-keep", "keeps objects that nobody reaches", {.allocate = keep}},
    {"broken-wild", "writes through a null pointer now and then", {.allocate = wild}},
    {"broken-resize", "damages what it resizes", {.resize = torn_resize}},
    {"broken-idle", "never collects", {.begin = begin_without_collection, .collect = no_collection, .pause = no_pause}},
    {"broken-deaf", "hangs in a collection", {.collect = deaf}},
    {"broken-count", "counts one object too many", {.stats = miscount}},
    {"broken-twice", "calls a finalizer twice", {.set_finalizer = set_twice}},
    {"broken-early", "calls a finalizer while the object is reachable", {.set_finalizer = set_early}},
    {"broken-forget", "forgets a finalizer", {.set_finalizer = set_seldom}},
    {"broken-link", "does not clear a link", {.weak_add = add_nothing}},
    {"broken-clear", "clears a link while the object is reachable", {.weak_get = get_nothing}},
    {"broken-argument", "does not see the argument of a thread that starts", {.create = create_hidden}},
};

bool broken_plant(const char *name) {
  for (size_t i = 0; i < sizeof defects / sizeof *defects; i++) {
    if (strcmp(name, defects[i].name) != 0) continue;
    const struct subject *functions = &defects[i].functions;
    subject.name = defects[i].name;
    if (functions->allocate) subject.allocate = functions->allocate;
    if (functions->resize) subject.resize = functions->resize;
    if (functions->begin) subject.begin = functions->begin;
    if (functions->collect) subject.collect = functions->collect;
    if (functions->pause) subject.pause = functions->pause;
    if (functions->stats) subject.stats = functions->stats;
    if (functions->create) subject.create = functions->create;
    if (functions->set_finalizer) subject.set_finalizer = functions->set_finalizer;
    if (functions->weak_add) subject.weak_add = functions->weak_add;
    if (functions->weak_get) subject.weak_get = functions->weak_get;
    return true;
  }
  return false;
}

void broken_list(FILE *out) {
  for (size_t i = 0; i < sizeof defects / sizeof *defects; i++)
    fprintf(out, "                   %-16s %s\n", defects[i].name, defects[i].what);
}
