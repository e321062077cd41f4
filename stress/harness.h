/* The frame around each stress program: options, workers, watchdog, failure report, and the checks that a run was not
 * vacuous.
 *
 * main() runs twice: the first process supervises (supervisor.c), the second, its child, runs the test. So a stopped
 * world, a crash or a deadlock cannot silence the report. Inside the child:
 *
 *   begin  ->  N workers run work()  ->  all reach harness_census() with their objects still rooted  ->  the main
 * thread collects and compares the shadow count  ->  workers end  ->  end()  ->  nothing may be left.
 */
#ifndef STRESS_HARNESS_H
#define STRESS_HARNESS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "random.h"
#include "subject.h"

enum { HARNESS_KNOBS = 3, HARNESS_NOT_APPLICABLE = 77 };

struct knob {
  const char *name, *help;
  uint64_t value; /* the default; then what the command line says */
};

struct options {
  uint64_t seed;
  unsigned threads;
  double seconds;
  uint64_t ops; /* by each thread; 0: no limit */
  unsigned spinners;
  const char *subject;
  uint64_t cycles; /* fewer collections than this fail the run */
  double patience; /* seconds without progress of a thread before the watchdog speaks */
  bool direct;     /* no supervisor: for a debugger or a profiler */
  const char *report;
};
extern struct options options; /* immutable after start */

/* What a thread did, as the subject should have counted it. */
struct tally {
  uint64_t allocated, freed;
};

/* One for each thread that touches objects; owner thread only. */
struct worker {
  unsigned index; /* unique over the run: goes into identities */
  uint64_t iteration;
  uint64_t ops;
  uint64_t serial; /* objects it named */
  struct random random;
  struct tally tally;
  struct progress *progress; /* NULL for short-lived threads: their parent's progress stands for them */
};

struct program {
  const char *name, *summary;
  unsigned threads; /* default */
  unsigned least_threads;
  unsigned needs;    /* enum subject_can without which the whole program is not applicable */
  uint64_t retained; /* objects that conservative scanning may keep beyond the live ones, for each thread */
  bool asks_often;   /* calls harness_collect so often that the subject has no reason of its own to collect */
  void (*begin)(struct worker *main_worker);
  void (*work)(struct worker *);
  /* Main thread at the census: adds what shared structures reach. NULL: nothing. */
  void (*census)(struct worker *main_worker, uint64_t *objects, uint64_t *bytes);
  void (*end)(struct worker *main_worker);
  struct knob knobs[HARNESS_KNOBS];
};
extern struct program program; /* defined by each program; knob values are set before begin */

/* True while there is time and no one asked to stop. Each call is one operation; every 1024th starts a new iteration
 * with a generator of its own. */
bool harness_goes_on(struct worker *);
/* As above but without counting an operation or touching the generator: for waits. Shows progress. */
bool harness_waits(struct worker *);
/* Called once by each worker at its end, with all its objects rooted: they are counted, the heap is compared. */
void harness_census(struct worker *, uint64_t objects, uint64_t bytes);
/* A further thread that touches objects: unique index, own generator; its tally is added by harness_worker_end. */
void harness_worker_begin(struct worker *);
void harness_worker_end(struct worker *);
/* Asks the subject for a collection. One that happens so is no sign that the subject collects by itself. */
void harness_collect(void);
/* A number that the command line may have set. */
uint64_t harness_knob(const char *name);
/* Seconds since the start of the run. */
double harness_seconds(void);
/* Asks all workers to stop; async-signal-safe. */
void harness_stop(void);

/* Reports what is wrong, in one line with the command to run again, and ends the process. Any thread, first one wins.
 */
_Noreturn void harness_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
#define harness_check(condition, ...)                                                                                  \
  do {                                                                                                                 \
    if (__builtin_expect(!(condition), 0)) harness_fail(__VA_ARGS__);                                                  \
  } while (0)

#endif
