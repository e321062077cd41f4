/* Output by the code under test: each stream's lock is the explorer's, as threads are preempted and take signals while
 * they hold it. What is written appears when a run is shown, not while thousands are tried. */
#include <stdarg.h>
#include <stdio.h>

#include "apart.h"
#include "process.h"
#include "sync.h"

#define STREAMS_MAX 16u

struct stream {
  FILE *file;
  struct fiber *owner;
  struct clock clock;
};
struct stdio_state {
  unsigned streams;
  struct stream stream[STREAMS_MAX];
};
static struct stdio_state *state;

void stdio_initialize(void) { state = state_allocate(sizeof *state); }
void stdio_begin(void) { state->streams = 0; }

static struct stream *stream_of(FILE *file) {
  for (unsigned i = 0; i < state->streams; i++)
    if (state->stream[i].file == file) return &state->stream[i];
  if (state->streams == STREAMS_MAX) fail(INTERLEAVE_UNSUPPORTED, "a run writes to more than %u streams", STREAMS_MAX);
  struct stream *stream = &state->stream[state->streams++];
  *stream = (struct stream){.file = file};
  return stream;
}

static struct stream *lock(FILE *file) {
  struct stream *stream = stream_of(file);
  uintptr_t address = (uintptr_t)stream;
  schedule_point(OP_LOCK, address, true, false);
  if (stream->owner == self())
    fail(INTERLEAVE_DEADLOCK, "a signal handler writes to a stream that its own thread is writing to");
  while (stream->owner) schedule_block(address, UINT64_MAX);
  stream->owner = self();
  schedule_reblock(address);
  memory_acquire(&stream->clock);
  schedule_executed(OP_LOCK, address, 0, 0);
  return stream;
}

static void unlock(struct stream *stream) {
  uintptr_t address = (uintptr_t)stream;
  schedule_point(OP_UNLOCK, address, true, false);
  memory_release(&stream->clock);
  stream->owner = NULL;
  schedule_wake_all(address);
  schedule_executed(OP_UNLOCK, address, 0, 0);
}

/* Writing leaves other frames than not writing does. */
static uint64_t print_now(uint64_t file, uint64_t format, uint64_t arguments, uint64_t unused) {
  (void)unused;
  va_list *list = (va_list *)arguments;
  return (uint64_t)(RT->recording ? vfprintf((FILE *)file, (const char *)format, *list)
                                  : vsnprintf(NULL, 0, (const char *)format, *list));
}
static uint64_t write_now(uint64_t from, uint64_t size, uint64_t count, uint64_t file) {
  return RT->recording ? fwrite((const void *)from, size, count, (FILE *)file) : count;
}
static uint64_t put_now(uint64_t text, uint64_t file, uint64_t unused, uint64_t unused_2) {
  (void)unused, (void)unused_2;
  return RT->recording ? (uint64_t)fputs((const char *)text, (FILE *)file) : 0;
}
static uint64_t put_line_now(uint64_t text, uint64_t unused, uint64_t unused_2, uint64_t unused_3) {
  (void)unused, (void)unused_2, (void)unused_3;
  return RT->recording ? (uint64_t)puts((const char *)text) : 0;
}
static uint64_t put_byte_now(uint64_t byte, uint64_t file, uint64_t unused, uint64_t unused_2) {
  (void)unused, (void)unused_2;
  return RT->recording ? (uint64_t)fputc((int)byte, (FILE *)file) : byte;
}
static uint64_t flush_now(uint64_t file, uint64_t unused, uint64_t unused_2, uint64_t unused_3) {
  (void)unused, (void)unused_2, (void)unused_3;
  return RT->recording ? (uint64_t)fflush((FILE *)file) : 0;
}

static int print(FILE *file, const char *format, va_list arguments) {
  struct stream *stream = lock(file);
  va_list list;
  va_copy(list, arguments);
  int count = (int)apart(print_now, (uintptr_t)file, (uintptr_t)format, (uintptr_t)&list, 0);
  va_end(list);
  unlock(stream);
  return count;
}

int interleave_wrap_vfprintf(FILE *, const char *, va_list);
int interleave_wrap_vfprintf(FILE *file, const char *format, va_list arguments) {
  return print(file, format, arguments);
}

int interleave_wrap_vprintf(const char *, va_list);
int interleave_wrap_vprintf(const char *format, va_list arguments) { return print(stdout, format, arguments); }

int interleave_wrap_fprintf(FILE *, const char *, ...) __attribute__((format(printf, 2, 3)));
int interleave_wrap_fprintf(FILE *file, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  int count = print(file, format, arguments);
  va_end(arguments);
  return count;
}

int interleave_wrap_printf(const char *, ...) __attribute__((format(printf, 1, 2)));
int interleave_wrap_printf(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  int count = print(stdout, format, arguments);
  va_end(arguments);
  return count;
}

size_t interleave_wrap_fwrite(const void *, size_t, size_t, FILE *);
size_t interleave_wrap_fwrite(const void *from, size_t size, size_t count, FILE *file) {
  struct stream *stream = lock(file);
  if (size && count) shadow_access((uintptr_t)from, size * count, false, false, CALLER);
  size_t done = apart(write_now, (uintptr_t)from, size, count, (uintptr_t)file);
  unlock(stream);
  return done;
}

int interleave_wrap_fputs(const char *, FILE *);
int interleave_wrap_fputs(const char *text, FILE *file) {
  struct stream *stream = lock(file);
  int result = (int)apart(put_now, (uintptr_t)text, (uintptr_t)file, 0, 0);
  unlock(stream);
  return result;
}

int interleave_wrap_puts(const char *);
int interleave_wrap_puts(const char *text) {
  struct stream *stream = lock(stdout);
  int result = (int)apart(put_line_now, (uintptr_t)text, 0, 0, 0);
  unlock(stream);
  return result;
}

int interleave_wrap_fputc(int, FILE *);
int interleave_wrap_fputc(int byte, FILE *file) {
  struct stream *stream = lock(file);
  int result = (int)apart(put_byte_now, (uint64_t)byte, (uintptr_t)file, 0, 0);
  unlock(stream);
  return result;
}

int interleave_wrap_putc(int, FILE *);
int interleave_wrap_putc(int byte, FILE *file) { return interleave_wrap_fputc(byte, file); }

int interleave_wrap_putchar(int);
int interleave_wrap_putchar(int byte) { return interleave_wrap_fputc(byte, stdout); }

int interleave_wrap_fflush(FILE *);
int interleave_wrap_fflush(FILE *file) {
  if (!file) return 0;
  struct stream *stream = lock(file);
  int result = (int)apart(flush_now, (uintptr_t)file, 0, 0, 0);
  unlock(stream);
  return result;
}
