/* Whether a thread of this process sleeps in the kernel: so it is seen that it waits for something, whatever that is.
 */
#ifndef WHITEBOX_ASLEEP_H
#define WHITEBOX_ASLEEP_H

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* proc_pid_stat(5): the letter behind the name, which stands in parentheses. */
static inline bool asleep(int tid) {
  char path[64], text[256];
  snprintf(path, sizeof path, "/proc/self/task/%d/stat", tid);
  int file = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t bytes = file < 0 ? 0 : read(file, text, sizeof text - 1);
  if (file >= 0) close(file);
  if (bytes <= 0) return false;
  text[bytes] = 0;
  const char *end = strrchr(text, ')');
  return end && end[1] == ' ' && end[2] == 'S';
}

#endif
