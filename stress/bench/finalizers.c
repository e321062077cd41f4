/* Full collections beside 10,000 objects of 16 bytes with a finalizer each, or as many as --size says, all of them
 * alive. The first thread collects. */
#include "bench.h"

#include <stdlib.h>

const char bench_operation[] = "object with a finalizer, looked at";
const bool bench_in_step = false;

enum { OBJECTS = 10000 };

static void **kept;

static void never(void *object, void *arg) {
  (void)object, (void)arg;
  abort();
}

uint64_t bench_round(struct bench_thread *thread) {
  uint64_t count = bench_size_or(OBJECTS);
  if (thread->index) return 0;
  if (!kept) {
    kept = bench_alloc(count * sizeof *kept);
    for (uint64_t i = 0; i < count; i++) {
      kept[i] = bench_alloc(16);
      bench_finalizer(kept[i], never);
    }
  }
  bench_collect_timed(thread);
  return count;
}
