#include "task.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include "test.h"

bool task_sleeps(int tid) {
  char path[64], text[128];
  snprintf(path, sizeof path, "/proc/self/task/%d/stat", tid);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  must(fd >= 0);
  ssize_t count = read(fd, text, sizeof text - 1);
  close(fd);
  must(count > 0);
  text[count] = 0;
  /* "tid (name) S ...": the name may hold anything but is cut to 15 bytes. */
  const char *end = strrchr(text, ')');
  must(end && end[1] == ' ');
  return end[2] == 'S';
}

void task_await_sleep(int tid) {
  while (!task_sleeps(tid)) sched_yield();
}
