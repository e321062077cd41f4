#include "probe.h"

#include <dirent.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <pthread.h>

#include "asleep.h"
#include "door.h"
#include "objects.h"
#include "test.h"

void start_quiet(void) {
  const struct vgc_config quiet = config_quiet();
  must(vgc_init(&quiet) == 0);
}

static int any(void *arg, const char *name, const void *start, size_t size) {
  return (void)arg, (void)name, (void)start, (void)size, 1;
}

void probe_collect_with_list(void *unused) {
  (void)unused;
  vgc_root_set_filter(any, NULL);
  must(vgc_collect() == 0);
}

bool probe_alive(uintptr_t hidden) {
  stats_now(); /* sweeps what is left to sweep */
  return vgc_base_of(reveal(hidden)) == reveal(hidden);
}

struct thread_call {
  void (*step)(void *);
  void *arg;
};

static void *thread_main(void *arg) {
  const struct thread_call *call = arg;
  call->step(call->arg);
  return NULL;
}

void probe_in_thread(void (*step)(void *), void *arg) {
  struct thread_call call = {step, arg};
  pthread_t thread;
  must(pthread_create(&thread, NULL, thread_main, &call) == 0);
  must(pthread_join(thread, NULL) == 0);
}

static void count_span(struct span *span, void *arg) {
  struct probe_count *count = arg;
  uint64_t issued = 0;
  for (uint32_t word = 0; word < span->words; word++) issued += bitmap_count(span_issued(span, word));
  count->objects += issued;
  count->bytes += issued * span_slot_bytes(span);
}

struct probe_count probe_recount(void) {
  struct probe_count count = {0, 0};
  stats_now();
  lock_acquire(&heap_lock);
  span_each(count_span, &count);
  lock_release(&heap_lock);
  return count;
}

unsigned probe_tasks(void) {
  unsigned count = 0;
  DIR *directory = opendir("/proc/self/task");
  must(directory);
  while (readdir(directory)) count++;
  closedir(directory);
  return count - 2; /* itself and its parent directory */
}

void probe_await_sleep(const _Atomic int *tid, const _Atomic bool *done) {
  for (unsigned looks = 0; looks < 100 && !atomic_load(done); sched_yield())
    looks = atomic_load(tid) && asleep(atomic_load(tid)) ? looks + 1 : 0;
}
