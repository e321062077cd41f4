/* fork while another thread is anywhere under a lock: the child finds each one free. */
#include <errno.h>
#include <pthread.h>
#include <sys/types.h>
#include <unistd.h>

#include "stopping.h"

static int roots[2];

/* Under each lock but those of the heap. */
static void take_locks(int *root) {
  interleave_assert(vgc_init(NULL) == -1 && errno == EALREADY);
  collect_disable();
  interleave_assert(collect_enable());
  interleave_assert(thread_records() >= 1);
  interleave_assert(vgc_root_add(root, sizeof *root) == 0);
  interleave_assert(vgc_root_remove(root, sizeof *root) == 0);
  interleave_assert(vgc_weak_remove(NULL) == -1 && errno == ENOENT);
}

/* Under those of the heap: of one class, of the pages, of the markers. */
static void take_heap_locks(void) {
  central_lock(0);
  central_unlock(0);
  lock_acquire(&heap_lock);
  lock_release(&heap_lock);
  interleave_assert(mark_team_give(NULL, 0) == 0);
}

static void *other(void *arg) {
  (void)arg;
  interleave_meet(2, true);
  take_locks(&roots[1]);
  take_heap_locks();
  interleave_meet(2, false);
  return NULL;
}

static void fork_among_locks(void) {
  pthread_t thread;
  interleave_meet(1, false);
  interleave_assert(pthread_create(&thread, NULL, other, NULL) == 0);
  interleave_meet(2, true);
  pid_t child = fork();
  interleave_assert(child >= 0);
  if (child == 0) {
    take_locks(&roots[0]);
    take_heap_locks();
    return;
  }
  interleave_meet(2, false);
  interleave_assert(pthread_join(thread, NULL) == 0);
}
INTERLEAVE_MODEL(fork_among_locks, .setup = stopping_start, .run = fork_among_locks, .preemptions = 1,
                 .locks_may_be_held = true, .title = "a child that is forked finds every lock free");
