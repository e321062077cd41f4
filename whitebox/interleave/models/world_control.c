/* What steers cycles: roots that come and go, the count of vgc_disable, two collectors, first use. */
#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "stopping.h"

#define MARK UINT64_C(0x5ca1ab1e5ca1ab1e)

static __attribute__((noinline)) uint64_t *marked(void) {
  uint64_t *object = vgc_malloc(32);
  interleave_assert(object);
  object[0] = object[3] = MARK;
  return object;
}

static void collect(void) {
  interleave_assert(vgc_collect() == 0);
  central_finish_sweep();
}

/* ---- Roots ---- */

/* Pages of the system's are scanned only while they are added. */
static uintptr_t *outside;

static void roots_start(void) {
  stopping_start();
  outside = platform_reserve(4096, 4096);
  interleave_assert(outside);
}

static __attribute__((noinline)) void hang_marked(void) { outside[0] = (uintptr_t)marked(); }

static void expect_hung(void) {
  const uint64_t *object = (const uint64_t *)outside[0];
  interleave_assert(vgc_base_of(object) == object);
  interleave_assert(object[0] == MARK && object[3] == MARK);
}

static void adds_and_removes(void) {
  interleave_assert(vgc_root_add(outside, 4096) == 0);
  hang_marked();
  interleave_point();
  expect_hung();
  outside[0] = 0;
  interleave_assert(vgc_root_remove(outside, 4096) == 0);
}

static void roots(void) {
  static void (*const parts[])(void) = {collect, adds_and_removes};
  together(2, parts);
}
INTERLEAVE_MODEL(roots, .setup = roots_start, .run = roots, .prompt_signals = true,
                 .title = "what an added root holds lives from the addition to the removal");

static int added[2];

static void adds_one(void) { interleave_assert(vgc_root_add(&added[0], sizeof added[0]) == 0); }
static void adds_another(void) {
  interleave_assert(vgc_root_add(&added[1], sizeof added[1]) == 0);
  interleave_assert(vgc_root_remove(&added[1], sizeof added[1]) == 0);
}

static void roots_together(void) {
  static void (*const parts[])(void) = {adds_one, adds_another};
  together(2, parts);
  interleave_assert(vgc_root_add(&added[0], sizeof added[0]) == -1 && errno == EEXIST);
  interleave_assert(vgc_root_remove(&added[0], sizeof added[0]) == 0);
  interleave_assert(vgc_root_remove(&added[1], sizeof added[1]) == -1 && errno == ENOENT);
}
INTERLEAVE_MODEL(roots_together, .setup = stopping_start, .run = roots_together, .preemptions = 3,
                 .title = "two threads add and remove roots: none is lost");

/* ---- vgc_disable ---- */

static void disables_and_enables(void) {
  vgc_disable();
  vgc_enable();
}

static void disables(void) { vgc_disable(); }

static void disable_counts(void) {
  static void (*const parts[])(void) = {disables, disables_and_enables};
  together(2, parts);
  interleave_assert(vgc_collect() == -1 && errno == EBUSY);
  vgc_enable();
  interleave_assert(vgc_collect() == 0);
}
INTERLEAVE_MODEL(disable_counts, .setup = stopping_start, .run = disable_counts, .preemptions = 3,
                 .prompt_signals = true, .title = "two threads disable: each is counted");

static _Atomic bool forbidden;

static void started(void *arg) {
  (void)arg;
  interleave_assert(!atomic_load(&forbidden));
}

static void watched_start(void) {
  stopping_start();
  vgc_set_hooks(&(struct vgc_hooks){.struct_size = sizeof(struct vgc_hooks), .cycle_start = started}, NULL);
}

static void forbids(void) {
  vgc_disable();
  atomic_store(&forbidden, true);
  interleave_point();
  atomic_store(&forbidden, false);
  vgc_enable();
}

static void collects_or_not(void) { interleave_assert(vgc_collect() == 0 || errno == EBUSY); }

static void disable(void) {
  static void (*const parts[])(void) = {collects_or_not, forbids};
  together(2, parts);
}
INTERLEAVE_MODEL(disable, .setup = watched_start, .run = disable, .prompt_signals = true,
                 .title = "between vgc_disable and vgc_enable no cycle starts, whoever asks");

/* ---- Two collectors ---- */

static void keeps_and_collects(void) {
  uint64_t *object = marked();
  collect();
  interleave_assert(vgc_base_of(object) == object && object[0] == MARK && object[3] == MARK);
}

static void two_collectors(void) {
  static void (*const parts[])(void) = {keeps_and_collects, keeps_and_collects};
  together(2, parts);
}
INTERLEAVE_MODEL(two_collectors, .setup = stopping_start, .run = two_collectors, .prompt_signals = true,
                 .title = "two threads collect at once: neither loses what it holds");

/* ---- First use ---- */

/* Who comes first brings the library up with what the environment says. */
static void small_environment(void) {
  static char page[] = "VGC_PAGE_BYTES=1024", arena[] = "VGC_ARENA_BYTES=262144", stack[] = "VGC_MARK_STACK=256";
  static char *small[] = {page, arena, stack, NULL};
  environ = small;
}

static void *first[2];

static void *uses_first(void *arg) {
  void **to = arg;
  *to = marked();
  return NULL;
}

static void first_use(void) {
  pthread_t threads[2];
  for (unsigned i = 0; i < 2; i++) interleave_assert(pthread_create(&threads[i], NULL, uses_first, &first[i]) == 0);
  for (unsigned i = 0; i < 2; i++) interleave_assert(pthread_join(threads[i], NULL) == 0);
  for (unsigned i = 0; i < 2; i++) {
    const uint64_t *object = first[i];
    interleave_assert(vgc_base_of(object) == object && object[0] == MARK && object[3] == MARK);
  }
  interleave_assert(first[0] != first[1]);
}
INTERLEAVE_MODEL(first_use, .setup = small_environment, .run = first_use, .prompt_signals = true,
                 .title = "two threads use the library first: one initialises it, the other waits");

static void *collects_first(void *arg) {
  (void)arg;
  interleave_assert(vgc_collect() == 0);
  return NULL;
}

static void collect_during_init(void) {
  pthread_t threads[2];
  interleave_assert(pthread_create(&threads[0], NULL, uses_first, &first[0]) == 0);
  interleave_assert(pthread_create(&threads[1], NULL, collects_first, NULL) == 0);
  for (unsigned i = 0; i < 2; i++) interleave_assert(pthread_join(threads[i], NULL) == 0);
  const uint64_t *object = first[0];
  interleave_assert(vgc_base_of(object) == object && object[0] == MARK && object[3] == MARK);
}
INTERLEAVE_MODEL(collect_during_init, .setup = small_environment, .run = collect_during_init, .prompt_signals = true,
                 .title = "one thread collects while the other's first allocation initialises the library");
