/* Virtual time: all clocks are one. It passes when nobody can go on (schedule.c), and by a microsecond whenever a clock
 * is read, so that a loop over a clock ends. */
#include <errno.h>
#include <sys/time.h>
#include <threads.h>
#include <unistd.h>

#include "process.h"
#include "sync.h"

#define SECOND      UINT64_C(1000000000)
#define CLOCK_READ  UINT64_C(1000)
#define SECONDS_MAX (NO_DEADLINE / SECOND - 1)

static uint64_t read_clock(void) { return RT->now += CLOCK_READ; }

static struct timespec as_timespec(uint64_t time) {
  return (struct timespec){.tv_sec = (time_t)(time / SECOND), .tv_nsec = (long)(time % SECOND)};
}

static void give(void *to, const void *from, size_t size, const void *pc) {
  shadow_write_range((uintptr_t)to, size, pc);
  __builtin_memcpy(to, from, size);
}

static bool is_valid(const struct timespec *time) { return time->tv_nsec >= 0 && time->tv_nsec < (long)SECOND; }

/* Saturates: times before the start are 0, those far ahead are for ever. */
static uint64_t as_nanoseconds(const struct timespec *time) {
  if (time->tv_sec < 0) return 0;
  if ((uint64_t)time->tv_sec > SECONDS_MAX) return NO_DEADLINE;
  return (uint64_t)time->tv_sec * SECOND + (uint64_t)time->tv_nsec;
}

bool time_is_known_clock(clockid_t clock) { return clock >= CLOCK_REALTIME && clock <= CLOCK_TAI; }

bool time_deadline(clockid_t clock, const struct timespec *time, uint64_t *deadline) {
  (void)clock;
  if (!is_valid(time)) return false;
  *deadline = as_nanoseconds(time);
  return true;
}

uint64_t time_after(const struct timespec *duration) {
  uint64_t nanoseconds = as_nanoseconds(duration);
  return nanoseconds > NO_DEADLINE - RT->now ? NO_DEADLINE : RT->now + nanoseconds;
}

/* ---- Reading ---- */

int interleave_wrap_clock_gettime(clockid_t clock, struct timespec *time) {
  if (!time_is_known_clock(clock)) {
    errno = EINVAL;
    return -1;
  }
  struct timespec now = as_timespec(read_clock());
  give(time, &now, sizeof now, CALLER);
  return 0;
}

int interleave_wrap_clock_getres(clockid_t clock, struct timespec *resolution) {
  if (!time_is_known_clock(clock)) {
    errno = EINVAL;
    return -1;
  }
  static const struct timespec one = {.tv_nsec = 1};
  if (resolution) give(resolution, &one, sizeof one, CALLER);
  return 0;
}

int interleave_wrap_gettimeofday(struct timeval *time, void *zone) {
  (void)zone;
  uint64_t now = read_clock();
  struct timeval value = {.tv_sec = (time_t)(now / SECOND), .tv_usec = (suseconds_t)(now % SECOND / 1000)};
  give(time, &value, sizeof value, CALLER);
  return 0;
}

time_t interleave_wrap_time(time_t *time) {
  time_t now = (time_t)(read_clock() / SECOND);
  if (time) give(time, &now, sizeof now, CALLER);
  return now;
}

clock_t interleave_wrap_clock(void) { return (clock_t)(read_clock() / (SECOND / CLOCKS_PER_SEC)); }

int interleave_wrap_timespec_get(struct timespec *time, int base) {
  if (base != TIME_UTC) return 0;
  struct timespec now = as_timespec(read_clock());
  give(time, &now, sizeof now, CALLER);
  return base;
}

/* ---- Sleeping ---- */

/* Until the deadline; true if a handler has interrupted the sleep. Nobody wakes a sleeper: it waits for its own number.
 */
static bool sleep_until(uint64_t deadline) {
  schedule_point(OP_YIELD, 0, false, false);
  uint32_t handlers = signal_deliveries();
  bool interrupted = false;
  while (!interrupted && deadline > RT->now) {
    if (RT->setting_up)
      RT->now = deadline;
    else
      interrupted = schedule_block(self()->id + 1, deadline) && signal_deliveries() != handlers;
  }
  schedule_executed(OP_YIELD, 0, 0, interrupted);
  return interrupted;
}

static void give_remaining(struct timespec *remaining, uint64_t deadline, const void *pc) {
  if (!remaining) return;
  struct timespec left = as_timespec(deadline > RT->now ? deadline - RT->now : 0);
  give(remaining, &left, sizeof left, pc);
}

static int sleep_for(const struct timespec *duration, struct timespec *remaining, const void *pc) {
  if (!is_valid(duration) || duration->tv_sec < 0) return EINVAL;
  uint64_t deadline = time_after(duration);
  if (!sleep_until(deadline)) return 0;
  give_remaining(remaining, deadline, pc);
  return EINTR;
}

static int with_errno(int error) {
  if (error == 0) return 0;
  errno = error;
  return -1;
}

int interleave_wrap_nanosleep(const struct timespec *duration, struct timespec *remaining) {
  return with_errno(sleep_for(duration, remaining, CALLER));
}

int interleave_wrap_clock_nanosleep(clockid_t clock, int flags, const struct timespec *time,
                                    struct timespec *remaining) {
  if (!time_is_known_clock(clock) || clock == CLOCK_THREAD_CPUTIME_ID) return EINVAL;
  if (!(flags & TIMER_ABSTIME)) return sleep_for(time, remaining, CALLER);
  uint64_t deadline;
  if (!time_deadline(clock, time, &deadline)) return EINVAL;
  return sleep_until(deadline) ? EINTR : 0;
}

int interleave_wrap_usleep(useconds_t microseconds) {
  struct timespec duration = {.tv_sec = microseconds / 1000000, .tv_nsec = (long)(microseconds % 1000000) * 1000};
  return with_errno(sleep_for(&duration, NULL, CALLER));
}

unsigned interleave_wrap_sleep(unsigned seconds) {
  struct timespec duration = {.tv_sec = seconds};
  uint64_t deadline = time_after(&duration);
  if (!sleep_until(deadline)) return 0;
  return deadline > RT->now ? (unsigned)((deadline - RT->now + SECOND - 1) / SECOND) : 0;
}

int interleave_wrap_thrd_sleep(const struct timespec *duration, struct timespec *remaining) {
  switch (sleep_for(duration, remaining, CALLER)) {
  case 0:
    return 0;
  case EINTR:
    return -1;
  default:
    return -2;
  }
}

/* ---- Yielding ---- */

int interleave_wrap_sched_yield(void) {
  schedule_yield();
  return 0;
}

int interleave_wrap_pthread_yield(void) { return interleave_wrap_sched_yield(); }

void interleave_wrap_thrd_yield(void) { interleave_wrap_sched_yield(); }
