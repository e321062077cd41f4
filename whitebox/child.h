/* Runs a function in a forked child and tells how it ended: for what must abort, may crash, or may hang. The assertion
 * about it then stands in the test. */
#ifndef WHITEBOX_CHILD_H
#define WHITEBOX_CHILD_H

#include <stdbool.h>

struct child_result {
  bool timed_out;  /* killed at the deadline */
  int exit_code;   /* -1 if a signal ended it */
  int signal;      /* 0 if it exited */
  char text[8192]; /* start of what it wrote to standard output and standard error, NUL-terminated */
};

/* The child calls body(arg) and then _exit(0). Fork handlers run, so the child's only thread is the caller's copy. */
void child_run(void (*body)(void *), void *arg, unsigned deadline_seconds, struct child_result *result);

#endif
