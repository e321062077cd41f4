/* Counts calls from gc/ to the functions below it, makes chosen ones fail, and the clock leap. The linker routes the
 * calls through here
 * (--wrap, see CMakeLists.txt); a call inside the file that defines the function is not seen. Any thread. */
#ifndef WHITEBOX_FAULT_H
#define WHITEBOX_FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum fault_call {
  FAULT_RESERVE, /* platform_reserve: fails with NULL */
  FAULT_RELEASE, /* platform_release: counted only */
  FAULT_DISCARD, /* platform_discard: counted only */
  FAULT_LOCK,    /* lock_acquire: counted only */
  FAULT_SIGNAL,  /* platform_thread_signal: fails with EAGAIN */
  FAULT_CALLS
};

/* Forgets counts, failures and captured text. A CMocka setup or teardown; returns 0. */
int fault_reset(void **state);
/* Calls since the reset. */
unsigned long fault_count(enum fault_call call);
/* Lets `skip` calls from now through, then makes `count` fail (~0ul: all from there on). */
void fault_fail(enum fault_call call, unsigned long skip, unsigned long count);
/* Calls that were made to fail since the reset. */
unsigned long fault_failed(enum fault_call call);

/* Until the reset each reading of the clock is later than the one before by that much more. It never goes back. */
void fault_leap(uint64_t ns);

/* While capturing, what platform_print would write is kept instead (the first 8 KiB). */
void fault_capture_print(bool on);
/* NUL-terminated; stable once the printing threads have been joined or stopped. */
const char *fault_printed(void);

#endif
