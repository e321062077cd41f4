/* main of every program of models. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "explore.h"
#include "learn.h"
#include "process.h"
#include "random.h"
#include "record.h"
#include "report.h"
#include "sections.h"
#include "token.h"

static unsigned model_count(void) { return (unsigned)(__stop_interleave_models - __start_interleave_models); }

static const struct interleave_model *model_named(const char *name) {
  for (unsigned i = 0; i < model_count(); i++)
    if (strcmp(__start_interleave_models[i].name, name) == 0) return &__start_interleave_models[i];
  return NULL;
}

static _Noreturn void no_such_model(const char *name) {
  fprintf(stderr, "%s: no model '%s'; there are:", program_invocation_short_name, name);
  for (unsigned i = 0; i < model_count(); i++) fprintf(stderr, " %s", __start_interleave_models[i].name);
  fprintf(stderr, "\n");
  exit(STATUS_USAGE);
}

static int list(void) {
  for (unsigned i = 0; i < model_count(); i++) {
    const struct interleave_model *model = &__start_interleave_models[i];
    printf("%-28s %-11s %s\n", model->name, failure_names[model->expect], model->title ? model->title : "");
  }
  return 0;
}

/* ---- Searches ---- */

static void tell(const struct options *options, const struct result *result) {
  if (options->quiet && result->as_expected) return;
  results_print(result);
  if (!options->check || !result->as_expected) results_print_outcomes(result);
}

static void search_all(const struct options *options, const struct interleave_model **models, struct result *results,
                       unsigned count) {
  double begin = spent_seconds(options);
  for (unsigned i = 0; i < count; i++) {
    /* What one model does not need, the others have. */
    double left = options->seconds - (spent_seconds(options) - begin);
    results[i] = explore(models[i], options, options->seconds > 0 ? left / (count - i) : SECONDS_DEFAULT);
    tell(options, &results[i]);
  }
}

/* Nobody knows beforehand which model finds a failure, and how soon: each turn is twice as long as the one before. */
#define TURNS 4u

static void take_turns(const struct options *options, struct exploration **models, unsigned count, double seconds) {
  double end = spent_seconds(options) + seconds;
  for (unsigned turn = 0; turn < TURNS; turn++) {
    double each = (end - spent_seconds(options)) / ((1u << (TURNS - turn)) - 1) / count;
    bool all = true;
    for (unsigned i = 0; i < count; i++) {
      if (!explore_on(models[i], each)) all = false;
      if (explore_unexpected(models[i])) return;
    }
    if (all) return;
  }
}

static void search_first(const struct options *options, const struct interleave_model **models, struct result *results,
                         unsigned count) {
  struct exploration **explorations = calloc(count, sizeof(struct exploration *));
  if (!explorations) abort();
  for (unsigned i = 0; i < count; i++) explorations[i] = explore_begin(models[i], options);
  take_turns(options, explorations, count, options->seconds > 0 ? options->seconds : count * SECONDS_DEFAULT);
  for (unsigned i = 0; i < count; i++) {
    results[i] = explore_end(explorations[i]);
    tell(options, &results[i]);
  }
  free(explorations);
}

static int search(const struct options *options, const struct interleave_model **models, unsigned count) {
  struct result *results = calloc(count, sizeof *results);
  if (!results) abort();
  int status = 0;
  if (!options->quiet) results_print_header();
  (options->first ? search_first : search_all)(options, models, results, count);
  for (unsigned i = 0; i < count; i++)
    if (!results[i].as_expected) status = STATUS_FOUND;
  if (!options->quiet && cover_count()) cover_print(stdout);
  if (options->json && !results_write_json(options->json, results, count)) status = STATUS_USAGE;
  for (unsigned i = 0; i < count; i++) result_free(&results[i]);
  free(results);
  return status;
}

/* ---- One run again ---- */

static _Noreturn void start_debugger(const struct options *options) {
  char path[4096];
  ssize_t size = readlink("/proc/self/exe", path, sizeof path - 1);
  path[size > 0 ? size : 0] = '\0';
  execlp("gdb", "gdb", "-q", "-ex", "set breakpoint pending on", "-ex", "break interleave_before_failure", "-ex",
         "handle SIGSEGV nostop noprint pass", "-ex", "run", "-ex", "backtrace", "--args", path, "--token",
         options->token, "--stop-before-failure", (char *)NULL);
  fprintf(stderr, "--gdb: gdb: %s; install it, or replay without --gdb\n", strerror(errno));
  exit(STATUS_USAGE);
}

static void replay_once(const struct token *token, bool recording) {
  struct strategy *strategy = token_strategy(token);
  bool nothing_left;
  if (!strategy) {
    fprintf(stderr, "--token: no strategy '%s' in this program\n", token->strategy);
    exit(STATUS_USAGE);
  }
  RT->recording = recording;
  run_by(strategy, token->run, &nothing_left);
  RT->recording = false;
  strategy_free(strategy);
}

static int tell_replay(const struct options *options, const struct token *token) {
  bool failed = RT->failure.kind != INTERLEAVE_CLEAN;
  if (failed && !options->quiet) {
    struct report_options report = {.rows = options->rows};
    report_print(stdout, &report);
  } else if (options->trace) {
    report_resolve();
    report_trace(stdout, options->rows);
  }
  if (RT->hash != token->hash) {
    fprintf(stderr,
            "interleave: defect of the explorer: the run is not the token's: event hash %016" PRIx64 ", not %016" PRIx64
            "; the program depends on something that is neither decided nor reset\n",
            RT->hash, token->hash);
    return STATUS_DEFECT;
  }
  printf("%s: %s%s%s, event hash %016" PRIx64 " as in the token\n", token->model,
         failed          ? failure_names[RT->failure.kind]
         : RT->discarded ? "discarded"
                         : "clean",
         RT->told ? ", outcome " : "", RT->told ? RT->outcome : "", RT->hash);
  return failed ? STATUS_FOUND : 0;
}

static int replay(const struct options *options) {
  struct token token;
  if (!token_parse(options->token, &token)) return STATUS_USAGE;
  const struct interleave_model *model = model_named(token.model);
  if (!model) no_such_model(token.model);
  if (options->gdb) start_debugger(options);
  run_set_up(model);
  learn();
  replay_once(&token, !options->quiet);
  if (options->stop_before_failure) {
    /* A race is recorded before the access, a failed check behind what it looked at. */
    uint64_t events = record_total();
    record_stop_at(RT->failure.kind == INTERLEAVE_RACE || events < 2 ? events : events - 1);
    replay_once(&token, true);
    record_stop_at(0);
  }
  int status = tell_replay(options, &token);
  free(token.list);
  return status;
}

/* ---- Tokens of random runs ---- */

/* The worst status of all. */
static int replay_file(const struct options *options) {
  FILE *in = fopen(options->replay, "r");
  char *line = NULL;
  size_t room = 0;
  int worst = 0;
  if (!in) {
    fprintf(stderr, "--replay %s: %s\n", options->replay, strerror(errno));
    return STATUS_USAGE;
  }
  const struct interleave_model *last = NULL;
  while (getline(&line, &room, in) > 0) {
    struct token token;
    line[strcspn(line, "\n")] = '\0';
    if (!token_parse(line, &token)) return STATUS_USAGE;
    const struct interleave_model *model = model_named(token.model);
    if (!model) no_such_model(token.model);
    if (model != last) {
      run_set_up(model);
      learn();
    }
    last = model;
    /* As a search runs it and as a report does. */
    replay_once(&token, true);
    if (RT->hash == token.hash) replay_once(&token, false);
    struct options quiet = *options;
    quiet.quiet = true;
    int status = tell_replay(&quiet, &token);
    if (status > worst) worst = status;
    free(token.list);
  }
  free(line);
  fclose(in);
  return worst;
}

static int print_tokens(const struct options *options, const struct interleave_model **models, unsigned count) {
  struct strategy *strategies[] = {strategy_random(options->seed), strategy_pct(options->seed, 3),
                                   strategy_pos(options->seed)};
  for (unsigned m = 0; m < count; m++) {
    run_set_up(models[m]);
    learn();
    for (uint64_t i = m; i < options->tokens; i += count) {
      struct strategy *strategy = strategies[i / count % 3];
      bool nothing_left;
      run_by(strategy, i, &nothing_left);
      char *token = i / count % 2 ? token_of_run(models[m]->name, strategy, RT->hash)
                                  : token_of_list(models[m]->name, choices->list, choices->count, RT->hash);
      printf("%s\n", token);
      free(token);
    }
  }
  for (unsigned i = 0; i < sizeof strategies / sizeof *strategies; i++) strategy_free(strategies[i]);
  return 0;
}

int main(int argc, char **argv) {
  struct options options = options_parse(argc, argv);
  if (options.list) return list();
  run_initialize();
  choose_set_up();
  trace_set_up();
  record_set_up();
  if (options.token) return replay(&options);
  if (options.replay) return replay_file(&options);
  unsigned count = options.model_count ? (unsigned)options.model_count : model_count();
  const struct interleave_model **models = calloc(count + 1, sizeof *models);
  if (!models) abort();
  for (unsigned i = 0; i < count; i++) {
    models[i] = options.model_count ? model_named(options.models[i]) : &__start_interleave_models[i];
    if (!models[i]) no_such_model(options.models[i]);
  }
  if (count == 0) {
    fprintf(stderr, "%s: the program has no models; INTERLEAVE_MODEL defines one\n", program_invocation_short_name);
    return STATUS_USAGE;
  }
  int status = options.tokens ? print_tokens(&options, models, count) : search(&options, models, count);
  free(models);
  return status;
}
