#include "client.h"

#include <dlfcn.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>

/* In the program itself, or in a library. */
extern void *vgc_malloc(size_t) __attribute__((weak));

int client_is_debian(void) { return !vgc_malloc && !dlsym(RTLD_DEFAULT, "vgc_malloc"); }

/* ---- Children ---- */

static void child(void (*body)(void), const char *const *environment, int out) {
  static const int cmockas[] = {SIGFPE, SIGILL, SIGSEGV, SIGBUS, SIGSYS};
  for (size_t i = 0; i < sizeof cmockas / sizeof *cmockas; i++) signal(cmockas[i], SIG_DFL);
  alarm(50); /* what hangs ends with a signal's name */
  dup2(out, STDOUT_FILENO);
  dup2(out, STDERR_FILENO);
  close(out);
  for (; environment && *environment; environment++) {
    char *text = strdup(*environment), *value = strchr(text, '=');
    *value = 0;
    setenv(text, value + 1, 1);
    free(text);
  }
  body();
  exit(0); /* with what the library does at exit */
}

const struct client_end *client_run(void (*body)(void), const char *const *environment) {
  static struct client_end end;
  int ends[2];
  fflush(NULL);
  assert_int_equal(pipe(ends), 0);
  pid_t pid = fork();
  assert_true(pid >= 0);
  if (!pid) {
    close(ends[0]);
    child(body, environment, ends[1]);
  }
  close(ends[1]);
  size_t length = 0;
  ssize_t bytes;
  char rest[512];
  for (;;) {
    size_t room = sizeof end.text - 1 - length;
    bytes = read(ends[0], room ? end.text + length : rest, room ? room : sizeof rest);
    if (bytes <= 0) break;
    if (room) length += (size_t)bytes;
  }
  end.text[length] = 0;
  close(ends[0]);
  assert_int_equal(waitpid(pid, &end.status, 0), pid);
  return &end;
}

int client_exited(const struct client_end *end, int status) {
  return WIFEXITED(end->status) && WEXITSTATUS(end->status) == status;
}

int client_aborted(const struct client_end *end) {
  return (WIFSIGNALED(end->status) && WTERMSIG(end->status) == SIGABRT) ||
         (WIFEXITED(end->status) && WEXITSTATUS(end->status));
}

void client_passes(void (*body)(void)) {
  const struct client_end *end = client_run(body, NULL);
  if (!client_exited(end, 0)) fail_msg("status 0x%x\n%s", (unsigned)end->status, end->text);
}

unsigned client_count(const struct client_end *end, const char *word) {
  unsigned count = 0;
  for (const char *at = end->text; (at = strstr(at, word)); at += strlen(word)) count++;
  return count;
}

/* ---- Dead words ---- */

NOINLINE void client_scrub(void) {
  volatile char dead[65536];
  for (size_t i = 0; i < sizeof dead; i++) dead[i] = 0;
}

static NOINLINE void sink(void (*function)(void *), void *arg) {
  volatile char below[16384];
  below[0] = below[sizeof below - 1] = 0;
  function(arg);
  below[0] = 1; /* the frame lasts */
}

NOINLINE void client_below(void (*function)(void *), void *arg) {
  sink(function, arg);
  client_scrub();
}

void client_await_sleep(int tid) {
  for (unsigned looks = 0; looks < 100; sched_yield()) looks = asleep(tid) ? looks + 1 : 0;
}

/* ---- Watching ---- */

void *client_roots[MANY];
static GC_hidden_pointer watched[1024];

void client_watch(unsigned i, void *object) {
  must(i < sizeof watched / sizeof *watched);
  watched[i] = GC_HIDE_POINTER(object);
  must(GC_general_register_disappearing_link((void **)(void *)&watched[i], GC_base(object)) == GC_SUCCESS);
}

unsigned client_gone(unsigned count) {
  unsigned gone = 0;
  for (unsigned i = 0; i < count; i++) gone += !watched[i];
  return gone;
}

void client_collect(void) {
  for (int i = 0; i < 2; i++) {
    client_scrub();
    GC_gcollect();
  }
}
