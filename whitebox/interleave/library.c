/* Functions of the C library that read or write the program's memory, with their accesses checked and undone; and those
 * that end the process. Those that write through a pointer must be here: no other write would be undone. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "process.h"
#include "sync.h"

static void reads(const void *from, size_t size, const void *pc) {
  if (size) shadow_access((uintptr_t)from, size, false, false, pc);
}

static void writes(const void *to, size_t size, const void *pc) {
  if (size) shadow_write_range((uintptr_t)to, size, pc);
}

static size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

/* ---- The end ---- */

_Noreturn void interleave_wrap_abort(void) { fail(INTERLEAVE_ASSERTION, "abort() was called"); }

_Noreturn void interleave_wrap___assert_fail(const char *condition, const char *file, unsigned line,
                                             const char *function) {
  fail(INTERLEAVE_ASSERTION, "%s:%u: %s: assertion failed: %s", file, line, function ? function : "?", condition);
}

static _Noreturn void refuse_exit(const char *name, int status) {
  fail(INTERLEAVE_UNSUPPORTED, "%s(%d) was called; a model ends when its run function returns", name, status);
}
_Noreturn void interleave_wrap_exit(int status) { refuse_exit("exit", status); }
_Noreturn void interleave_wrap__exit(int status) { refuse_exit("_exit", status); }
_Noreturn void interleave_wrap__Exit(int status) { refuse_exit("_Exit", status); }
_Noreturn void interleave_wrap_quick_exit(int status) { refuse_exit("quick_exit", status); }

/* ---- Reading ---- */

/* How far a comparison looks: to the first difference, as the loop that C describes would. */
static size_t compared(const void *left, const void *right, size_t size) {
  const unsigned char *a = left, *b = right;
  size_t same = 0;
  while (same < size && a[same] == b[same]) same++;
  return smaller(same + 1, size);
}

int interleave_wrap_memcmp(const void *left, const void *right, size_t size) {
  size_t length = compared(left, right, size);
  reads(left, length, CALLER);
  reads(right, length, CALLER);
  return memcmp(left, right, size);
}

int interleave_wrap_bcmp(const void *left, const void *right, size_t size) {
  size_t length = compared(left, right, size);
  reads(left, length, CALLER);
  reads(right, length, CALLER);
  return memcmp(left, right, size);
}

void *interleave_wrap_memchr(const void *from, int byte, size_t size) {
  const char *at = memchr(from, byte, size);
  reads(from, at ? (size_t)(at - (const char *)from) + 1 : size, CALLER);
  return (void *)(uintptr_t)at;
}

size_t interleave_wrap_strlen(const char *string) {
  size_t length = strlen(string);
  reads(string, length + 1, CALLER);
  return length;
}

size_t interleave_wrap_strnlen(const char *string, size_t most) {
  size_t length = strnlen(string, most);
  reads(string, smaller(length + 1, most), CALLER);
  return length;
}

static int compare_strings(const char *left, const char *right, size_t most, const void *pc) {
  size_t length = smaller(smaller(strnlen(left, most), strnlen(right, most)) + 1, most);
  length = compared(left, right, length);
  reads(left, length, pc);
  reads(right, length, pc);
  return strncmp(left, right, most);
}

int interleave_wrap_strcmp(const char *left, const char *right) {
  return compare_strings(left, right, SIZE_MAX, CALLER);
}

int interleave_wrap_strncmp(const char *left, const char *right, size_t most) {
  return compare_strings(left, right, most, CALLER);
}

static char *found(const char *string, const char *at, const void *pc) {
  reads(string, (at ? (size_t)(at - string) : strlen(string)) + 1, pc);
  return (char *)(uintptr_t)at;
}

char *interleave_wrap_strchr(const char *string, int byte) { return found(string, strchr(string, byte), CALLER); }

char *interleave_wrap_strrchr(const char *string, int byte) {
  reads(string, strlen(string) + 1, CALLER);
  return strrchr(string, byte);
}

char *interleave_wrap_strstr(const char *string, const char *wanted) {
  reads(wanted, strlen(wanted) + 1, CALLER);
  return found(string, strstr(string, wanted), CALLER);
}

/* ---- Copying ---- */

static char *copy(char *to, const char *from, size_t size, const void *pc) {
  reads(from, size, pc);
  writes(to, size, pc);
  return memcpy(to, from, size);
}

void *interleave_wrap_mempcpy(void *to, const void *from, size_t size) { return copy(to, from, size, CALLER) + size; }

void interleave_wrap_bzero(void *to, size_t size) {
  writes(to, size, CALLER);
  memset(to, 0, size);
}

char *interleave_wrap_strcpy(char *to, const char *from) { return copy(to, from, strlen(from) + 1, CALLER); }

char *interleave_wrap_stpcpy(char *to, const char *from) {
  size_t length = strlen(from);
  return copy(to, from, length + 1, CALLER) + length;
}

char *interleave_wrap_strncpy(char *to, const char *from, size_t size) {
  size_t length = strnlen(from, size);
  reads(from, smaller(length + 1, size), CALLER);
  writes(to, size, CALLER);
  memcpy(to, from, length);
  memset(to + length, 0, size - length);
  return to;
}

char *interleave_wrap_strcat(char *to, const char *from) {
  size_t length = strlen(to);
  reads(to, length + 1, CALLER);
  copy(to + length, from, strlen(from) + 1, CALLER);
  return to;
}

char *interleave_wrap_strncat(char *to, const char *from, size_t most) {
  size_t length = strlen(to), more = strnlen(from, most);
  reads(to, length + 1, CALLER);
  copy(to + length, from, more, CALLER);
  writes(to + length + more, 1, CALLER);
  to[length + more] = 0;
  return to;
}

/* ---- Text into memory ---- */

static int print(char *to, size_t size, const char *format, va_list arguments, const void *pc) {
  va_list again;
  va_copy(again, arguments);
  int length = vsnprintf(NULL, 0, format, again);
  va_end(again);
  if (length >= 0) writes(to, smaller((size_t)length + 1, size), pc);
  return vsnprintf(to, size, format, arguments);
}

int interleave_wrap_vsnprintf(char *to, size_t size, const char *format, va_list arguments) {
  return print(to, size, format, arguments, CALLER);
}

int interleave_wrap_snprintf(char *to, size_t size, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  int length = print(to, size, format, arguments, CALLER);
  va_end(arguments);
  return length;
}

int interleave_wrap_sprintf(char *to, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  int length = print(to, SIZE_MAX / 2, format, arguments, CALLER);
  va_end(arguments);
  return length;
}

/* ---- Sorting: the comparison is the program's, so nothing of ours may be on the way ---- */

static void swap(char *a, char *b, size_t size) {
  for (size_t i = 0; i < size; i++) {
    char byte = a[i];
    a[i] = b[i];
    b[i] = byte;
  }
}

static void sift(char *base, size_t root, size_t count, size_t size, int (*compare)(const void *, const void *)) {
  for (size_t child; (child = 2 * root + 1) < count; root = child) {
    if (child + 1 < count && compare(base + child * size, base + (child + 1) * size) < 0) child++;
    if (compare(base + root * size, base + child * size) >= 0) return;
    swap(base + root * size, base + child * size, size);
  }
}

/* A heap sort: libc's would use its own malloc. */
void interleave_wrap_qsort(void *base, size_t count, size_t size, int (*compare)(const void *, const void *)) {
  reads(base, count * size, CALLER);
  writes(base, count * size, CALLER);
  for (size_t root = count / 2; root-- > 0;) sift(base, root, count, size, compare);
  for (size_t last = count; last-- > 1;) {
    swap(base, (char *)base + last * size, size);
    sift(base, 0, last, size, compare);
  }
}
