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
