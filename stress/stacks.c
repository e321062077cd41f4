/* stress_stacks PID [TID]: prints the stack of every thread of a process on standard error, TID's first.
 *
 * It reads the process from outside (ptrace and libunwind), so the process may be stuck anywhere: in a signal handler,
 * with all signals blocked, holding malloc's or the loader's lock. The threads go on afterwards. */
#include <dirent.h>
#include <errno.h>
#include <libunwind-ptrace.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST_THREADS = 64, MOST_FRAMES = 48 };

/* Stops the thread. It answers unless it sits in an uninterruptible system call. */
static int seize(pid_t tid) {
  if (ptrace(PTRACE_SEIZE, tid, NULL, NULL) != 0 || ptrace(PTRACE_INTERRUPT, tid, NULL, NULL) != 0) {
    fprintf(stderr, "  cannot attach: %s\n", strerror(errno));
    return -1;
  }
  for (int i = 0; i < 200; i++) {
    int status;
    pid_t got = waitpid(tid, &status, __WALL | WNOHANG);
    if (got == tid) return WIFSTOPPED(status) ? 0 : -1;
    if (got < 0) break;
    nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
  }
  fprintf(stderr, "  does not stop\n");
  return -1;
}

static void print_thread(unw_addr_space_t space, pid_t process, pid_t tid, const char *mark) {
  char path[64], name[32] = "?\n";
  snprintf(path, sizeof path, "/proc/%d/task/%d/comm", process, tid);
  FILE *comm = fopen(path, "r");
  if (comm) {
    if (!fgets(name, sizeof name, comm)) strcpy(name, "?\n");
    fclose(comm);
  }
  name[strcspn(name, "\n")] = '\0';
  fprintf(stderr, "thread %d (%s)%s\n", tid, name, mark);
  if (seize(tid) != 0) return;
  struct UPT_info *info = _UPT_create(tid);
  unw_cursor_t cursor;
  if (info && unw_init_remote(&cursor, space, info) == 0) {
    for (int frame = 0; frame < MOST_FRAMES; frame++) {
      unw_word_t address = 0, offset = 0;
      char function[256] = "?";
      unw_get_reg(&cursor, UNW_REG_IP, &address);
      if (unw_get_proc_name(&cursor, function, sizeof function, &offset) < 0) strcpy(function, "?");
      fprintf(stderr, "  #%-2d %#014lx %s+%#lx\n", frame, (unsigned long)address, function, (unsigned long)offset);
      if (unw_step(&cursor) <= 0) break;
    }
  }
  if (info) _UPT_destroy(info);
  ptrace(PTRACE_DETACH, tid, NULL, NULL);
}

int main(int argc, char **argv) {
  if (argc == 2 && strcmp(argv[1], "--help") == 0) {
    puts("stress_stacks PID [TID]: prints the stack of every thread of a process, TID's first");
    return 0;
  }
  pid_t process = argc > 1 ? atoi(argv[1]) : 0, first = argc > 2 ? atoi(argv[2]) : 0;
  if (process <= 0 || argc > 3) {
    fprintf(stderr, "stress_stacks: expected PID [TID]; see --help\n");
    return 2;
  }
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/task", process);
  DIR *tasks = opendir(path);
  if (!tasks) {
    fprintf(stderr, "stress_stacks: process %d: %s\n", process, strerror(errno));
    return 1;
  }
  unw_addr_space_t space = unw_create_addr_space(&_UPT_accessors, 0);
  if (!space) {
    fprintf(stderr, "stress_stacks: libunwind has no memory\n");
    return 1;
  }
  if (first) print_thread(space, process, first, " <- this one");
  int printed = 0, left_out = 0;
  for (struct dirent *entry; (entry = readdir(tasks));) {
    pid_t tid = atoi(entry->d_name);
    if (tid <= 0 || tid == first) continue;
    if (printed++ < MOST_THREADS)
      print_thread(space, process, tid, "");
    else
      left_out++;
  }
  if (left_out) fprintf(stderr, "%d further threads not printed\n", left_out);
  closedir(tasks);
  unw_destroy_addr_space(space);
  return 0;
}
