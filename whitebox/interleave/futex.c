/* Futexes. The kernel compares with the newest value and orders nothing else: what a wake-up is about, the threads tell
 * each other by atomics. */
#include "futex.h"

#include <errno.h>
#include <linux/futex.h>

#include "atomics.h"
#include "process.h"
#include "sync.h"

/* 0 or an error. */
static int wait(uint32_t *word, uint32_t expected, uint32_t mask, uint64_t deadline, const void *pc) {
  uintptr_t address = (uintptr_t)word;
  if (mask == 0 || address % 4 != 0) return EINVAL;
  schedule_point(OP_WAIT, address, false, true);
  if (!map_readable(address)) return EFAULT;
  shadow_access(address, 4, false, true, pc);
  atomics_see_newest(address, 4);
  int rc = *word == expected ? 0 : EAGAIN;
  schedule_executed(OP_WAIT, address, 0, (uint32_t)rc);
  if (rc != 0 || (deadline > RT->now && sync_spurious(SPURIOUS_FUTEX))) return rc;

  struct waiter waiter = {.mask = mask};
  waiter_add(&waiter, address);
  uint32_t interruptions = signal_interruptions();
  while (rc == 0 && !waiter.chosen) {
    if (deadline <= RT->now || !schedule_block(address, deadline))
      rc = ETIMEDOUT;
    else if (!waiter.chosen && signal_interruptions() != interruptions)
      rc = EINTR;
  }
  waiter_remove(&waiter);
  return waiter.chosen ? 0 : rc;
}

static long wake(uint32_t *word, unsigned count, uint32_t mask) {
  uintptr_t address = (uintptr_t)word;
  if (mask == 0 || address % 4 != 0) return -EINVAL;
  schedule_point(OP_WAKE, address, true, false);
  unsigned woken = waiter_wake(address, count, mask);
  schedule_executed(OP_WAKE, address, 0, woken);
  return woken;
}

static bool deadline_of(const struct timespec *timeout, bool absolute, uint64_t *deadline, const void *pc) {
  *deadline = NO_DEADLINE;
  if (!timeout) return true;
  shadow_access((uintptr_t)timeout, sizeof *timeout, false, false, pc);
  if (timeout->tv_sec < 0 || !time_deadline(CLOCK_MONOTONIC, timeout, deadline)) return false;
  if (!absolute) *deadline = time_after(timeout);
  return true;
}

long futex_call(uint32_t *word, int operation, uint32_t value, const struct timespec *timeout, uint32_t mask,
                const void *pc) {
  int command = operation & FUTEX_CMD_MASK;
  bool bits = command == FUTEX_WAIT_BITSET || command == FUTEX_WAKE_BITSET;
  uint64_t deadline;
  switch (command) {
  case FUTEX_WAIT:
  case FUTEX_WAIT_BITSET:
    if (!deadline_of(timeout, bits, &deadline, pc)) return -EINVAL;
    return -wait(word, value, bits ? mask : FUTEX_BITSET_MATCH_ANY, deadline, pc);
  case FUTEX_WAKE:
  case FUTEX_WAKE_BITSET:
    /* As the kernel does, which wakes one even where none is asked for. */
    return wake(word, (int)value > 1 ? value : 1, bits ? mask : FUTEX_BITSET_MATCH_ANY);
  default:
    fail(INTERLEAVE_UNSUPPORTED, "futex operation %d; wait and wake are modelled, with and without a bit set", command);
  }
}
