/* Replays inputs without a fuzzing engine; also the assembler of seeds and the minimiser. --help says how. */
#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "execute.h"
#include "forked.h"
#include "generate.h"
#include "program_text.h"

static const char usage[] =
    "usage: fuzz_replay [options] FILE|DIR...\n"
    "       fuzz_replay --random N [--seed S] [options]\n"
    "\n"
    "Runs each input (bytes, or text if its name ends in .txt) on the library against a shadow heap; a directory is\n"
    "read one level deep. The last line is 'N passed, N failed'. A failing input is printed as a program, with an "
    "arrow\n"
    "at the operation that failed.\n"
    "\n"
    "  --check-level N     instead of the programs' own choice\n"
    "  --collect-every N   instead of the programs' own choice\n"
    "  --seconds N         limit for one input (default 60)\n"
    "  --random N          run N programs made from the seeds S, S + 1, ... instead of inputs\n"
    "  --seed S            the first of them (default 1)\n"
    "  --save DIR          write failing programs of --random there\n"
    "  --no-fork           run in this process, as a debugger likes it: the first failure aborts\n"
    "  --verbose           a line for each input\n"
    "  --print             print the inputs as text and run nothing\n"
    "  --minimise FILE     write to FILE the shortest program found that still fails (one input)\n"
    "  --assemble FILE     write to FILE the bytes of the program (one input) and run nothing\n"
    "\n"
    "To shrink an input further, byte by byte: fuzz_ops -minimize_crash=1 -runs=100000 FILE\n"
    "\n"
    "Exit status: 0 all passed, 1 some failed, 2 bad usage or an input that cannot be read.\n"
    "\n"
    "Operations (h handle, s size, w word: 2k the k-th, 2k+1 the k-th from the end, i offset, r range, l layout,\n"
    "p power of two, x any number):\n";

struct options {
  struct overrides overrides;
  unsigned seconds;
  bool no_fork, verbose, print;
  const char *minimise, *assemble, *save;
  unsigned random;
  uint64_t seed;
};

static struct program program;
static size_t passed, failed, unread;

/* ---- Reading and writing ---- */

static bool has_suffix(const char *name, const char *suffix) {
  size_t length = strlen(name), tail = strlen(suffix);
  return length >= tail && strcmp(name + length - tail, suffix) == 0;
}

static bool read_program(const char *path) {
  static uint8_t bytes[PROGRAM_HEADER + PROGRAM_OPS * PROGRAM_RECORD];
  FILE *in = fopen(path, "rb");
  bool good = in != NULL;
  if (!in) {
    fprintf(stderr, "fuzz_replay: %s: %s\n", path, strerror(errno));
  } else if (has_suffix(path, ".txt")) {
    good = program_parse(&program, path, in);
  } else {
    program_decode(&program, bytes, fread(bytes, 1, sizeof bytes, in));
  }
  if (in) fclose(in);
  return good;
}

static bool write_program(const char *path) {
  static uint8_t bytes[PROGRAM_HEADER + PROGRAM_OPS * PROGRAM_RECORD];
  size_t size = program_encode(&program, bytes);
  FILE *out = fopen(path, "wb");
  bool good = out && fwrite(bytes, 1, size, out) == size;
  if (out && fclose(out) != 0) good = false;
  if (!good) fprintf(stderr, "fuzz_replay: %s: %s\n", path, strerror(errno));
  return good;
}

/* ---- Running ---- */

static void print_failure(const char *path, const struct outcome *outcome) {
  printf("FAILED  %s, operation %zu: %s\n", path, outcome->at, outcome->message);
  program_print(stdout, &program, outcome->at);
  printf("run it again: fuzz_replay %s\n", path);
  fflush(stdout);
}

static bool run_one(const struct options *options, const char *path) {
  struct outcome outcome;
  bool good = options->no_fork ? execute(&program, &options->overrides, &outcome)
                               : execute_forked(&program, &options->overrides, options->seconds, false, &outcome);
  if (good) {
    passed++;
    if (options->verbose) printf("ok      %s (%zu operations)\n", path, program.count);
  } else {
    failed++;
    print_failure(path, &outcome);
    if (options->no_fork) abort();
  }
  if (!execute_account(&outcome)) failed++;
  return good;
}

static void run_random(const struct options *options) {
  for (uint64_t seed = options->seed; seed < options->seed + options->random; seed++) {
    char name[4096];
    snprintf(name, sizeof name, "--random 1 --seed %llu", (unsigned long long)seed);
    program_generate(&program, seed);
    bool good = run_one(options, name);
    snprintf(name, sizeof name, "%s/random-%llu", options->save ? options->save : "", (unsigned long long)seed);
    if (!good && options->save) unread += !write_program(name);
  }
}

static void one_file(const struct options *options, const char *path) {
  if (!read_program(path)) {
    unread++;
  } else if (options->print) {
    program_print(stdout, &program, SIZE_MAX);
  } else if (options->assemble) {
    unread += !write_program(options->assemble);
  } else if (options->minimise) {
    size_t before = program.count;
    size_t runs = minimise(&program, &options->overrides, options->seconds);
    unread += !write_program(options->minimise);
    printf("%zu of %zu operations are left after %zu runs\n", program.count, before, runs);
    run_one(options, options->minimise);
  } else {
    run_one(options, path);
  }
}

static int not_hidden(const struct dirent *entry) { return entry->d_name[0] != '.'; }

static void one_directory(const struct options *options, const char *path) {
  struct dirent **entries;
  int count = scandir(path, &entries, not_hidden, alphasort);
  if (count < 0) {
    fprintf(stderr, "fuzz_replay: %s: %s\n", path, strerror(errno));
    unread++;
  }
  for (int i = 0; i < count; i++) {
    char name[4096];
    struct stat status;
    snprintf(name, sizeof name, "%s/%s", path, entries[i]->d_name);
    if (stat(name, &status) == 0 && S_ISREG(status.st_mode)) one_file(options, name);
    free(entries[i]);
  }
  if (count >= 0) free(entries);
}

static unsigned number(const char *name, const char *text) {
  char *end;
  unsigned long value = strtoul(text, &end, 10);
  if (*text && !*end && value <= 100000000) return (unsigned)value;
  fprintf(stderr, "fuzz_replay: --%s: expected a number, found '%s'\n", name, text);
  exit(2);
}

static struct options parse_options(int argc, char **argv) {
  static const struct option table[] = {{"check-level", required_argument, NULL, 'l'},
                                        {"collect-every", required_argument, NULL, 'e'},
                                        {"seconds", required_argument, NULL, 's'},
                                        {"no-fork", no_argument, NULL, 'f'},
                                        {"random", required_argument, NULL, 'r'},
                                        {"seed", required_argument, NULL, 'S'},
                                        {"save", required_argument, NULL, 'o'},
                                        {"verbose", no_argument, NULL, 'v'},
                                        {"print", no_argument, NULL, 'p'},
                                        {"minimise", required_argument, NULL, 'm'},
                                        {"assemble", required_argument, NULL, 'a'},
                                        {"help", no_argument, NULL, 'h'},
                                        {NULL, 0, NULL, 0}};
  struct options options = {.seconds = 60, .seed = 1};
  for (int which; (which = getopt_long(argc, argv, "", table, NULL)) != -1;) {
    switch (which) {
    case 'l':
      options.overrides.check_level = number("check-level", optarg);
      break;
    case 'e':
      options.overrides.collect_every = number("collect-every", optarg);
      break;
    case 's':
      options.seconds = number("seconds", optarg);
      break;
    case 'r':
      options.random = number("random", optarg);
      break;
    case 'S':
      options.seed = number("seed", optarg);
      break;
    case 'o':
      options.save = optarg;
      break;
    case 'f':
      options.no_fork = true;
      break;
    case 'v':
      options.verbose = true;
      break;
    case 'p':
      options.print = true;
      break;
    case 'm':
      options.minimise = optarg;
      break;
    case 'a':
      options.assemble = optarg;
      break;
    case 'h':
      fputs(usage, stdout);
      program_print_operations(stdout);
      exit(0);
    default:
      exit(2);
    }
  }
  if ((optind == argc) != (options.random != 0) || ((options.minimise || options.assemble) && argc - optind != 1)) {
    fputs("fuzz_replay: expected input files or directories (one file for --minimise and --assemble), or --random; see "
          "--help\n",
          stderr);
    exit(2);
  }
  return options;
}

int main(int argc, char **argv) {
  struct options options = parse_options(argc, argv);
  if (options.random) run_random(&options);
  for (int i = optind; i < argc; i++) {
    struct stat status;
    if (stat(argv[i], &status) == 0 && S_ISDIR(status.st_mode)) {
      one_directory(&options, argv[i]);
    } else {
      one_file(&options, argv[i]);
    }
  }
  if (!options.print && !options.assemble) {
    execute_print_account();
    printf("%zu passed, %zu failed%s\n", passed, failed, unread ? " (and inputs that could not be read)" : "");
  }
  return unread ? 2 : failed ? 1 : 0;
}
