#include "fault.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "door.h"

struct fault {
  _Atomic unsigned long calls, failed;
  _Atomic unsigned long first, last; /* numbers of the calls that fail; the first call has number 1 */
};

static struct fault faults[FAULT_CALLS];
static _Atomic uint64_t leap, leapt; /* ns */
static _Atomic bool capturing;
static char printed[8192];
static _Atomic size_t printed_length;

int fault_reset(void **state) {
  (void)state;
  for (unsigned i = 0; i < FAULT_CALLS; i++) {
    atomic_store(&faults[i].last, 0);
    atomic_store(&faults[i].first, 0);
    atomic_store(&faults[i].calls, 0);
    atomic_store(&faults[i].failed, 0);
  }
  atomic_store(&leap, 0);
  atomic_store(&capturing, false);
  atomic_store(&printed_length, 0);
  memset(printed, 0, sizeof printed);
  return 0;
}

unsigned long fault_count(enum fault_call call) { return atomic_load(&faults[call].calls); }

unsigned long fault_failed(enum fault_call call) { return atomic_load(&faults[call].failed); }

void fault_fail(enum fault_call call, unsigned long skip, unsigned long count) {
  unsigned long first = atomic_load(&faults[call].calls) + skip + 1;
  atomic_store(&faults[call].last, 0);
  atomic_store(&faults[call].first, first);
  atomic_store(&faults[call].last, count > ~0ul - first ? ~0ul : first + count - 1);
}

/* Counts a call; whether it is to fail. */
static bool fault_due(enum fault_call call) {
  struct fault *fault = &faults[call];
  unsigned long number = atomic_fetch_add(&fault->calls, 1) + 1;
  if (number > atomic_load(&fault->last) || number < atomic_load(&fault->first)) return false;
  atomic_fetch_add(&fault->failed, 1);
  return true;
}

void fault_leap(uint64_t ns) { atomic_store(&leap, ns); }

void fault_capture_print(bool on) { atomic_store(&capturing, on); }

const char *fault_printed(void) { return printed; }

#define WRAP(name) __wrap_##name
#define REAL(name) __real_##name

void *REAL(platform_reserve)(size_t size, size_t alignment);
void *WRAP(platform_reserve)(size_t size, size_t alignment);
void *WRAP(platform_reserve)(size_t size, size_t alignment) {
  return fault_due(FAULT_RESERVE) ? NULL : REAL(platform_reserve)(size, alignment);
}

void REAL(platform_release)(void *start, size_t size);
void WRAP(platform_release)(void *start, size_t size);
void WRAP(platform_release)(void *start, size_t size) {
  fault_due(FAULT_RELEASE);
  REAL(platform_release)(start, size);
}

void REAL(platform_discard)(void *start, size_t size);
void WRAP(platform_discard)(void *start, size_t size);
void WRAP(platform_discard)(void *start, size_t size) {
  fault_due(FAULT_DISCARD);
  REAL(platform_discard)(start, size);
}

void REAL(lock_acquire)(struct lock *lock);
void WRAP(lock_acquire)(struct lock *lock);
void WRAP(lock_acquire)(struct lock *lock) {
  fault_due(FAULT_LOCK);
  REAL(lock_acquire)(lock);
}

int REAL(platform_thread_signal)(int tid, unsigned signal);
int WRAP(platform_thread_signal)(int tid, unsigned signal);
int WRAP(platform_thread_signal)(int tid, unsigned signal) {
  return fault_due(FAULT_SIGNAL) ? EAGAIN : REAL(platform_thread_signal)(tid, signal);
}

uint64_t REAL(platform_now_ns)(void);
uint64_t WRAP(platform_now_ns)(void);
uint64_t WRAP(platform_now_ns)(void) {
  uint64_t each = atomic_load(&leap);
  return REAL(platform_now_ns)() + atomic_fetch_add(&leapt, each) + each;
}

void REAL(platform_print)(const char *format, ...) __attribute__((format(printf, 1, 2)));
void WRAP(platform_print)(const char *format, ...) __attribute__((format(printf, 1, 2)));
void WRAP(platform_print)(const char *format, ...) {
  char text[1024];
  va_list args;
  va_start(args, format);
  int made = vsnprintf(text, sizeof text, format, args);
  va_end(args);
  if (made < 0) return;
  size_t length = (size_t)made < sizeof text ? (size_t)made : sizeof text - 1;
  if (!atomic_load(&capturing)) {
    REAL(platform_print)("%s", text);
    return;
  }
  size_t at = atomic_fetch_add(&printed_length, length);
  if (at + length < sizeof printed) memcpy(printed + at, text, length);
}
