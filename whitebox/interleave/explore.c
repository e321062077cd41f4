/* The search of one model. */
#include "explore.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "learn.h"
#include "report.h"
#include "saved.h"
#include "token.h"

struct exploration {
  const struct options *options;
  struct result result;
  struct strategy *strategy;
  struct hash_set *distinct;
  struct learning *learning; /* NULL: the model does not learn */
  bool over, failed;
  double begin, before; /* seconds; before: of earlier turns and sessions */
  double processor;     /* when this turn's runs began, those behind it that only learn */
  double shown;
  char *unexpected; /* token of the first run with an outcome that is not the model's */
};

/* The one whose model is set up. */
static struct exploration *at_work;

/* ---- Strategy ---- */

static struct strategy *strategy_for(const struct interleave_model *model, const struct options *options) {
  const char *name = options->strategy;
  if (options->measure && !name) name = "random";
  bool search = model->expect == INTERLEAVE_CLEAN && (model->outcomes || model->preemptions);
  if (!name) name = search ? "exhaustive" : "portfolio";
  if (strcmp(name, "exhaustive") != 0) return strategy_named(name, options->seed, 0);
  unsigned bound = options->preemptions;
  if (bound == BOUND_OF_MODEL) bound = model->preemptions ? model->preemptions : UINT32_MAX;
  return strategy_exhaustive(bound, true);
}

/* ---- Outcomes ---- */

static bool is_listed(const char *outcomes, const char *text) {
  size_t size = strlen(text);
  for (const char *at = outcomes; at; at = strchr(at, '|')) {
    at += *at == '|';
    if (strncmp(at, text, size) == 0 && (at[size] == '|' || at[size] == '\0')) return true;
  }
  return false;
}

static void count_outcome(struct exploration *x) {
  struct result *result = &x->result;
  if (!RT->told) return;
  for (unsigned i = 0; i < result->outcome_count; i++) {
    struct outcome *outcome = &result->outcomes[i];
    if (strcmp(outcome->text, RT->outcome) != 0) continue;
    outcome->count++;
    return;
  }
  result->outcomes = realloc(result->outcomes, (result->outcome_count + 1) * sizeof *result->outcomes);
  if (!result->outcomes) abort();
  struct outcome *outcome = &result->outcomes[result->outcome_count++];
  *outcome = (struct outcome){.count = 1};
  memcpy(outcome->text, RT->outcome, sizeof outcome->text);
  if (result->model->outcomes && !is_listed(result->model->outcomes, RT->outcome) && !x->unexpected)
    x->unexpected = token_of_list(result->model->name, choices->list, choices->count, RT->hash);
}

static bool was_seen(const struct result *result, const char *text, size_t size) {
  for (unsigned i = 0; i < result->outcome_count; i++)
    if (strlen(result->outcomes[i].text) == size && memcmp(result->outcomes[i].text, text, size) == 0) return true;
  return false;
}

/* The first of the model's outcomes that no run had, copied to `text`. */
static bool is_missing(const struct result *result, char *text, size_t room) {
  for (const char *at = result->model->outcomes; at; at = strchr(at, '|')) {
    at += *at == '|';
    size_t size = strcspn(at, "|");
    if (was_seen(result, at, size)) continue;
    snprintf(text, room, "%.*s", (int)size, at);
    return true;
  }
  return false;
}

/* ---- The loop ---- */

static void show_progress(struct exploration *x, double now) {
  const struct result *result = &x->result;
  if (!isatty(STDERR_FILENO) || now - x->shown < 0.25) return;
  x->shown = now;
  double seconds = now - x->begin;
  fprintf(stderr, "\r\033[K%s: %.0f s, %" PRIu64 " runs, %.0f a second", result->model->name, seconds, result->runs,
          seconds > 0 ? (double)result->runs / seconds : 0);
  if (exhaustive_is(x->strategy)) fprintf(stderr, ", %.2g %%", 100 * exhaustive_extent(x->strategy).fraction);
}

static void end_progress(void) {
  if (isatty(STDERR_FILENO)) fprintf(stderr, "\r\033[K");
}

static void check_reset(const struct options *options, uint64_t runs) {
  if (!options->verify_reset && (runs & (runs - 1))) return;
  if (options->measure && runs > 1) return;
  if (run_reset_is_exact()) return;
  fprintf(stderr, "interleave: defect of the explorer: run %" PRIu64 " of '%s' left memory changed (above)\n", runs,
          RT->model->name);
  exit(STATUS_DEFECT);
}

/* True: the search is over. */
static bool one_run(struct exploration *x) {
  struct result *result = &x->result;
  bool nothing_left;
  enum verdict verdict = run_by(x->strategy, result->runs, &nothing_left);
  if (nothing_left) return true;
  result->runs++;
  if (verdict == RUN_FAILED) return x->failed = true;
  result->discarded += verdict == RUN_DISCARDED;
  if (verdict == RUN_CLEAN) {
    count_outcome(x);
    if (x->distinct) hash_set_add(x->distinct, trace_hash());
  }
  check_reset(x->options, result->runs);
  return false;
}

double spent_seconds(const struct options *options) {
  return options->processor_time ? processor_seconds() : now_seconds();
}

/* Learning is part of the search: it takes from the same time. */
static bool one_run_of_any(struct exploration *x) {
  if (!x->learning || !learn_run(x->learning)) return one_run(x);
  x->processor = processor_seconds();
  return false;
}

static bool loop(struct exploration *x, double seconds) {
  const struct result *result = &x->result;
  uint64_t limit = x->options->runs ? x->options->runs : UINT64_MAX;
  double begin = spent_seconds(x->options);
  /* A look at the clock costs as much as a short run. */
  for (uint64_t look = 1, each = 1; result->runs < limit;) {
    if (one_run_of_any(x)) return true;
    if (--look) continue;
    double spent = spent_seconds(x->options) - begin;
    if (spent >= seconds && (result->runs || x->options->first)) return false;
    show_progress(x, now_seconds());
    if (each < 256 && spent < 0.001 * (double)each) each *= 2;
    look = each;
  }
  return true;
}

/* ---- What came out ---- */

static void describe(struct exploration *x) {
  struct result *result = &x->result;
  size_t size;
  snprintf(result->strategy, sizeof result->strategy, "%s", x->strategy->name);
  FILE *text = open_memstream(&result->description, &size);
  if (!text) abort();
  x->strategy->describe(x->strategy, text);
  fclose(text);
  result->preemptions = UINT32_MAX;
  if (exhaustive_is(x->strategy)) {
    result->searched = true;
    result->extent = exhaustive_extent(x->strategy);
    result->preemptions = result->extent.bound;
    result->discarded -= result->extent.redundant < result->discarded ? result->extent.redundant : result->discarded;
  }
  if (x->distinct) result->distinct = hash_set_count(x->distinct);
}

static void report(struct exploration *x, const struct decisions *simple, bool expected) {
  struct result *result = &x->result;
  enum verdict verdict = run_list(simple->list, simple->count, !expected);
  result->token = token_of_list(result->model->name, simple->list, simple->count, RT->hash);
  result->failure = RT->failure;
  report_failure_text(result->failure.text, sizeof result->failure.text);
  if (verdict != RUN_FAILED) {
    fprintf(stderr, "interleave: defect of the explorer: a run of '%s' fails only while it is not recorded; token %s\n",
            result->model->name, result->token);
    exit(STATUS_DEFECT);
  }
  struct report_options options = {.rows = x->options->rows, .token = result->token};
  if (!expected && !x->options->quiet) report_print(stdout, &options);
}

static void handle_failure(struct exploration *x) {
  struct result *result = &x->result;
  result->failure = RT->failure;
  result->failure_run = result->runs;
  struct decisions decisions = decisions_keep();
  end_progress();
  confirm(&decisions, RT->hash, &result->failure);
  bool expected = x->options->check && result->failure.kind == result->model->expect;
  double seconds = x->options->shrink_seconds;
  struct decisions simple = shrink(&decisions, expected && seconds > 0.1 ? 0.1 : seconds);
  run_list(simple.list, simple.count, false);
  struct failure failure = RT->failure;
  confirm(&simple, RT->hash, &failure);
  report(x, &simple, expected);
  decisions_free(&decisions);
  decisions_free(&simple);
}

static void judge_clean(struct exploration *x) {
  struct result *result = &x->result;
  const struct interleave_model *model = result->model;
  char missing[64], how[96] = "";
  if (result->extent.exhausted)
    snprintf(how, sizeof how, ", all explored");
  else if (result->searched) {
    char fraction[32];
    results_fraction(result->extent.fraction, fraction, sizeof fraction);
    snprintf(how, sizeof how, ", %s explored", fraction);
  }
  if (x->options->check && model->expect != INTERLEAVE_CLEAN)
    snprintf(result->verdict, sizeof result->verdict, "NOT FOUND: expected %s%s", failure_names[model->expect], how);
  else if (x->unexpected)
    snprintf(result->verdict, sizeof result->verdict, "UNEXPECTED OUTCOME");
  else if (x->options->check && model->outcomes && is_missing(result, missing, sizeof missing))
    snprintf(result->verdict, sizeof result->verdict, "OUTCOME NOT REACHED: %s%s", missing, how);
  else {
    result->as_expected = true;
    snprintf(result->verdict, sizeof result->verdict, "clean%s", how);
  }
  if (x->unexpected) result->token = strdup(x->unexpected);
}

/* A free and a use that nothing orders are a race if the use comes first, a use after free otherwise: one defect. */
static bool same_defect(enum interleave_failure expected, enum interleave_failure found) {
  return expected == found || (expected == INTERLEAVE_MEMORY && found == INTERLEAVE_RACE);
}

static void judge(struct exploration *x) {
  struct result *result = &x->result;
  enum interleave_failure kind = result->failure.kind, expect = result->model->expect;
  if (kind == INTERLEAVE_CLEAN) {
    judge_clean(x);
    return;
  }
  result->as_expected = x->options->check && same_defect(expect, kind);
  if (result->as_expected || !x->options->check)
    snprintf(result->verdict, sizeof result->verdict, "%s in run %" PRIu64, failure_names[kind], result->failure_run);
  else
    snprintf(result->verdict, sizeof result->verdict, "%s in run %" PRIu64 ", expected %s", failure_names[kind],
             result->failure_run, failure_names[expect]);
}

/* ---- One model, at once or in turns ---- */

struct exploration *explore_begin(const struct interleave_model *model, const struct options *options) {
  struct exploration *x = calloc(1, sizeof *x);
  if (!x) abort();
  x->options = options;
  x->result.model = model;
  x->strategy = strategy_for(model, options);
  if (!options->measure && !options->first) x->distinct = hash_set_new();
  if (options->resume && !saved_read(options->resume, &x->result, x->strategy, x->distinct)) exit(STATUS_USAGE);
  x->before = x->result.seconds;
  return x;
}

static void set_up(struct exploration *x) {
  if (at_work == x) return;
  at_work = x;
  choices->wants_trace = x->distinct != NULL;
  run_set_up(x->result.model);
  if (!x->learning && x->result.model->learn) x->learning = learn_begin();
  learn_use(x->learning);
}

bool explore_on(struct exploration *x, double seconds) {
  if (x->over) return true;
  struct result *result = &x->result;
  uint64_t runs = result->runs;
  double begin = spent_seconds(x->options);
  x->begin = now_seconds();
  set_up(x);
  x->processor = processor_seconds();
  x->over = loop(x, seconds - (spent_seconds(x->options) - begin));
  result->session_runs += result->runs - runs;
  result->processor_seconds += processor_seconds() - x->processor;
  result->seconds = x->before += now_seconds() - x->begin;
  if (x->failed) handle_failure(x);
  end_progress();
  return x->over;
}

bool explore_unexpected(const struct exploration *x) {
  if (!x->failed) return x->unexpected;
  return !x->options->check || !same_defect(x->result.model->expect, x->result.failure.kind);
}

struct result explore_end(struct exploration *x) {
  const struct options *options = x->options;
  describe(x);
  if (options->save && !saved_write(options->save, &x->result, x->strategy, x->distinct)) exit(STATUS_USAGE);
  judge(x);
  struct result result = x->result;
  if (at_work == x) at_work = NULL;
  learn_end(x->learning);
  hash_set_free(x->distinct);
  strategy_free(x->strategy);
  free(x->unexpected);
  free(x);
  return result;
}

struct result explore(const struct interleave_model *model, const struct options *options, double seconds) {
  struct exploration *x = explore_begin(model, options);
  explore_on(x, seconds);
  return explore_end(x);
}

void result_free(struct result *result) {
  free(result->description);
  free(result->outcomes);
  free(result->token);
}
