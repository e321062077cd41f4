/* syscall(): those that threads and time depend on are replaced, a few harmless ones are passed on, the others would
 * make a run depend on more than the explorer's choices. */
#include <errno.h>
#include <linux/membarrier.h>
#include <sched.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "atomics.h"
#include "futex.h"
#include "process.h"
#include "sync.h"

int interleave_wrap_sched_yield(void);
int interleave_wrap_nanosleep(const struct timespec *, struct timespec *);
int interleave_wrap_clock_nanosleep(clockid_t, int, const struct timespec *, struct timespec *);
int interleave_wrap_clock_gettime(clockid_t, struct timespec *);
int interleave_wrap_tgkill(pid_t, pid_t, int);
int interleave_wrap_sigaltstack(const stack_t *, stack_t *);
int interleave_wrap_sigprocmask(int, const sigset_t *, sigset_t *);
void *interleave_wrap_mmap(void *, size_t, int, int, int, off_t);
int interleave_wrap_munmap(void *, size_t);
int interleave_wrap_madvise(void *, size_t, int);
int interleave_wrap_mprotect(void *, size_t, int);
void *interleave_wrap_mremap(void *, size_t, size_t, int, ...);

pid_t interleave_wrap_getpid(void) { return PROCESS_ID; }
pid_t interleave_wrap_gettid(void) { return thread_id(self()); }
pid_t interleave_wrap_getppid(void) { return 1; }

struct arguments {
  long a[6];
};

#define POINTER(i) ((void *)arguments->a[i])

static long result(long value) {
  if (value >= 0) return value;
  errno = (int)-value;
  return -1;
}

/* How the kernel is asked whether an address can be read: with a `how` that is none (libvgc does). */
static long signal_mask(const struct arguments *arguments) {
  int how = (int)arguments->a[0];
  if (arguments->a[3] != 8) return result(-EINVAL);
  if (how == SIG_BLOCK || how == SIG_UNBLOCK || how == SIG_SETMASK || !POINTER(1))
    return interleave_wrap_sigprocmask(how, POINTER(1), POINTER(2));
  return result(map_readable((uintptr_t)arguments->a[1]) ? -EINVAL : -EFAULT);
}

static long absolute_or_not(const struct arguments *arguments) {
  return result(
      -interleave_wrap_clock_nanosleep((clockid_t)arguments->a[0], (int)arguments->a[1], POINTER(2), POINTER(3)));
}

#define BARRIERS                                                                                                       \
  (MEMBARRIER_CMD_GLOBAL | MEMBARRIER_CMD_GLOBAL_EXPEDITED | MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED |                \
   MEMBARRIER_CMD_PRIVATE_EXPEDITED | MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED)

static long barrier(int command) {
  switch (command) {
  case MEMBARRIER_CMD_QUERY:
    return BARRIERS;
  case MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED:
  case MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED:
    return 0;
  case MEMBARRIER_CMD_GLOBAL:
  case MEMBARRIER_CMD_GLOBAL_EXPEDITED:
  case MEMBARRIER_CMD_PRIVATE_EXPEDITED:
    atomics_fence_everybody();
    return 0;
  default:
    return result(-EINVAL);
  }
}

/* Of threads, locks and time. False: it is none of these. */
static bool of_threads(long number, const struct arguments *arguments, const void *pc, long *value) {
  switch (number) {
  case SYS_futex:
    *value = result(futex_call(POINTER(0), (int)arguments->a[1], (uint32_t)arguments->a[2], POINTER(3),
                               (uint32_t)arguments->a[5], pc));
    return true;
  case SYS_membarrier:
    *value = barrier((int)arguments->a[0]);
    return true;
  case SYS_gettid:
    *value = interleave_wrap_gettid();
    return true;
  case SYS_getpid:
    *value = interleave_wrap_getpid();
    return true;
  case SYS_getppid:
    *value = interleave_wrap_getppid();
    return true;
  case SYS_tgkill:
    *value = interleave_wrap_tgkill((pid_t)arguments->a[0], (pid_t)arguments->a[1], (int)arguments->a[2]);
    return true;
  case SYS_tkill:
    *value = interleave_wrap_tgkill(PROCESS_ID, (pid_t)arguments->a[0], (int)arguments->a[1]);
    return true;
  case SYS_rt_sigprocmask:
    *value = signal_mask(arguments);
    return true;
  case SYS_sigaltstack:
    *value = interleave_wrap_sigaltstack(POINTER(0), POINTER(1));
    return true;
  case SYS_sched_yield:
    *value = interleave_wrap_sched_yield();
    return true;
  case SYS_nanosleep:
    *value = interleave_wrap_nanosleep(POINTER(0), POINTER(1));
    return true;
  case SYS_clock_nanosleep:
    *value = absolute_or_not(arguments);
    return true;
  case SYS_clock_gettime:
    *value = interleave_wrap_clock_gettime((clockid_t)arguments->a[0], POINTER(1));
    return true;
  default:
    return false;
  }
}

static bool of_memory(long number, const struct arguments *arguments, long *value) {
  const long *a = arguments->a;
  switch (number) {
  case SYS_mmap:
    *value = (long)interleave_wrap_mmap(POINTER(0), (size_t)a[1], (int)a[2], (int)a[3], (int)a[4], (off_t)a[5]);
    return true;
  case SYS_munmap:
    *value = interleave_wrap_munmap(POINTER(0), (size_t)a[1]);
    return true;
  case SYS_madvise:
    *value = interleave_wrap_madvise(POINTER(0), (size_t)a[1], (int)a[2]);
    return true;
  case SYS_mprotect:
    *value = interleave_wrap_mprotect(POINTER(0), (size_t)a[1], (int)a[2]);
    return true;
  case SYS_mremap:
    *value = (long)interleave_wrap_mremap(POINTER(0), (size_t)a[1], (size_t)a[2], (int)a[3], POINTER(4));
    return true;
  default:
    return false;
  }
}

/* Files are the kernel's: what a run reads from them should not change from run to run. */
static bool is_harmless(long number) {
  switch (number) {
  case SYS_write:
  case SYS_openat:
  case SYS_close:
  case SYS_lseek:
  case SYS_getuid:
  case SYS_geteuid:
  case SYS_uname:
    return true;
  default:
    return false;
  }
}

static long read_file(const struct arguments *arguments, const void *pc) {
  shadow_write_range((uintptr_t)arguments->a[1], (size_t)arguments->a[2], pc);
  return syscall(SYS_read, arguments->a[0], arguments->a[1], arguments->a[2]);
}

long interleave_wrap_syscall(long number, ...) {
  struct arguments arguments;
  va_list list;
  va_start(list, number);
  for (unsigned i = 0; i < 6; i++) arguments.a[i] = va_arg(list, long);
  va_end(list);
  const long *a = arguments.a;
  long value;
  if (of_threads(number, &arguments, CALLER, &value) || of_memory(number, &arguments, &value)) return value;
  if (number == SYS_write && a[0] <= 2 && !RT->recording) return a[2]; /* as stdio.c */
  if (number == SYS_read) return read_file(&arguments, CALLER);
  if (is_harmless(number)) return syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
  fail(INTERLEAVE_UNSUPPORTED, "system call number %ld, which the explorer does not model", number);
}
