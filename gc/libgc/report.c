/* What the library says: the log, warnings, and the end of the program. */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "layer.h"

static int log_fd = STDERR_FILENO, err_fd = STDERR_FILENO, out_fd = STDOUT_FILENO;

void GC_set_log_fd(int fd) { SET(log_fd, fd); }

void layer_redirect_to_log(void) {
  SET(err_fd, GET(log_fd));
  SET(out_fd, GET(log_fd));
}

/* One write, so that lines of several threads stay whole. */
static void print(int fd, const char *format, va_list arguments) {
  char text[1024];
  int bytes = vsnprintf(text, sizeof text, format, arguments);
  if (bytes > (int)sizeof text - 1) bytes = (int)sizeof text - 1;
  while (bytes > 0 && write(fd, text, (size_t)bytes) < 0 && errno == EINTR) {
  }
}

#define PRINT(fd)                                                                                                      \
  do {                                                                                                                 \
    va_list arguments;                                                                                                 \
    va_start(arguments, format);                                                                                       \
    print(fd, format, arguments);                                                                                      \
    va_end(arguments);                                                                                                 \
  } while (0)

void layer_log(const char *format, ...) { PRINT(GET(log_fd)); }
/* Exported, though no header declares them: for the inline functions of old programs. */
void GC_log_printf(const char *format, ...) { PRINT(GET(log_fd)); }
void GC_err_printf(const char *format, ...) { PRINT(GET(err_fd)); }
void GC_printf(const char *format, ...) { PRINT(GET(out_fd)); }

void layer_print_address_map(void) {
  char text[4096];
  ssize_t bytes = 0;
  int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;
  do bytes = read(fd, text, sizeof text);
  while ((bytes > 0 && write(GET(err_fd), text, (size_t)bytes) == bytes) || (bytes < 0 && errno == EINTR));
  close(fd);
}

/* ---- Warnings ---- */

static void warn(char *format, GC_word arg) {
  char text[256];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
  snprintf(text, sizeof text, format, arg);
#pragma GCC diagnostic pop
  layer_log("%s", text);
}

static GC_warn_proc warner = warn;

void layer_warn(const char *format, GC_word arg) { GET(warner)((char *)(uintptr_t)format, arg); }

void GC_set_warn_proc(GC_warn_proc procedure) { SET(warner, procedure); }
GC_warn_proc GC_get_warn_proc(void) { return GET(warner); }
void GC_ignore_warn_proc(char *format, GC_word arg) { (void)format, (void)arg; }

/* ---- The end ---- */

static void abort_default(const char *message) {
  if (message) GC_err_printf("%s\n", message);
}

GC_abort_func GC_on_abort = abort_default;

void GC_set_abort_func(GC_abort_func function) { SET(GC_on_abort, function); }
GC_abort_func GC_get_abort_func(void) { return GET(GC_on_abort); }

static bool loops;

void layer_loop_on_abort(void) { SET(loops, true); }

void layer_fatal(const char *message) {
  GET(GC_on_abort)(message);
  while (GET(loops)) pause();
  abort();
}

/* No message announces that the program exits. */
void GC_abort_on_oom(void) {
  GC_err_printf("Insufficient memory for the allocation\n");
  GET(GC_on_abort)(NULL);
  while (GET(loops)) pause();
  exit(1);
}
