/* The command line of every program of models. */
#ifndef INTERLEAVE_OPTIONS_H
#define INTERLEAVE_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#define STATUS_FOUND  1 /* a failure, or not what was expected */
#define STATUS_USAGE  2
#define STATUS_DEFECT 3 /* of the runtime */

#define SECONDS_DEFAULT 10.0
#define BOUND_OF_MODEL  (UINT32_MAX - 1)

struct options {
  const char *strategy; /* NULL: what suits the model */
  uint64_t runs;        /* 0: no limit */
  double seconds;       /* of all models; 0: SECONDS_DEFAULT each */
  uint64_t seed;
  unsigned preemptions; /* UINT32_MAX none, or BOUND_OF_MODEL */
  double shrink_seconds;
  unsigned rows; /* of a trace */
  uint64_t tokens;
  const char *token, *replay, *json, *save, *resume;
  bool list, check, gdb, stop_before_failure, verify_reset, measure, trace, quiet, first, processor_time;
  char *const *models; /* names, `model_count` of them; none: all */
  int model_count;
};

/* Ends the process after --help, and with STATUS_USAGE if something is wrong. */
struct options options_parse(int argc, char **argv);

#endif
