/* fork: the child finds every lock free and every structure whole. */
#include <pthread.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stopping.h"

#define SLOT 4096u

static void *mine, *theirs;
static bool is_child;

static void allocates(void) {
  theirs = vgc_malloc_noscan(SLOT);
  vgc_free(theirs);
}

/* All that the heap can be asked for, in whichever process. */
static void use_everything(void) {
  for (unsigned i = 0; i < SIZECLASS_COUNT; i++) {
    central_lock(i);
    central_unlock(i);
  }
  void *object = vgc_malloc_noscan(SLOT);
  interleave_assert(object && object != mine);
  vgc_free(object);
  interleave_assert(vgc_base_of(mine) == mine);
}

static void forks(void) {
  mine = vgc_malloc_noscan(SLOT);
  pid_t child = fork();
  interleave_assert(child >= 0);
  is_child = child == 0;
  use_everything();
  if (!is_child) return;
  interleave_assert(thread_count() == 1);
  interleave_assert(vgc_collect() == 0);
  interleave_outcome("child");
}

static void *other(void *arg) {
  (void)arg;
  interleave_assert(cache_ensure());
  interleave_meet(2, true);
  allocates();
  return NULL;
}

static void fork_beside(void) {
  interleave_meet(1, false);
  pthread_t thread;
  interleave_assert(pthread_create(&thread, NULL, other, NULL) == 0);
  interleave_meet(2, true);
  forks();
  if (is_child) return;
  interleave_assert(pthread_join(thread, NULL) == 0);
  interleave_outcome("parent");
}
INTERLEAVE_MODEL(fork_beside, .setup = stopping_start, .run = fork_beside, .prompt_signals = true,
                 .locks_may_be_held = true,
                 .title = "a child that is forked while another thread allocates can allocate and collect");

/* ---- A span whose owner is no more in the child ---- */

/* With pages of 1 KiB a span of these has 4 slots, of which a refill makes 2 available. */
#define WIDE       8192u
#define WIDE_SLOTS 4u

static void *wide(void) {
  void *object = vgc_malloc(WIDE);
  interleave_assert(object);
  return object;
}

/* One slot has been used and freed, and two never were. */
static void *refills_last(void *arg) {
  char *objects[WIDE_SLOTS / 2];
  for (unsigned i = 0; i < WIDE_SLOTS / 2; i++) objects[i] = wide();
  interleave_assert(span_of((uintptr_t)objects[0])->slots == WIDE_SLOTS);
  objects[0][0] = 1;
  vgc_free(objects[0]);
  interleave_meet(2, true);
  wide();
  return arg;
}

static void fork_in_refill(void) {
  interleave_meet(1, false);
  pthread_t thread;
  interleave_assert(pthread_create(&thread, NULL, refills_last, NULL) == 0);
  interleave_meet(2, true);
  pid_t child = fork();
  interleave_assert(child >= 0);
  if (child > 0) {
    interleave_assert(pthread_join(thread, NULL) == 0);
    return;
  }
  interleave_meet(1, false);
  for (unsigned i = 0; i < WIDE_SLOTS; i++) interleave_assert(*(char *)wide() == 0);
}
INTERLEAVE_MODEL(fork_in_refill, .setup = stopping_start, .run = fork_in_refill, .preemptions = 1, .learn = 1000,
                 .prompt_signals = true, .plain_points = true, .locks_may_be_held = true,
                 .title = "a child that is forked while another thread refills gets no slot that is not zeroed");
