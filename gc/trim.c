#include "trim.h"

#include <stdint.h>

#include "config.h"
#include "heap.h"
#include "lock.h"
#include "pages.h"
#include "platform.h"
#include "point.h"
#include "spawn.h"

static struct lock lock COLLECTOR_DATA = LOCK_INITIALIZER(LOCK_TRIM, 0);
static bool running COLLECTOR_DATA;     /* lock */
static pthread_t thread COLLECTOR_DATA; /* lock */
/* Whoever stops the thread writes, under the lock; the thread and the kernel read. Relaxed: nothing else is told by it.
 */
static _Atomic uint32_t ending COLLECTOR_DATA;

static void *trim(void *arg) {
  while (!load_relaxed(&ending)) {
    platform_futex_wait(&ending, 0, config.trim_ms * UINT64_C(1000000));
    lock_acquire(&heap_lock);
    pages_trim(false, 0);
    lock_release(&heap_lock);
    POINT(trim_done);
  }
  return arg;
}

void trim_start(void) {
  if (!config.trim_ms) return;
  lock_acquire(&lock);
  if (!running) running = spawn_service(&thread, trim, NULL) == 0;
  lock_release(&lock);
}

void trim_stop(void) {
  lock_acquire(&lock);
  if (running) {
    store_relaxed(&ending, 1);
    platform_futex_wake_all(&ending);
    spawn_service_join(thread);
    store_relaxed(&ending, 0);
    running = false;
  }
  lock_release(&lock);
}

void trim_before_fork(void) { lock_acquire(&lock); }

void trim_after_fork(bool child) {
  if (child) running = false;
  lock_release(&lock);
}
