/* Runs the models of the gallery without the explorer, on real threads: what a stress test of the same programs finds,
 * with or without ThreadSanitizer. It implements the part of interleave.h that they use.
 *
 *   alone --list
 *   alone MODEL RUNS SECONDS
 *
 * Each model runs in a child process, again and again; a child that dies is replaced, one that makes no progress for
 * two seconds is counted as hanging and killed. One line of JSON tells how many runs failed and when the first did. */
#include "interleave.h"
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern const struct interleave_model __start_interleave_models[], __stop_interleave_models[];

/* Written by the child, read by the parent. */
struct progress {
  _Atomic unsigned begun; /* runs, in all children */
  _Atomic unsigned raced; /* of these, with a report of ThreadSanitizer */
  _Atomic unsigned first; /* number of the first run that failed in any way; 0 none */
};
static struct progress *progress;

static void note_failure(void) {
  unsigned none = 0;
  atomic_compare_exchange_strong(&progress->first, &none, atomic_load(&progress->begun));
}

/* Past ThreadSanitizer, which would sleep for a second first. */
static _Noreturn void end_process(int status) {
  for (;;) syscall(SYS_exit_group, status);
}

void interleave_fail(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vfprintf(stderr, format, arguments);
  va_end(arguments);
  fputc('\n', stderr);
  end_process(3);
}
void interleave_outcome(const char *format, ...) { (void)format; }

/* ThreadSanitizer calls this for each report. The same race counts once in a run. */
void __tsan_on_report(void *report);
void __tsan_on_report(void *report) {
  (void)report;
  static _Atomic unsigned last;
  unsigned now = atomic_load(&progress->begun);
  if (atomic_exchange(&last, now) == now) return;
  atomic_fetch_add(&progress->raced, 1);
  note_failure();
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void child(const struct interleave_model *model, unsigned runs) {
  while (atomic_load(&progress->begun) < runs) {
    atomic_fetch_add(&progress->begun, 1);
    model->run();
  }
  end_process(0);
}

enum end { FINISHED, DIED, HUNG, OUT_OF_TIME };

static enum end supervise(pid_t pid, double deadline) {
  unsigned seen = 0;
  double changed = now();
  for (;;) {
    int status = 0;
    pid_t ended = waitpid(pid, &status, WNOHANG);
    if (ended == pid) return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? FINISHED : DIED;
    unsigned begun = atomic_load(&progress->begun);
    double time = now();
    if (begun != seen) {
      seen = begun;
      changed = time;
    }
    if (time > deadline || time - changed > 2) {
      kill(pid, SIGKILL);
      waitpid(pid, &status, 0);
      return time - changed > 2 ? HUNG : OUT_OF_TIME;
    }
    nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
  }
}

static int run_alone(const struct interleave_model *model, unsigned runs, double seconds) {
  double begin = now(), found = -1;
  unsigned died = 0, hung = 0;
  while (now() - begin < seconds && atomic_load(&progress->begun) < runs) {
    pid_t pid = fork();
    if (pid < 0) {
      fprintf(stderr, "alone: cannot fork: %s\n", strerror(errno));
      return 2;
    }
    if (pid == 0) child(model, runs);
    enum end end = supervise(pid, begin + seconds);
    died += end == DIED;
    hung += end == HUNG;
    if (end == DIED || end == HUNG) note_failure();
    if (found < 0 && atomic_load(&progress->first)) found = now() - begin;
  }
  printf("{\"model\": \"%s\", \"runs\": %u, \"raced\": %u, \"died\": %u, \"hung\": %u, \"first\": %u, \"seconds\": "
         "%.3f}\n",
         model->name, atomic_load(&progress->begun), atomic_load(&progress->raced), died, hung,
         atomic_load(&progress->first), now() - begin);
  return 0;
}

int main(int argc, char **argv) {
  if (argc == 2 && strcmp(argv[1], "--list") == 0) {
    for (const struct interleave_model *m = __start_interleave_models; m < __stop_interleave_models; m++) puts(m->name);
    return 0;
  }
  char *end_of_runs = NULL, *end_of_seconds = NULL;
  unsigned runs = argc == 4 ? (unsigned)strtoul(argv[2], &end_of_runs, 10) : 0;
  double seconds = argc == 4 ? strtod(argv[3], &end_of_seconds) : 0;
  if (runs == 0 || *end_of_runs || seconds <= 0 || *end_of_seconds) {
    fprintf(stderr, "usage: alone --list | alone MODEL RUNS SECONDS, both numbers above 0\n");
    return 2;
  }
  progress = mmap(NULL, sizeof *progress, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (progress == MAP_FAILED) {
    fprintf(stderr, "alone: cannot map memory: %s\n", strerror(errno));
    return 2;
  }
  for (const struct interleave_model *m = __start_interleave_models; m < __stop_interleave_models; m++)
    if (strcmp(m->name, argv[1]) == 0) return run_alone(m, runs, seconds);
  fprintf(stderr, "alone: no model '%s'; --list names them all\n", argv[1]);
  return 2;
}
