/* Libraries that come and go during collections. Each worker loads and unloads copies of its own, and keeps trees of
 * objects that only a word of a library's static data, or of its thread-local storage, leads to. Visitors, threads that
 * end soon, keep one in that storage as well. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "harness.h"
#include "oracle.h"

enum { MOST_WORKERS = 260, LIBRARIES = 3, COLLECTOR = 1, LITTER = 16, PAUSE = 30 };
enum place { CONTENTS, ZEROES, OWN, PLACES };

static const char *const places[PLACES] = {"initialised data", "zeroed data", "thread-local data"};
static const char *const files[] = {STRESS_LIBRARIES};

/* A word of a library that alone leads to a tree: `at` of that is NULL. */
struct hold {
  void **word;
  enum place place;
  struct reference tree;
};

struct library {
  char path[32];
  void *handle; /* NULL: not loaded */
  void **(*word)(unsigned place, unsigned i);
  unsigned words;
  struct hold holds[PLACES];
};
static struct library libraries[MOST_WORKERS][LIBRARIES]; /* of the worker with that number */

static _Atomic uint64_t loaded, unloaded, visits, met; /* met: a collection ended during the loader's call */

/* ---- Trees ---- */

static struct reference small_tree(struct worker *worker) {
  struct random *random = &worker->random;
  struct reference top = oracle_new(worker, KIND_SCANNED, 64 + random_below(random, 200), 2, 8);
  for (unsigned link = 0; link < 2; link++) {
    enum subject_kind kind = random_one_in(random, 2) ? KIND_NOSCAN : KIND_SCANNED;
    oracle_relink(worker, &top, link, oracle_new(worker, kind, 1 + random_below(random, 300), 0, 8));
  }
  return top;
}

/* Reuses what was reclaimed by mistake. */
static void litter(struct worker *worker) {
  for (unsigned i = 0; i < LITTER; i++) {
    struct reference tree = small_tree(worker);
    oracle_drop(worker, &tree);
  }
}

static void **any_word(struct worker *worker, const struct library *library, enum place place) {
  unsigned last = library->words - 1;
  return library->word(place, random_one_in(&worker->random, 2) ? last : (unsigned)random_below(&worker->random, last));
}

static __attribute__((noinline)) void put(struct worker *worker, struct hold *hold, const struct library *library,
                                          enum place place) {
  hold->place = place;
  hold->word = any_word(worker, library, place);
  harness_check(!*hold->word, "thread %u: %s of %s is in use", worker->index, places[place], library->path);
  struct reference tree = small_tree(worker);
  *hold->word = tree.at;
  tree.at = NULL;
  hold->tree = tree;
}

static __attribute__((noinline)) struct reference check(const struct worker *worker, const struct hold *hold,
                                                        uint64_t *objects, uint64_t *bytes) {
  struct reference tree = hold->tree;
  tree.at = *hold->word;
  harness_check(tree.at && subject.usable(tree.at) >= tree.size,
                "thread %u: an object that only %s of a library led to is gone", worker->index, places[hold->place]);
  oracle_check_tree(worker, &tree, objects, bytes);
  return tree;
}

static __attribute__((noinline)) void take(struct worker *worker, const struct hold *hold) {
  uint64_t objects = 0, bytes = 0;
  struct reference tree = check(worker, hold, &objects, &bytes);
  *hold->word = NULL;
  oracle_drop(worker, &tree);
}

/* ---- Libraries ---- */

/* ThreadSanitizer does not know that the loader passes memory on from who unloads to who loads. */
static void in_order(void) {
  static _Atomic unsigned turns;
  atomic_fetch_add_explicit(&turns, 1, memory_order_acq_rel); /* acquire, release: each with those before it */
}

static uint64_t collections(void) {
  struct subject_stats stats;
  subject.stats(&stats);
  return stats.cycles;
}

static void count(_Atomic uint64_t *calls, uint64_t collections_before) {
  atomic_fetch_add_explicit(calls, 1, memory_order_relaxed);
  if (collections() != collections_before) atomic_fetch_add_explicit(&met, 1, memory_order_relaxed);
}

static void *must_find(const struct library *library, const char *name) {
  void *symbol = dlsym(library->handle, name);
  harness_check(symbol, "%s has no %s: %s", library->path, name, dlerror());
  return symbol;
}

static void load(struct worker *worker, struct library *library) {
  uint64_t before = collections();
  library->handle = dlopen(library->path, RTLD_NOW | RTLD_LOCAL);
  harness_check(library->handle, "thread %u: dlopen: %s", worker->index, dlerror());
  count(&loaded, before);
  in_order();
  library->words = *(const unsigned *)must_find(library, "library_words");
  void *function = must_find(library, "library_word");
  memcpy(&library->word, &function, sizeof function);
  for (unsigned i = 0; i < PLACES; i++) put(worker, &library->holds[i], library, (enum place)i);
}

/* What the library held may go with it. */
static void unload(struct worker *worker, struct library *library) {
  bool take_out = !(subject.can & CAN_COLLECT) || random_one_in(&worker->random, 2);
  for (unsigned i = 0; i < PLACES && take_out; i++) take(worker, &library->holds[i]);
  in_order();
  uint64_t before = collections();
  harness_check(dlclose(library->handle) == 0, "thread %u: dlclose: %s", worker->index, dlerror());
  count(&unloaded, before);
  library->handle = NULL;
  harness_check(!dlopen(library->path, RTLD_NOW | RTLD_NOLOAD), "thread %u: %s stays loaded after dlclose",
                worker->index, library->path);
}

/* ---- Visitors ---- */

static void *visit(void *argument) {
  const struct library *library = argument;
  struct worker worker;
  harness_worker_begin(&worker);
  struct hold hold;
  uint64_t objects = 0, bytes = 0;
  put(&worker, &hold, library, OWN);
  for (unsigned i = 0; i < 8; i++) {
    litter(&worker);
    check(&worker, &hold, &objects, &bytes);
  }
  if (!(subject.can & CAN_COLLECT) || random_one_in(&worker.random, 2)) take(&worker, &hold);
  harness_worker_end(&worker);
  return NULL;
}

static void be_visited(struct worker *worker, struct library *library) {
  pthread_t thread;
  int error = subject.create(&thread, NULL, visit, library);
  harness_check(!error, "thread %u: no thread could be created: %s", worker->index, strerror(error));
  subject.join(thread, NULL);
  atomic_fetch_add_explicit(&visits, 1, memory_order_relaxed);
}

/* ---- Frame ---- */

/* A copy of a file in memory: the loader takes it for a library of its own. */
static void make(struct library *library, const char *file) {
  int from = open(file, O_RDONLY | O_CLOEXEC), to = memfd_create("library", MFD_CLOEXEC);
  off_t size = from < 0 ? -1 : lseek(from, 0, SEEK_END), at = 0;
  while (to >= 0 && at < size && sendfile(to, from, &at, (size_t)(size - at)) > 0) continue;
  harness_check(at == size, "'%s' cannot be copied: %s", file, strerror(errno));
  close(from);
  snprintf(library->path, sizeof library->path, "/proc/self/fd/%d", to);
}

/* Its state lies in thread-local storage of a shared library: with each library that comes or goes, who asks for it
 * next takes the loader's lock, be it in a stopped world or in the handler. */
static void leave_out(void) {
#if defined(__SANITIZE_ADDRESS__) && !defined(__clang__)
  printf("not applicable: the runtime of gcc's AddressSanitizer takes the loader's lock in a stopped world\n");
  exit(HARNESS_NOT_APPLICABLE);
#endif
}

static void begin(struct worker *worker) {
  (void)worker;
  leave_out();
  harness_check(options.threads < MOST_WORKERS, "at most %d threads", MOST_WORKERS - 1);
  for (unsigned i = 0; i < (options.threads + 1) * LIBRARIES; i++)
    make(&libraries[i / LIBRARIES][i % LIBRARIES], files[i % (sizeof files / sizeof *files)]);
}

static void step(struct worker *worker) {
  uint64_t dice = random_below(&worker->random, 100), objects = 0, bytes = 0;
  struct library *library = &libraries[worker->index][random_below(&worker->random, LIBRARIES)];
  struct hold *hold = &library->holds[random_below(&worker->random, PLACES)];
  if (dice < 30 && !library->handle) {
    load(worker, library);
  } else if (!library->handle || dice < 40) {
    litter(worker);
  } else if (dice < 60) {
    unload(worker, library);
  } else if (dice < 65) {
    be_visited(worker, library);
  } else if (dice < 80) {
    take(worker, hold);
    put(worker, hold, library, hold->place);
  } else {
    check(worker, hold, &objects, &bytes);
  }
}

/* All the time, but for what others need to get anywhere. */
static void collect(struct worker *worker) {
  harness_collect();
  for (unsigned i = 0; i < PAUSE; i++) litter(worker);
}

static void work(struct worker *worker) {
  struct library *own = libraries[worker->index];
  while (harness_goes_on(worker))
    if (worker->index == COLLECTOR)
      collect(worker);
    else
      step(worker);
  uint64_t objects = 0, bytes = 0;
  for (unsigned i = 0; i < LIBRARIES; i++)
    for (unsigned k = 0; k < PLACES && own[i].handle; k++) check(worker, &own[i].holds[k], &objects, &bytes);
  harness_census(worker, objects, bytes);
  for (unsigned i = 0; i < LIBRARIES; i++)
    if (own[i].handle) unload(worker, &own[i]);
}

static void end(struct worker *worker) {
  (void)worker;
  uint64_t loads = atomic_load(&loaded), unloads = atomic_load(&unloaded), meetings = atomic_load(&met);
  printf("stress_modules: %llu libraries loaded, %llu unloaded, %llu of these calls met a collection, %llu visitors\n",
         (unsigned long long)loads, (unsigned long long)unloads, (unsigned long long)meetings,
         (unsigned long long)atomic_load(&visits));
  harness_check(loads == unloads && unloads >= options.cycles && atomic_load(&visits),
                "vacuous run: %llu libraries loaded, %llu unloaded, at least %llu are needed, and a visitor",
                (unsigned long long)loads, (unsigned long long)unloads, (unsigned long long)options.cycles);
  harness_check(meetings || !(subject.can & CAN_COLLECT), "vacuous run: no collection met the loader");
}

struct program program = {
    .name = "modules",
    .summary = "libraries that are loaded and unloaded during collections",
    .threads = 4,
    .least_threads = 2,
    .needs = CAN_SCAN_THREAD_STORAGE,
    .retained = 64,
    .asks_often = true,
    .begin = begin,
    .work = work,
    .end = end,
};
