/* The process that watches the one under test, and the memory that both see. */
#ifndef STRESS_SUPERVISOR_H
#define STRESS_SUPERVISOR_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { SUPERVISOR_THREADS = 512, SUPERVISOR_MESSAGE = 1024 };

/* One watched thread; a cache line each, so that counting shares none. */
struct progress {
  _Atomic uint64_t count; /* written by the thread: any change is progress */
  _Atomic uint32_t busy;  /* 1 while it owes progress */
  _Atomic int32_t tid;
} __attribute__((aligned(128)));

/* Zero at start. No pointer is ever stored here. */
struct shared {
  uint64_t seed;            /* set before the child starts */
  _Atomic uint32_t failed;  /* 1: message is being written, 2: written */
  _Atomic uint32_t crashed; /* 1: a thread waits for its stack to be printed */
  _Atomic int32_t failed_tid;
  _Atomic int32_t signal;  /* of a crash */
  _Atomic uint32_t dumped; /* futex: 1 when the stacks are printed */
  char message[SUPERVISOR_MESSAGE];
  struct progress progress[SUPERVISOR_THREADS];
};

/* In the first process: starts the program again as a child, watches it, prints the failure line. Its exit status. */
int supervisor_run(char **argv, uint64_t seed, double patience, const char *again);
/* In the child: the memory given by the parent, or, run directly, private memory. */
struct shared *supervisor_attach(void);
/* Whether this process is the child. */
bool supervisor_is_child(void);
/* In the child: makes fatal signals wait until the parent has printed the stacks. */
void supervisor_catch_crashes(struct shared *);
/* In the child: ask for the stacks and wait for them (at most half a minute). Async-signal-safe. */
void supervisor_wait_for_stacks(struct shared *);

#endif
