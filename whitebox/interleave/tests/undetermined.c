/* A program that the explorer cannot repeat: what it does depends on a counter of the processor. */
#include <stdatomic.h>
#include <x86intrin.h>

#include "interleave.h"

static _Atomic unsigned count;

static void run(void) {
  for (unsigned long long left = __rdtsc() % 1000; left; left--)
    atomic_fetch_add_explicit(&count, 1, memory_order_relaxed);
  interleave_fail("after a number of steps that nobody decided");
}
INTERLEAVE_MODEL(undetermined, .run = run, .title = "fails in no repeatable way", .expect = INTERLEAVE_ASSERTION);
