/* interleave: runs a small concurrent C program under schedules, memory reads and signal deliveries of its own
 * choosing.
 *
 * The code under test is compiled with -fsanitize=thread and linked with this library in the place of the sanitizer's
 * runtime (CMake: interleave_program). Threads are fibers of one system thread; every atomic operation and every
 * pthread, futex, signal or clock call is a place where the explorer decides who goes on and, for a load, which of the
 * stores that C11 allows it reads.
 *
 * A program defines models and nothing else; main is in the library:
 *
 *   static void run(void) { ... pthread_create ... pthread_join ... interleave_assert(x == 1); }
 *   INTERLEAVE_MODEL(counter, .run = run, .title = "two threads count");
 *
 * Memory model: C17 (release sequences included) with RC11's sequential consistency. Not modelled: load buffering; a
 * modification order, or an order of seq_cst, that differs from the order of execution (so 2+2W is never seen, nor what
 * RC11 allows and C17's own total order forbids where seq_cst is mixed with weaker orders); consume is acquire. A weak
 * compare-exchange fails without a reason once for each store. A thread that reads the same place again, finds the same
 * store and has changed nothing since counts as waiting in a loop: it goes on after a store there, or when nobody else
 * can. Schedules in which it would have gone on before are lost, also where the loop is none that waits: read such a
 * bound once, before the loop. Registers, the red zone and vector state of a signal's
 * frame are not modelled. */
#ifndef INTERLEAVE_H
#define INTERLEAVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a model is expected to show. INTERLEAVE_CLEAN: nothing, in any execution. */
enum interleave_failure {
  INTERLEAVE_CLEAN,
  INTERLEAVE_RACE,       /* two accesses, one a write, one not atomic, not ordered by happens-before */
  INTERLEAVE_ASSERTION,  /* interleave_assert, interleave_fail, abort, assert */
  INTERLEAVE_DEADLOCK,   /* nobody can go on, lost wake-ups included */
  INTERLEAVE_LIVELOCK,   /* more steps than a run may have */
  INTERLEAVE_MEMORY,     /* unmapped or freed memory used, freed twice */
  INTERLEAVE_LOCK,       /* a lock misused, or held at the end */
  INTERLEAVE_MIXED_SIZE, /* atomic accesses of different sizes overlap: outside the memory model */
  INTERLEAVE_CRASH,      /* a fatal signal */
  INTERLEAVE_UNSUPPORTED /* the program did what the explorer cannot run */
};

struct interleave_model {
  const char *name;  /* a word */
  const char *title; /* one line */
  /* Once for each process, before the first run, alone: what it leaves in memory is where each run starts. Or NULL. */
  void (*setup)(void);
  /* One execution, on the main thread of the model. All state is back to that after setup when it begins. */
  void (*run)(void);
  /* INTERLEAVE_MEMORY includes INTERLEAVE_RACE: a free and a use that nothing orders are either, by the order they come
   * in. */
  enum interleave_failure expect;
  /* If given, the exact set of strings that interleave_outcome must produce over all executions, separated by '|'. */
  const char *outcomes;
  unsigned preemptions; /* bound of the exhaustive strategy by default; 0: none */
  /* Random runs, at the start of each process, from which is learnt what words threads share: operations on others are
   * no scheduling points then, so there are fewer executions, and none is lost: a run fails in which one proves to be
   * shared. For a program with much state that each thread has for itself. 0: every operation is a point. */
  unsigned learn;
  unsigned steps;         /* more are a livelock; 0: 20,000 */
  bool early_timeouts;    /* timeouts may fire while others could run; otherwise time passes when nobody can */
  bool failing_maps;      /* mmap may fail */
  bool full_signal_queue; /* sending a real-time signal may fail with EAGAIN, twice in a run */
  bool prompt_signals; /* a signal is taken at its thread's next step, not up to 64 accesses later: fewer executions */
  bool plain_points;   /* plain accesses are scheduling points too */
  bool locks_may_be_held; /* at the end */
};

#define INTERLEAVE_MODEL(id, ...)                                                                                      \
  __attribute__((used, section("interleave_models"),                                                                   \
                 aligned(8))) static const struct interleave_model interleave_model_##id = {.name = #id, __VA_ARGS__}

#define interleave_assert(condition)                                                                                   \
  ((condition) ? (void)0 : interleave_fail("%s:%d: %s: assertion failed: %s", __FILE__, __LINE__, __func__, #condition))

/* Each of these may be called by any thread of a model while it runs. */

/* The execution is a failure, of kind INTERLEAVE_ASSERTION. */
_Noreturn void interleave_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The execution is of no interest unless the condition holds; it counts as discarded. */
void interleave_assume(bool condition);
/* A choice of the explorer's: a number below n, n > 0. */
unsigned interleave_choose(unsigned n);
/* Tells the result of the execution, once, in at most 63 characters. The report counts executions by outcome. */
void interleave_outcome(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Small id of the calling thread: 0 is the model's main thread, others in order of creation. */
unsigned interleave_self(void);
/* A place where another thread may go on: for code whose own steps are not atomics. */
void interleave_point(void);
/* Waits until `threads` threads have called it (1: for nobody); then all go on, with all that each did before known to
 * each. From here on the run is explored, or it is not: then no choice is made, the current thread goes on while it can
 * and loads read the newest store. A run begins explored. For what the threads of a run prepare, and for what is
 * certain after. */
void interleave_meet(unsigned threads, bool explored);
/* Nothing that follows in the run is explored: a run from which is learnt (interleave_model.learn) ends here, without
 * the checks that are still to come. */
void interleave_explored_all(void);
/* For setup: the range is also written by code that is not instrumented (no_sanitize functions), which the reset cannot
 * follow; it is put back by copy after each run. */
void interleave_uninstrumented(void *start, size_t size);
/* Number of suspensions, signals delivered to handlers and forks so far in this execution. */
struct interleave_counts {
  uint32_t steps, preemptions, signals, forks;
};
struct interleave_counts interleave_get_counts(void);
/* Counts a named pair, say of a thread's state and a phase, over all executions: the report lists them. At most 63
 * characters. */
void interleave_cover(const char *pair);

#endif
