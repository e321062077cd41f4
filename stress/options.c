#include "options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "broken.h"
#include "harness.h"

struct options options;

static _Noreturn void usage(int status) {
  FILE *out = status ? stderr : stdout;
  fprintf(
      out,
      "stress_%s: %s\n\n"
      "  --seed N       of all inputs (decimal or 0x...); default: VGC_STRESS_SEED, else random. Real threads: the\n"
      "                 same seed gives the same inputs, not the same interleaving\n"
      "  --threads N    that work on objects; default %u, at least %u\n"
      "  --seconds S    length; default 3\n"
      "  --ops N        stop each thread after N operations; default 0, no limit\n"
      "  --spinners N   further threads that only compute, so that the others lose the processor; default 0\n"
      "  --subject S    %s (default), or one with a planted defect, which must fail:\n",
      program.name, program.summary, program.threads, program.least_threads, subject_real.name);
  broken_list(out);
  fprintf(out,
          "  --cycles K     fail if there were fewer than K collections, or K times threads suspensions; default 3\n"
          "  --patience S   seconds without progress until the watchdog prints all stacks; default 30 (60 with a\n"
          "                 sanitizer)\n"
          "  --report FILE  write the result as JSON\n"
          "  --direct       no watchdog process: for a debugger\n");
  for (unsigned i = 0; i < HARNESS_KNOBS && program.knobs[i].name; i++)
    fprintf(out, "  --%s N  %s; default %llu\n", program.knobs[i].name, program.knobs[i].help,
            (unsigned long long)program.knobs[i].value);
  fprintf(
      out,
      "\nExit status: 0 passed, 1 failed, 128 + N ended by signal N, 2 usage, 77 not applicable to this subject.\n");
  exit(status);
}

static _Noreturn void bad(const char *name, const char *value, const char *expected) {
  fprintf(stderr, "stress_%s: %s is '%s'; expected %s. See --help.\n", program.name, name, value ? value : "missing",
          expected);
  exit(2);
}

static uint64_t number(const char *name, const char *value, uint64_t least, uint64_t most) {
  char *end = NULL;
  errno = 0;
  unsigned long long result = value ? strtoull(value, &end, 0) : 0;
  char expected[80];
  snprintf(expected, sizeof expected, "a whole number from %llu to %llu", (unsigned long long)least,
           (unsigned long long)most);
  if (!value || !*value || *value == '-' || *end || errno || result < least || result > most)
    bad(name, value, expected);
  return result;
}

static double seconds(const char *name, const char *value) {
  char *end = NULL;
  double result = value ? strtod(value, &end) : 0;
  if (!value || !*value || *end || !(result > 0 && result <= 1e6)) bad(name, value, "seconds above 0");
  return result;
}

static void set_defaults(void) {
  options = (struct options) {
    .threads = program.threads, .seconds = 3, .subject = subject_real.name, .cycles = 3,
#if defined(STRESS_SANITIZED)
    .patience = 60
#else
    .patience = 30
#endif
  };
  const char *given = getenv("VGC_STRESS_SEED");
  if (given && *given)
    options.seed = number("VGC_STRESS_SEED", given, 0, UINT64_MAX);
  else if (getrandom(&options.seed, sizeof options.seed, 0) != sizeof options.seed)
    options.seed = 1;
}

/* True if the name was one of this program's own numbers. */
static bool parse_knob(const char *option, const char *value) {
  for (unsigned i = 0; i < HARNESS_KNOBS && program.knobs[i].name; i++) {
    if (strcmp(option + 2, program.knobs[i].name) != 0) continue;
    program.knobs[i].value = number(option, value, 0, UINT32_MAX);
    return true;
  }
  return false;
}

void options_parse(int argc, char **argv) {
  set_defaults();
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--help") == 0) usage(0);
    if (strncmp(argv[i], "--", 2) != 0) bad("argument", argv[i], "an option");
    if (strcmp(argv[i], "--direct") == 0) {
      options.direct = true;
      continue;
    }
    char *value = argv[i + 1]; /* NULL at the end */
    const char *option = argv[i++], *name = option + 2;
    if (strcmp(name, "seed") == 0)
      options.seed = number(option, value, 0, UINT64_MAX);
    else if (strcmp(name, "threads") == 0)
      options.threads = (unsigned)number(option, value, program.least_threads, 256);
    else if (strcmp(name, "seconds") == 0)
      options.seconds = seconds(option, value);
    else if (strcmp(name, "ops") == 0)
      options.ops = number(option, value, 0, UINT64_MAX);
    else if (strcmp(name, "spinners") == 0)
      options.spinners = (unsigned)number(option, value, 0, 1024);
    else if (strcmp(name, "subject") == 0)
      options.subject = value ? value : "";
    else if (strcmp(name, "cycles") == 0)
      options.cycles = number(option, value, 0, UINT64_MAX);
    else if (strcmp(name, "patience") == 0)
      options.patience = seconds(option, value);
    else if (strcmp(name, "report") == 0)
      options.report = value;
    else if (!parse_knob(option, value))
      bad("option", option, "one of those that --help lists");
  }
}

void options_again(char *line, size_t size, const char *command) {
  size_t used = 0;
#define ADD(...)                                                                                                       \
  do {                                                                                                                 \
    int added_ = snprintf(line + used, size - used, __VA_ARGS__);                                                      \
    if (added_ > 0 && (size_t)added_ < size - used) used += (size_t)added_;                                            \
  } while (0)
  extern char **environ;
  for (char **variable = environ; *variable; variable++)
    if (strncmp(*variable, "VGC_", 4) == 0 && strncmp(*variable, "VGC_STRESS_", 11) != 0) ADD("%s ", *variable);
  ADD("%s --subject %s --seed %llu --threads %u --seconds %g", command, options.subject,
      (unsigned long long)options.seed, options.threads, options.seconds);
  if (options.ops) ADD(" --ops %llu", (unsigned long long)options.ops);
  if (options.spinners) ADD(" --spinners %u", options.spinners);
  if (options.cycles != 3) ADD(" --cycles %llu", (unsigned long long)options.cycles);
  for (unsigned i = 0; i < HARNESS_KNOBS && program.knobs[i].name; i++)
    ADD(" --%s %llu", program.knobs[i].name, (unsigned long long)program.knobs[i].value);
#undef ADD
}
