#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "platform.h"

#ifndef PR_SET_VMA
#define PR_SET_VMA           0x53564d41
#define PR_SET_VMA_ANON_NAME 0
#endif

/* ---- Memory ---- */

/* Below each reservation lies a page that cannot be read: what is scanned to the end of its mapping, such as the stack
 * of a coroutine, ends before ours begins. */
#define GUARD_BYTES 4096u
#define LOOKS       500u /* of platform_spin */

void *platform_reserve(size_t size, size_t alignment) {
  int saved = errno;
  size_t extra = (alignment > 4096 ? alignment - 4096 : 0) + GUARD_BYTES;
  if (size == 0 || size > SIZE_MAX - extra) return NULL;
  char *map = mmap(NULL, size + extra, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (map == MAP_FAILED) {
    errno = saved;
    return NULL;
  }
  char *start = (char *)(((uintptr_t)map + extra) & ~(uintptr_t)(alignment > 4096 ? alignment - 1 : 4095));
  if (start - GUARD_BYTES > map) munmap(map, (size_t)(start - GUARD_BYTES - map));
  if (map + extra > start) munmap(start + size, (size_t)(map + extra - start));
  mprotect(start - GUARD_BYTES, GUARD_BYTES, PROT_NONE);
  prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, start, size, "vgc");
  errno = saved;
  return start;
}

void platform_release(void *start, size_t size) {
  int saved = errno;
  munmap((char *)start - GUARD_BYTES, size + GUARD_BYTES);
  errno = saved;
}

void platform_prefer_huge(void *start, size_t size) {
  int saved = errno;
  madvise(start, size, MADV_HUGEPAGE); /* refused: no harm */
  errno = saved;
}

uintptr_t platform_resident_low(uintptr_t low, uintptr_t high) {
  int saved = errno;
  unsigned char resident[PLATFORM_HOLE / 4096];
  size_t most = sizeof resident;
  uintptr_t lowest = high;
  for (uintptr_t top = (high + 4095) & ~(uintptr_t)4095; top > low;) {
    size_t pages = (top - low + 4095) / 4096, first = 0;
    if (pages > most) pages = most;
    uintptr_t start = top - pages * 4096;
    if (mincore((void *)start, pages * 4096, resident) == 0) {
      while (first < pages && !(resident[first] & 1)) first++;
      if (first == pages) break;
      lowest = start + first * 4096;
      top = start;
    } else if (pages > 1) {
      most = pages / 2; /* some of it is not mapped */
    } else {
      break;
    }
  }
  errno = saved;
  return lowest > low ? lowest : low;
}

void platform_discard(void *start, size_t size) {
  int saved = errno;
  /* Refused for locked pages (mlockall): then they stay, but zero is promised. */
  if (madvise(start, size, MADV_DONTNEED) != 0) memset(start, 0, size);
  errno = saved;
}

/* ---- Time ---- */

uint64_t platform_now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ---- Text ---- */

struct text {
  char bytes[1024];
  size_t length;
};

static void text_char(struct text *text, char c) {
  if (text->length < sizeof text->bytes) text->bytes[text->length++] = c;
}

static void text_string(struct text *text, const char *string) {
  for (const char *c = string ? string : "(null)"; *c; c++) text_char(text, *c);
}

static void text_number(struct text *text, unsigned long long value, unsigned base) {
  char digits[24];
  unsigned count = 0;
  do digits[count++] = "0123456789abcdef"[value % base];
  while ((value /= base) != 0);
  while (count) text_char(text, digits[--count]);
}

static void text_signed(struct text *text, long long value) {
  if (value < 0) text_char(text, '-');
  text_number(text, value < 0 ? 0 - (unsigned long long)value : (unsigned long long)value, 10);
}

static void text_unsigned(struct text *text, const char **format, va_list *arguments) {
  const char *f = *format;
  unsigned longs = 0;
  while (*f == 'l') longs++, f++;
  bool size = *f == 'z';
  if (size) f++;
  unsigned long long value;
  if (size)
    value = va_arg(*arguments, size_t);
  else if (longs == 2)
    value = va_arg(*arguments, unsigned long long);
  else if (longs == 1)
    value = va_arg(*arguments, unsigned long);
  else
    value = va_arg(*arguments, unsigned);
  text_number(text, value, *f == 'x' ? 16 : 10);
  *format = f;
}

static void text_format(struct text *text, const char *format, va_list *arguments) {
  for (const char *f = format; *f; f++) {
    if (*f != '%') {
      text_char(text, *f);
      continue;
    }
    switch (*++f) {
    case 's':
      text_string(text, va_arg(*arguments, const char *));
      break;
    case 'd':
      text_signed(text, va_arg(*arguments, int));
      break;
    case 'p':
      text_string(text, "0x");
      text_number(text, (uintptr_t)va_arg(*arguments, void *), 16);
      break;
    case 'u':
    case 'x':
    case 'z':
    case 'l':
      text_unsigned(text, &f, arguments);
      break;
    case '%':
      text_char(text, '%');
      break;
    default:
      return; /* the format attribute lets no caller get here, except at a '%' that ends the string */
    }
  }
}

void platform_print(const char *format, ...) {
  int saved = errno;
  struct text text;
  text.length = 0;
  va_list arguments;
  va_start(arguments, format);
  text_format(&text, format, &arguments);
  va_end(arguments);
  /* The system call itself: libc's write is a cancellation point, and the thread may hold locks of ours. */
  for (size_t done = 0; done < text.length;) {
    long n = syscall(SYS_write, STDERR_FILENO, text.bytes + done, text.length - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    done += (size_t)n;
  }
  errno = saved;
}

_Noreturn void platform_abort(void) { abort(); }

/* ---- Waiting ---- */

void platform_futex_wait(_Atomic uint32_t *word, uint32_t value, uint64_t timeout_ns) {
  int saved = errno;
  struct timespec timeout = {(time_t)(timeout_ns / 1000000000u), (long)(timeout_ns % 1000000000u)};
  syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, timeout_ns ? &timeout : NULL, NULL, 0);
  errno = saved;
}

void platform_futex_wake_all(_Atomic uint32_t *word) {
  int saved = errno;
  syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
  errno = saved;
}

void platform_nap(unsigned ns) {
  int before;
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
  nanosleep(&(struct timespec){0, (long)ns},
            NULL); /* in which ThreadSanitizer delivers signals, as in no system call */
  pthread_setcancelstate(before, NULL);
}

/* The explorer must not see it: there every look would be a place where another thread may go on. */
NO_SANITIZE void platform_spin(const _Atomic uint32_t *word, uint32_t value) {
  const volatile uint32_t *at = (const volatile uint32_t *)word;
  for (unsigned looks = 0; looks < LOOKS && *at == value; looks++) arch_spin();
}
