#include "supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "harness.h"

/* Tells the child the descriptor of the shared memory. */
#define CHILD_VARIABLE "VGC_STRESS_SHARED"

enum { POLL_MS = 200, DUMP_SECONDS = 30 };

extern char **environ;

/* ---- Child ---- */

bool supervisor_is_child(void) { return getenv(CHILD_VARIABLE) != NULL; }

struct shared *supervisor_attach(void) {
  const char *descriptor = getenv(CHILD_VARIABLE);
  int flags = descriptor ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS;
  struct shared *shared =
      mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, flags, descriptor ? atoi(descriptor) : -1, 0);
  if (shared == MAP_FAILED) {
    perror("shared memory with the supervisor");
    exit(2);
  }
  if (descriptor) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_PTRACER, (unsigned long)getppid(), 0, 0, 0); /* where Yama restricts: the supervisor and its tools */
  }
  return shared;
}

void supervisor_wait_for_stacks(struct shared *shared) {
  atomic_store_explicit(&shared->crashed, 1, memory_order_release);
  struct timespec limit = {.tv_sec = DUMP_SECONDS};
  while (!atomic_load_explicit(&shared->dumped, memory_order_acquire))
    if (syscall(SYS_futex, &shared->dumped, FUTEX_WAIT, 0, &limit, NULL, 0) != 0 && errno == ETIMEDOUT) return;
}

static struct shared *crash_shared; /* set before threads start */

/* The first to crash has its say: should others follow, they wait, for a process that dumps core shows no stacks. Then
 * the return runs into the same fault and dumps core. */
static void on_crash(int number) {
  int none = 0;
  if (!atomic_compare_exchange_strong(&crash_shared->signal, &none, number))
    for (;;) pause();
  atomic_store(&crash_shared->failed_tid, (int)syscall(SYS_gettid));
  supervisor_wait_for_stacks(crash_shared);
  signal(number, SIG_DFL);
}

void supervisor_catch_crashes(struct shared *shared) {
  crash_shared = shared;
  const int fatal[] = {SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE};
  struct sigaction action = {.sa_handler = on_crash};
#if defined(STRESS_SANITIZED)
  const size_t count = 1; /* the sanitizer reports faults itself */
#else
  const size_t count = sizeof fatal / sizeof *fatal;
#endif
  for (size_t i = 0; i < count; i++) sigaction(fatal[i], &action, NULL);
}

/* ---- Parent ---- */

struct watched {
  struct shared *shared;
  pid_t child;
  double patience;
  uint64_t count[SUPERVISOR_THREADS];
  double since[SUPERVISOR_THREADS]; /* when the count last changed */
};

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* The tool beside this executable attaches to every thread: nothing has to run in the stuck process. */
static void print_stacks(const struct watched *watched) {
  char tool[4096], child[24], thread[24];
  ssize_t length = readlink("/proc/self/exe", tool, sizeof tool - sizeof "stress_stacks");
  if (length < 0) return;
  tool[length] = '\0';
  char *slash = strrchr(tool, '/');
  memcpy(slash ? slash + 1 : tool, "stress_stacks", sizeof "stress_stacks");
  snprintf(child, sizeof child, "%d", watched->child);
  snprintf(thread, sizeof thread, "%d", atomic_load(&watched->shared->failed_tid));
  char *arguments[] = {tool, child, thread, NULL};
  pid_t pid;
  int error = posix_spawn(&pid, tool, NULL, NULL, arguments, environ);
  if (error)
    fprintf(stderr, "no stacks: %s: %s\n", tool, strerror(error));
  else
    waitpid(pid, NULL, 0);
}

/* Whether a busy thread has stood still too long; its number in *stuck. */
static bool stands_still(struct watched *watched, unsigned *stuck) {
  double time = now();
  for (unsigned i = 0; i < SUPERVISOR_THREADS; i++) {
    struct progress *progress = &watched->shared->progress[i];
    uint64_t count = atomic_load_explicit(&progress->count, memory_order_relaxed);
    if (!atomic_load_explicit(&progress->busy, memory_order_acquire) || count != watched->count[i]) {
      watched->count[i] = count;
      watched->since[i] = time;
    } else if (time - watched->since[i] > watched->patience) {
      *stuck = i;
      return true;
    }
  }
  return false;
}

static void kill_child(const struct watched *watched) {
  kill(watched->child, SIGQUIT); /* leaves a core where that is allowed */
  for (int i = 0; i < 100; i++) {
    siginfo_t info = {0};
    if (waitid(P_PID, (id_t)watched->child, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid) return;
    nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
  }
  kill(watched->child, SIGKILL);
}

static int report_failure(const char *message, const char *again) {
  fflush(stdout);
  fprintf(stderr, "stress_%s: FAILED: %s; run again: %s\n", program.name, message, again);
  if (options.report) {
    FILE *report = fopen(options.report, "w");
    if (report) {
      fprintf(report,
              "{\"program\": \"%s\", \"subject\": \"%s\", \"result\": \"failed\", \"seed\": %llu, \"message\": \"",
              program.name, options.subject, (unsigned long long)options.seed);
      for (const char *c = message; *c; c++) fprintf(report, *c == '"' || *c == '\\' ? "\\%c" : "%c", *c);
      fprintf(report, "\"}\n");
      fclose(report);
    }
  }
  return 1;
}

/* Exit status of a run that ended by itself. */
static int judge(const struct watched *watched, int status, const char *again) {
  char message[SUPERVISOR_MESSAGE + 64];
  const struct shared *shared = watched->shared;
  if (atomic_load_explicit(&shared->failed, memory_order_acquire) == 2) return report_failure(shared->message, again);
  int signal = WIFSIGNALED(status) ? WTERMSIG(status) : atomic_load(&shared->signal);
  if (signal) {
    snprintf(message, sizeof message, "signal %d (%s)", signal, strsignal(signal));
    report_failure(message, again);
    return 128 + signal;
  }
  int code = WEXITSTATUS(status);
  if (code == 0 || code == 2 || code == HARNESS_NOT_APPLICABLE) return code;
  snprintf(message, sizeof message, "exit status %d; the report is above", code);
  return report_failure(message, again);
}

static int watch(struct watched *watched, const sigset_t *signals, const char *again) {
  for (;;) {
    int status;
    if (waitpid(watched->child, &status, WNOHANG) == watched->child) return judge(watched, status, again);
    siginfo_t info;
    int signal = sigtimedwait(signals, &info, &(struct timespec){.tv_nsec = POLL_MS * 1000000L});
    if (signal == SIGTERM || signal == SIGINT) kill(watched->child, SIGTERM);
    if (atomic_load_explicit(&watched->shared->crashed, memory_order_acquire) &&
        !atomic_load(&watched->shared->dumped)) {
      print_stacks(watched);
      atomic_store_explicit(&watched->shared->dumped, 1, memory_order_release);
      syscall(SYS_futex, &watched->shared->dumped, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
    }
    unsigned stuck;
    if (stands_still(watched, &stuck)) {
      char message[160];
      int tid = atomic_load(&watched->shared->progress[stuck].tid);
      atomic_store(&watched->shared->failed_tid, tid);
      print_stacks(watched);
      snprintf(message, sizeof message,
               "watchdog: thread %u (id %d) made no progress for %g seconds; all stacks are above", stuck, tid,
               watched->patience);
      kill_child(watched);
      waitpid(watched->child, &status, 0);
      return report_failure(message, again);
    }
  }
}

int supervisor_run(char **argv, uint64_t seed, double patience, const char *again) {
  int descriptor = memfd_create("stress", 0); /* inherited by the child */
  static struct watched watched;
  if (descriptor < 0 || ftruncate(descriptor, sizeof(struct shared)) != 0) {
    perror("shared memory for the test process");
    return 2;
  }
  watched.shared = mmap(NULL, sizeof(struct shared), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  if (watched.shared == MAP_FAILED) {
    perror("shared memory for the test process");
    return 2;
  }
  watched.patience = patience;
  for (unsigned i = 0; i < SUPERVISOR_THREADS; i++) watched.since[i] = now();
  watched.shared->seed = seed;
  char number[16];
  snprintf(number, sizeof number, "%d", descriptor);
  setenv(CHILD_VARIABLE, number, 1);
  sigset_t signals, old;
  sigemptyset(&signals);
  sigaddset(&signals, SIGCHLD);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigprocmask(SIG_BLOCK, &signals, &old);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  posix_spawnattr_setsigmask(&attributes, &old);
  int error = posix_spawn(&watched.child, "/proc/self/exe", NULL, &attributes, argv, environ);
  posix_spawnattr_destroy(&attributes);
  if (error) {
    fprintf(stderr, "stress_%s: the test process cannot start: %s\n", program.name, strerror(error));
    return 2;
  }
  return watch(&watched, &signals, again);
}
