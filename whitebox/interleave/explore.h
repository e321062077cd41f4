/* The search of one model, and what it found. */
#ifndef INTERLEAVE_EXPLORE_H
#define INTERLEAVE_EXPLORE_H

#include "options.h"
#include "strategy.h"

struct outcome {
  char text[sizeof RT->outcome];
  uint64_t count;
};

/* What a run decided, kept beyond it. */
struct decisions {
  struct decision *list; /* from malloc */
  uint32_t count;
};

struct result {
  const struct interleave_model *model;
  char strategy[24];
  char *description; /* of the strategy's, from malloc; may be several lines */
  uint64_t runs, discarded;
  uint64_t distinct;    /* clean executions; 0: not counted */
  unsigned preemptions; /* UINT32_MAX: none, or not a bounded search */
  bool searched;        /* exhaustively, wholly or in part */
  struct extent extent;
  double seconds;
  double processor_seconds; /* of this session */
  uint64_t session_runs;
  struct outcome *outcomes; /* from malloc */
  unsigned outcome_count;
  struct failure failure; /* kind INTERLEAVE_CLEAN: none found */
  uint64_t failure_run;
  char *token; /* of the failing run, shrunk; from malloc */
  bool as_expected;
  char verdict[256];
};

/* ---- Single runs (runs.c) ---- */

double now_seconds(void);
double processor_seconds(void);
/* One run, decided by the strategy; its end is told to it. */
enum verdict run_by(struct strategy *, uint64_t run, bool *nothing_left);
/* One run by a list. */
enum verdict run_list(const struct decision *, uint32_t count, bool recording);
struct decisions decisions_keep(void); /* of the last run */
void decisions_free(struct decisions *);
/* Whether two failures are of one kind, as far as a simpler run is concerned. */
bool same_failure(const struct failure *, const struct failure *);

/* ---- After a failure ---- */

/* The run's decisions with fewer deviations from 0, the same failure. Takes at most so long. */
struct decisions shrink(const struct decisions *, double seconds);
/* Replays twice; ends the process with STATUS_DEFECT, loudly, if a replay differs. */
void confirm(const struct decisions *, uint64_t hash, const struct failure *);

/* ---- Searches (explore.c) ---- */

/* Of the clock that --seconds means. */
double spent_seconds(const struct options *);
/* Until `seconds` are over, or a failure. */
struct result explore(const struct interleave_model *, const struct options *, double seconds);
/* The same in turns with other models; explore_on is true when there is nothing left to do. */
struct exploration;
struct exploration *explore_begin(const struct interleave_model *, const struct options *);
bool explore_on(struct exploration *, double seconds);
/* It has found something that is not as expected. */
bool explore_unexpected(const struct exploration *);
struct result explore_end(struct exploration *);
void result_free(struct result *);

/* ---- Output (results.c) ---- */

void results_print_header(void);
void results_print(const struct result *);
/* "12 %". */
void results_fraction(double fraction, char *text, size_t size);
void results_print_outcomes(const struct result *);
/* False, with a line on stderr, on an error. */
bool results_write_json(const char *path, const struct result *, unsigned count);

#endif
