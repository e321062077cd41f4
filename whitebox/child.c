#include "child.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "test.h"

static long long now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* In a coverage build: writes the counters, which a process that aborts or leaves by _exit would lose. */
extern void __gcov_dump(void) __attribute__((weak));

static void dump_and_abort(int number) {
  (void)number;
  __gcov_dump();
  signal(SIGABRT, SIG_DFL); /* abort() goes on when this returns */
}

static void child_main(int out, void (*body)(void *), void *arg) {
  struct rlimit none = {0, 0};
  setrlimit(RLIMIT_CORE, &none);
  /* CMocka's handlers would jump back into the parent's test function. */
  static const int caught[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGSYS};
  for (unsigned i = 0; i < sizeof caught / sizeof *caught; i++) signal(caught[i], SIG_DFL);
  if (__gcov_dump) signal(SIGABRT, dump_and_abort);
  dup2(out, STDOUT_FILENO);
  dup2(out, STDERR_FILENO);
  close(out);
  body(arg);
  fflush(NULL);
  if (__gcov_dump) __gcov_dump();
  _exit(0);
}

/* Until end of file (the child and all it started are gone) or the deadline. */
static bool child_read(int in, long long deadline, struct child_result *result) {
  size_t length = 0;
  for (;;) {
    long long left = deadline - now_ms();
    if (left <= 0) return false;
    struct pollfd ready = {.fd = in, .events = POLLIN};
    if (poll(&ready, 1, (int)left) <= 0) continue;
    char block[1024];
    ssize_t count = read(in, block, sizeof block);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return true;
    size_t room = sizeof result->text - 1 - length;
    size_t kept = (size_t)count < room ? (size_t)count : room;
    memcpy(result->text + length, block, kept);
    length += kept;
  }
}

void child_run(void (*body)(void *), void *arg, unsigned deadline_seconds, struct child_result *result) {
  memset(result, 0, sizeof *result);
  int ends[2];
  must(pipe(ends) == 0);
  fflush(NULL);
  pid_t pid = fork();
  must(pid >= 0);
  if (pid == 0) {
    close(ends[0]);
    child_main(ends[1], body, arg);
  }
  close(ends[1]);
  if (!child_read(ends[0], now_ms() + (long long)deadline_seconds * 1000, result)) {
    result->timed_out = true;
    kill(pid, SIGKILL);
  }
  close(ends[0]);
  int status;
  while (waitpid(pid, &status, 0) < 0) must(errno == EINTR);
  result->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  result->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}
