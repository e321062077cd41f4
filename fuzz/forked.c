#include "forked.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static void run_child(const struct program *program, const struct overrides *overrides, unsigned seconds, bool quiet,
                      struct outcome *shared) {
  int nothing = quiet ? open("/dev/null", O_WRONLY | O_CLOEXEC) : -1;
  if (nothing >= 0) dup2(nothing, STDERR_FILENO);
  alarm(seconds);
  _exit(execute(program, overrides, shared) ? 0 : 1);
}

static void describe_death(struct outcome *outcome, int status, unsigned seconds) {
  outcome->failed = true;
  if (outcome->message[0]) return;
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) {
    snprintf(outcome->message, sizeof outcome->message, "still running after %u seconds", seconds);
  } else if (WIFSIGNALED(status)) {
    snprintf(outcome->message, sizeof outcome->message, "died of signal %d (%s)", WTERMSIG(status),
             strsignal(WTERMSIG(status)));
  } else {
    snprintf(outcome->message, sizeof outcome->message, "exited with status %d", WEXITSTATUS(status));
  }
}

bool execute_forked(const struct program *program, const struct overrides *overrides, unsigned seconds, bool quiet,
                    struct outcome *outcome) {
  *outcome = (struct outcome){.failed = true};
  struct outcome *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) {
    snprintf(outcome->message, sizeof outcome->message, "mmap: %s", strerror(errno));
    return false;
  }
  fflush(NULL);
  pid_t child = fork();
  if (child == 0) run_child(program, overrides, seconds, quiet, shared);
  int status = 0;
  pid_t waited = child;
  while (child > 0 && (waited = waitpid(child, &status, 0)) < 0 && errno == EINTR) continue;
  if (waited > 0) {
    *outcome = *shared;
    if (status != 0) describe_death(outcome, status, seconds);
  } else {
    snprintf(outcome->message, sizeof outcome->message, "fork: %s", strerror(errno));
  }
  munmap(shared, sizeof *shared);
  return !outcome->failed;
}

/* Without operations [from, from + length). */
static void cut(struct program *to, const struct program *from, size_t at, size_t length) {
  memcpy(to->header, from->header, sizeof to->header);
  memcpy(to->ops, from->ops, at * sizeof *from->ops);
  memcpy(to->ops + at, from->ops + at + length, (from->count - at - length) * sizeof *from->ops);
  to->count = from->count - length;
}

size_t minimise(struct program *program, const struct overrides *overrides, unsigned seconds) {
  static struct program smaller;
  struct outcome outcome;
  size_t runs = 1;
  if (execute_forked(program, overrides, seconds, true, &outcome)) return runs;
  for (size_t length = program->count / 2; length > 0; length /= 2) {
    for (size_t at = 0; at + length <= program->count;) {
      cut(&smaller, program, at, length);
      runs++;
      if (execute_forked(&smaller, overrides, seconds, true, &outcome)) {
        at += length;
      } else {
        *program = smaller;
      }
    }
  }
  for (size_t i = 0; i < PROGRAM_HEADER; i++) {
    uint8_t choice = program->header[i];
    program->header[i] = 0;
    runs++;
    if (choice && execute_forked(program, overrides, seconds, true, &outcome)) program->header[i] = choice;
  }
  return runs;
}
