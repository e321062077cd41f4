/* Slow, independent looks at the heap, and threads that leave nothing behind. */
#ifndef WHITEBOX_PROBE_H
#define WHITEBOX_PROBE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Initialises the library with config_quiet(); fails the process if it does not come up. */
void start_quiet(void);

/* Whether an object begins at reveal(hidden) after all that the last collection found dead has been swept. */
bool probe_alive(uintptr_t hidden);

/* Runs step(arg) in a thread of its own, to its end: its stack and registers are no roots afterwards. */
void probe_in_thread(void (*step)(void *), void *arg);

/* Collects, for which the loaded objects are listed anew. As a worker's step. */
void probe_collect_with_list(void *unused);

struct probe_count {
  uint64_t objects, bytes; /* of slots in use */
};
/* Counts slot by slot, past all counters. No other thread may allocate or free meanwhile. */
struct probe_count probe_recount(void);

/* Threads of the process, the library's own too. */
unsigned probe_tasks(void);
/* Returns when the thread of that id (0: not known yet) sleeps in the kernel, at a hundred looks in a row, or *done is
 * set: so it is seen that a thread waits for something, whatever that is. */
void probe_await_sleep(const _Atomic int *tid, const _Atomic bool *done);

#endif
