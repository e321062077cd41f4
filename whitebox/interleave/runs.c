/* Single runs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "explore.h"
#include "report.h"
#include "token.h"

static double seconds_of(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

double now_seconds(void) { return seconds_of(CLOCK_MONOTONIC); }
double processor_seconds(void) { return seconds_of(CLOCK_PROCESS_CPUTIME_ID); }

enum verdict run_by(struct strategy *strategy, uint64_t run, bool *nothing_left) {
  strategy->run = run;
  *nothing_left = !strategy->begin(strategy, run);
  if (*nothing_left) return RUN_DISCARDED;
  choose_begin(strategy);
  RT->tracing = choices->wants_trace || strategy->executed;
  if (RT->tracing) trace_begin();
  enum verdict verdict = run_once();
  strategy->end(strategy, verdict);
  return verdict;
}

enum verdict run_list(const struct decision *list, uint32_t count, bool recording) {
  struct strategy *strategy = strategy_list(list, count);
  bool nothing_left;
  RT->recording = recording;
  enum verdict verdict = run_by(strategy, 0, &nothing_left);
  RT->recording = false;
  strategy_free(strategy);
  return verdict;
}

struct decisions decisions_keep(void) {
  struct decisions kept = {malloc((choices->count + 1) * sizeof *kept.list), choices->count};
  if (!kept.list) abort();
  memcpy(kept.list, choices->list, choices->count * sizeof *kept.list);
  return kept;
}

void decisions_free(struct decisions *decisions) {
  free(decisions->list);
  *decisions = (struct decisions){0};
}

bool same_failure(const struct failure *a, const struct failure *b) {
  if (a->kind != b->kind) return false;
  return a->kind != INTERLEAVE_ASSERTION || strcmp(a->text, b->text) == 0;
}

void confirm(const struct decisions *decisions, uint64_t hash, const struct failure *expected) {
  struct failure failure = *expected;
  for (unsigned time = 1; time <= 2; time++) {
    run_list(decisions->list, decisions->count, false);
    if (RT->hash == hash && RT->failure.kind == failure.kind) continue;
    char *token = token_of_list(RT->model->name, decisions->list, decisions->count, hash);
    fprintf(
        stderr,
        "\ninterleave: DEFECT OF THE EXPLORER: a failing run of '%s' does not repeat: %s: %s\n"
        "  replay %u of 2 with the same decisions ended as '%s' %s, event hash %016llx and not %016llx\n"
        "  the program depends on something that is neither decided nor reset between runs: uninitialised memory, an\n"
        "  address or a time from the system, a library's state; --verify-reset may name it\n  token: %s\n",
        RT->model->name, failure_names[failure.kind], failure.text, time, failure_names[RT->failure.kind],
        RT->failure.text, (unsigned long long)RT->hash, (unsigned long long)hash, token);
    exit(STATUS_DEFECT);
  }
}
