/* CMocka with the headers that it expects, and a check for threads that CMocka does not know. */
#ifndef WHITEBOX_TEST_H
#define WHITEBOX_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* CMocka's assertions jump back to the test function and so belong to its thread. must() may stand in any thread, in a
 * hook or in a forked child: it prints one line and ends the process with status 1. */
#define must(condition) ((condition) ? (void)0 : must_failed(#condition, __FILE__, __LINE__))

static inline void must_failed(const char *condition, const char *file, int line) {
  char text[512];
  int length = snprintf(text, sizeof text, "%s:%d: failed assertion: %s\n", file, line, condition);
  if (length > (int)sizeof text - 1) length = (int)sizeof text - 1;
  if (length > 0 && write(STDERR_FILENO, text, (size_t)length) < 0) _exit(1);
  _exit(1);
}

#if defined(__SANITIZE_THREAD__)
#define UNDER_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UNDER_TSAN 1
#endif
#endif
#ifndef UNDER_TSAN
#define UNDER_TSAN 0
#endif
#if defined(VGC_SANITIZE_ADDRESS)
#define UNDER_ASAN 1
#else
#define UNDER_ASAN 0
#endif

/* Ends the running CMocka test as "not applicable", which the gate lists as not run, with the reason. */
#define not_applicable(reason)                                                                                         \
  do {                                                                                                                 \
    fprintf(stderr, "not applicable: %s\n", reason);                                                                   \
    skip();                                                                                                            \
  } while (0)

#endif
