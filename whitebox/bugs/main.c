/* Runs bug tests, each in a process of its own with a deadline: one that crashes or hangs costs only its own line. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bug.h"

/* Weak: the program of a single test has the others not in it. */
#define X(id, title) __attribute__((weak)) int bug_##id(void);
#include "registry.inc"
#undef X

struct bug {
  const char *id, *title;
  int (*run)(void);
};

#define X(id, title) {#id, title, bug_##id},
static const struct bug bugs[] = {
#include "registry.inc"
    {NULL, NULL, NULL}};
#undef X

enum { EXIT_USAGE = 2, EXIT_DEADLINE = 76, EXIT_NOT_APPLICABLE = 77, SLOTS = 64 };

struct options {
  unsigned deadline, jobs;
  bool in_process, verbose;
};

/* A running test. */
struct attempt {
  const struct bug *bug;
  pid_t pid;
  int pidfd, output;
  double started, deadline;
  bool warned;
};

struct tally {
  unsigned passed, failed, not_applicable;
};

static const char usage[] =
    "usage: bugs [--list] [--in-process] [--jobs N] [--deadline SECONDS] [--verbose] [ID...]\n"
    "\n"
    "Runs the bug tests with the given ids (all without any), each in its own process.\n"
    "  --list        print ID<tab>title and stop\n"
    "  --in-process  run in this process, for a debugger\n"
    "  --jobs N      processes at a time (default: processors)\n"
    "  --deadline S  seconds before a test counts as hung (default 20, 60 under a sanitizer)\n"
    "  --verbose     show the output of tests that pass\n"
    "exit status: 0 all passed, 1 some failed, 2 wrong usage, 77 nothing applicable to this build\n";

static double now_seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* ---- In the child ---- */

static void deadline_handler(int signal) {
  (void)signal;
  park_describe();
  _exit(EXIT_DEADLINE);
}

static int run_in_process(const struct bug *bug) {
  signal(SIGALRM, deadline_handler);
  int failed = bug->run();
  fflush(NULL);
  return failed ? 1 : 0;
}

/* ---- In the parent ---- */

static void run_start(struct attempt *run, const struct bug *bug, const struct options *options) {
  run->bug = bug;
  run->warned = false;
  run->output = memfd_create("output", MFD_CLOEXEC);
  must(run->output >= 0);
  fflush(NULL);
  run->started = now_seconds();
  run->deadline = run->started + options->deadline;
  run->pid = fork();
  must(run->pid >= 0);
  if (run->pid == 0) {
    /* A killed test need not leave a core; a debugger is used with --in-process. */
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(run->output, STDOUT_FILENO);
    dup2(run->output, STDERR_FILENO);
    execl("/proc/self/exe", "bugs", "--in-process", bug->id, (char *)NULL);
    _exit(127);
  }
  run->pidfd = (int)syscall(SYS_pidfd_open, run->pid, 0);
  must(run->pidfd >= 0);
}

/* The output as a string; the caller frees it. */
static char *run_output(const struct attempt *run) {
  off_t size = lseek(run->output, 0, SEEK_END);
  must(size >= 0);
  char *text = malloc((size_t)size + 1);
  must(text);
  ssize_t got = pread(run->output, text, (size_t)size, 0);
  text[got > 0 ? got : 0] = 0;
  for (ssize_t i = 0; i < got; i++)
    if (!text[i]) text[i] = ' ';
  return text;
}

/* What kind of failure the output shows; an ablation counts as killed only by some of them. */
static const char *failure_kind(int status, const char *text, char *buffer, size_t size) {
  static const char *const sanitizers[] = {"WARNING: ThreadSanitizer", "ERROR: AddressSanitizer",
                                           "ERROR: LeakSanitizer", "runtime error: ", "FATAL: ThreadSanitizer"};
  for (unsigned i = 0; i < sizeof sanitizers / sizeof *sanitizers; i++)
    if (strstr(text, sanitizers[i])) return "sanitizer report";
  if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_DEADLINE) return "deadline";
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) return "deadline";
  if (strstr(text, "Test failed with exception")) return "crash";
  if (WIFSIGNALED(status) && !(WTERMSIG(status) == SIGABRT && strstr(text, "vgc: "))) {
    snprintf(buffer, size, "crash: %s", strsignal(WTERMSIG(status)));
    return buffer;
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) != 1) {
    snprintf(buffer, size, "unexpected exit status %d", WEXITSTATUS(status));
    return buffer;
  }
  return "assertion";
}

static void run_report(struct attempt *run, int status, const struct options *options, struct tally *tally) {
  double seconds = now_seconds() - run->started;
  char *text = run_output(run);
  char buffer[80];
  const char *reason = strstr(text, "not applicable: ");
  bool passed = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  if (!passed) {
    tally->failed++;
    printf("%s failed (%s) %.2f s\n%s", run->bug->id, failure_kind(status, text, buffer, sizeof buffer), seconds, text);
    printf("  again: bugs %s    in gdb: gdb --args bugs --in-process %s\n", run->bug->id, run->bug->id);
  } else if (reason) {
    tally->not_applicable++;
    printf("%s %.*s\n", run->bug->id, (int)strcspn(reason, "\n"), reason);
  } else {
    tally->passed++;
    printf("%s passed %.2f s\n", run->bug->id, seconds);
  }
  if (passed && options->verbose) fputs(text, stdout);
  fflush(stdout);
  free(text);
  close(run->output);
  close(run->pidfd);
}

/* Asks a late test where it stands, and a second later ends it. */
static void run_enforce(struct attempt *run) {
  if (now_seconds() < run->deadline) return;
  kill(run->pid, run->warned ? SIGKILL : SIGALRM);
  run->warned = true;
  run->deadline = now_seconds() + 1;
}

static struct tally run_all(const struct bug *const *chosen, unsigned count, const struct options *options) {
  struct attempt running[SLOTS];
  struct tally tally = {0, 0, 0};
  unsigned active = 0, next = 0;
  while (next < count || active) {
    while (next < count && active < options->jobs) run_start(&running[active++], chosen[next++], options);
    struct pollfd ends[SLOTS];
    for (unsigned i = 0; i < active; i++) ends[i] = (struct pollfd){.fd = running[i].pidfd, .events = POLLIN};
    if (poll(ends, active, 100) < 0) must(errno == EINTR);
    for (unsigned i = active; i-- > 0;) {
      int status;
      pid_t ended = waitpid(running[i].pid, &status, WNOHANG);
      must(ended >= 0);
      if (!ended) {
        run_enforce(&running[i]);
        continue;
      }
      run_report(&running[i], status, options, &tally);
      running[i] = running[--active];
    }
  }
  return tally;
}

static unsigned parse_number(const char *option, const char *text, unsigned low, unsigned high) {
  char *end;
  errno = 0;
  unsigned long value = text ? strtoul(text, &end, 10) : 0;
  if (!text || errno || *end || end == text || value < low || value > high) {
    fprintf(stderr, "bugs: %s: '%s' is not a number from %u to %u\n", option, text ? text : "", low, high);
    exit(EXIT_USAGE);
  }
  return (unsigned)value;
}

static const struct bug *find_bug(const char *id) {
  for (const struct bug *bug = bugs; bug->id; bug++)
    if (strcmp(bug->id, id) == 0 && bug->run) return bug;
  fprintf(stderr, "bugs: no test has the id '%s'; bugs --list prints them\n", id);
  exit(EXIT_USAGE);
}

int main(int argc, char **argv) {
  long processors = sysconf(_SC_NPROCESSORS_ONLN);
  struct options options = {.deadline = UNDER_TSAN || UNDER_ASAN ? 60 : 20,
                            .jobs = processors > 0 && processors < SLOTS ? (unsigned)processors : 1};
  const struct bug *all[sizeof bugs / sizeof *bugs], **chosen = NULL;
  unsigned count = 0, known = 0;
  for (const struct bug *bug = bugs; bug->id; bug++)
    if (bug->run) all[known++] = bug;
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
      fputs(usage, stdout);
      return 0;
    } else if (strcmp(argv[i], "--list") == 0) {
      for (unsigned b = 0; b < known; b++) printf("%s\t%s\n", all[b]->id, all[b]->title);
      return 0;
    } else if (strcmp(argv[i], "--in-process") == 0) {
      options.in_process = true;
    } else if (strcmp(argv[i], "--verbose") == 0) {
      options.verbose = true;
    } else if (strcmp(argv[i], "--jobs") == 0) {
      i++;
      options.jobs = parse_number("--jobs", argv[i], 1, SLOTS);
    } else if (strcmp(argv[i], "--deadline") == 0) {
      i++;
      options.deadline = parse_number("--deadline", argv[i], 1, 86400);
    } else if (argv[i][0] == '-') {
      fprintf(stderr, "bugs: unknown option '%s'\n%s", argv[i], usage);
      return EXIT_USAGE;
    } else {
      chosen = realloc(chosen, (count + 1) * sizeof *chosen);
      must(chosen);
      chosen[count++] = find_bug(argv[i]);
    }
  }
  const struct bug *const *list = count ? chosen : all;
  if (!count) count = known;
  if (options.in_process) {
    int status = 0;
    for (unsigned i = 0; i < count; i++) status |= run_in_process(list[i]);
    free(chosen);
    return status;
  }
  struct tally tally = run_all(list, count, &options);
  free(chosen);
  if (tally.not_applicable) printf("%u not applicable\n", tally.not_applicable);
  printf("%u passed, %u failed\n", tally.passed, tally.failed);
  if (tally.failed) return 1;
  return tally.passed ? 0 : EXIT_NOT_APPLICABLE;
}
