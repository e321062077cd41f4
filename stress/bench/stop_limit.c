/* What stands beside stop.c as the limit: nothing but a signal to each thread, which answers by a counter and waits on
 * a futex to be released. */
#include "stop.h"

#include <limits.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static pid_t ids[BENCH_THREADS_MAX];
static atomic_uint expected, answered, releases;

static void futex_wait(atomic_uint *word, unsigned value) { syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL); }

static void futex_wake(atomic_uint *word) { syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX); }

static void answer(int number) {
  unsigned now = atomic_load(&releases);
  (void)number;
  if (atomic_fetch_add(&answered, 1) + 1 == atomic_load(&expected)) futex_wake(&answered);
  while (atomic_load(&releases) == now) futex_wait(&releases, now);
}

static void stop_prepare(struct bench_thread *thread) {
  struct sigaction action = {.sa_handler = answer, .sa_flags = SA_RESTART};
  ids[thread->index] = gettid();
  if (thread->index == 0 && sigaction(SIGUSR1, &action, NULL)) abort();
}

static uint64_t stop_once(struct bench_thread *thread) {
  unsigned others = thread->count - 1, got;
  atomic_store(&answered, 0);
  atomic_store(&expected, others);
  uint64_t began = bench_now();
  for (unsigned i = 1; i <= others; i++) {
    if (syscall(SYS_tgkill, getpid(), ids[i], SIGUSR1)) abort();
  }
  while ((got = atomic_load(&answered)) != others) futex_wait(&answered, got);
  uint64_t took = bench_now() - began;
  atomic_fetch_add(&releases, 1);
  futex_wake(&releases);
  return took;
}
