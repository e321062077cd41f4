#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "strategy.h"

static const char help[] =
    "usage: %s [OPTION...] [MODEL...]\n"
    "Runs models of concurrent code under schedules, memory reads and signal deliveries of the explorer's choosing.\n"
    "Without MODEL: all of the program's.\n"
    "\n"
    "  --list              names, expectations and titles of the models\n"
    "  --check             each model shows what it expects: the failure it names, or none and exactly its outcomes\n"
    "\n"
    "What is run:\n"
    "  --strategy NAME     portfolio, random, pctD (D from 1 to 8), pos, exhaustive, naive (exhaustive without\n"
    "                      reduction); default: exhaustive for a model that is expected clean and names outcomes or a\n"
    "                      preemption bound, else portfolio\n"
    "  --preemptions N     bound of the exhaustive search, or 'none' (which prunes what differs only in the order of\n"
    "                      independent operations); default: the model's own\n"
    "  --runs N            at most N runs of each model\n"
    "  --seconds S         at most S seconds, shared by the models (default: 10 for each)\n"
    "  --processor-time    those are seconds of processor time, whatever else the machine does\n"
    "  --first             until the first model is not as expected: they take turns, distinct executions are not "
    "counted\n"
    "  --seed N            of what is random (default: 1); run I of a seed is always the same\n"
    "  --save FILE         keeps the state of the exhaustive search of the one MODEL\n"
    "  --resume FILE       goes on from there\n"
    "\n"
    "One run again:\n"
    "  --token T           replays the run of that token, with its report; also clean ones\n"
    "  --gdb               in gdb, stopped in front of the failing operation\n"
    "  --trace             its trace even if it is clean\n"
    "  --full-trace        all events and not the last 60\n"
    "  --quiet             one line\n"
    "  --shrink-seconds S  spent on making a failing run simpler (default: 3)\n"
    "\n"
    "About the explorer:\n"
    "  --json FILE         the table, for programs\n"
    "  --measure           schedules a second of the random walk, without counting distinct executions\n"
    "  --tokens N          prints tokens of N random runs\n"
    "  --replay FILE       replays the tokens in FILE, one a line, recorded and not, and prints a line for each\n"
    "  --verify-reset      compares memory with its state after setup after every run (default: after runs 1, 2, "
    "4...)\n"
    "\n"
    "exit status: 0 as expected, 1 a failure or not as expected, 2 wrong usage, 3 a defect of the explorer\n";

enum {
  LIST = 256,
  CHECK,
  STRATEGY,
  PREEMPTIONS,
  RUNS,
  SECONDS,
  PROCESSOR_TIME,
  FIRST,
  SEED,
  SAVE,
  RESUME,
  TOKEN,
  GDB,
  BEFORE_FAILURE,
  TRACE,
  FULL_TRACE,
  QUIET,
  SHRINK_SECONDS,
  JSON,
  MEASURE,
  TOKENS,
  REPLAY,
  VERIFY_RESET
};

static const struct option names[] = {
    {"help", no_argument, NULL, 'h'},
    {"list", no_argument, NULL, LIST},
    {"check", no_argument, NULL, CHECK},
    {"strategy", required_argument, NULL, STRATEGY},
    {"preemptions", required_argument, NULL, PREEMPTIONS},
    {"runs", required_argument, NULL, RUNS},
    {"seconds", required_argument, NULL, SECONDS},
    {"processor-time", no_argument, NULL, PROCESSOR_TIME},
    {"first", no_argument, NULL, FIRST},
    {"seed", required_argument, NULL, SEED},
    {"save", required_argument, NULL, SAVE},
    {"resume", required_argument, NULL, RESUME},
    {"token", required_argument, NULL, TOKEN},
    {"gdb", no_argument, NULL, GDB},
    {"stop-before-failure", no_argument, NULL, BEFORE_FAILURE},
    {"trace", no_argument, NULL, TRACE},
    {"full-trace", no_argument, NULL, FULL_TRACE},
    {"quiet", no_argument, NULL, QUIET},
    {"shrink-seconds", required_argument, NULL, SHRINK_SECONDS},
    {"json", required_argument, NULL, JSON},
    {"measure", no_argument, NULL, MEASURE},
    {"tokens", required_argument, NULL, TOKENS},
    {"replay", required_argument, NULL, REPLAY},
    {"verify-reset", no_argument, NULL, VERIFY_RESET},
    {NULL, 0, NULL, 0},
};

static _Noreturn void wrong(const char *name, const char *value, const char *expected) {
  fprintf(stderr, "%s: --%s '%s': expected %s; --help tells more\n", program_invocation_short_name, name, value,
          expected);
  exit(STATUS_USAGE);
}

static uint64_t whole(const char *name, const char *text) {
  char *end;
  errno = 0;
  unsigned long long number = strtoull(text, &end, 0);
  if (end == text || *end || errno || *text == '-') wrong(name, text, "a whole number");
  return number;
}

static double seconds(const char *name, const char *text) {
  char *end;
  double number = strtod(text, &end);
  if (end == text || *end || !(number >= 0 && number < 1e9)) wrong(name, text, "seconds");
  return number;
}

static unsigned bound(const char *text) {
  if (strcmp(text, "none") == 0) return UINT32_MAX;
  uint64_t number = whole("preemptions", text);
  if (number > 1000) wrong("preemptions", text, "0 to 1000, or 'none'");
  return (unsigned)number;
}

static const char *strategy(const char *text) {
  struct strategy *there = strategy_named(text, 0, 0);
  if (!there) wrong("strategy", text, "portfolio, random, pct1 to pct8, pos, exhaustive or naive");
  strategy_free(there);
  return text;
}

static void take_flag(struct options *options, int option) {
  switch (option) {
  case LIST:
    options->list = true;
    return;
  case CHECK:
    options->check = true;
    return;
  case PROCESSOR_TIME:
    options->processor_time = true;
    return;
  case FIRST:
    options->first = true;
    return;
  case GDB:
    options->gdb = true;
    return;
  case BEFORE_FAILURE:
    options->stop_before_failure = true;
    return;
  case TRACE:
    options->trace = true;
    return;
  case FULL_TRACE:
    options->rows = UINT32_MAX;
    return;
  case QUIET:
    options->quiet = true;
    return;
  case MEASURE:
    options->measure = true;
    return;
  case VERIFY_RESET:
    options->verify_reset = true;
    return;
  case 'h':
    printf(help, program_invocation_short_name);
    exit(0);
  default:
    fprintf(stderr, "%s --help tells the options\n", program_invocation_short_name);
    exit(STATUS_USAGE);
  }
}

static void take(struct options *options, int option) {
  switch (option) {
  case STRATEGY:
    options->strategy = strategy(optarg);
    return;
  case PREEMPTIONS:
    options->preemptions = bound(optarg);
    return;
  case RUNS:
    options->runs = whole("runs", optarg);
    return;
  case SECONDS:
    options->seconds = seconds("seconds", optarg);
    return;
  case SEED:
    options->seed = whole("seed", optarg);
    return;
  case SHRINK_SECONDS:
    options->shrink_seconds = seconds("shrink-seconds", optarg);
    return;
  case TOKENS:
    options->tokens = whole("tokens", optarg);
    return;
  case TOKEN:
    options->token = optarg;
    return;
  case REPLAY:
    options->replay = optarg;
    return;
  case JSON:
    options->json = optarg;
    return;
  case SAVE:
    options->save = optarg;
    return;
  case RESUME:
    options->resume = optarg;
    return;
  default:
    take_flag(options, option);
  }
}

static void agree(const struct options *options) {
  const char *wrong_use = NULL;
  if ((options->gdb || options->trace || options->stop_before_failure) && !options->token)
    wrong_use = "--gdb and --trace are for one run: give --token";
  else if ((options->save || options->resume) && options->model_count != 1)
    wrong_use = "--save and --resume are for one search: name one model";
  else if (options->first && (options->save || options->resume))
    wrong_use = "--first keeps no search: leave --save and --resume out";
  else if (options->token && options->model_count)
    wrong_use = "a token names its model: give no other";
  else if (options->preemptions < BOUND_OF_MODEL && options->strategy && strcmp(options->strategy, "exhaustive") != 0)
    wrong_use = "--preemptions is for --strategy exhaustive";
  if (!wrong_use) return;
  fprintf(stderr, "%s: %s\n", program_invocation_short_name, wrong_use);
  exit(STATUS_USAGE);
}

struct options options_parse(int argc, char **argv) {
  struct options options = {.seed = 1, .preemptions = BOUND_OF_MODEL, .shrink_seconds = 3, .rows = 60};
  for (int option; (option = getopt_long(argc, argv, "h", names, NULL)) != -1;) take(&options, option);
  options.models = argv + optind;
  options.model_count = argc - optind;
  /* A bound, saved or resumed, means a search. */
  bool search = options.preemptions != BOUND_OF_MODEL || options.save || options.resume;
  if (search && !options.strategy) options.strategy = "exhaustive";
  agree(&options);
  return options;
}
