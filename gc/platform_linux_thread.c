#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "platform.h"

ARCH_DEFINE_WITH_REGISTERS;

/* How to run under a debugger: gdb reads this section when it loads the program. The default signal only: another one
 * is the user's choice and the user's handle command. */
__asm__(".pushsection .debug_gdb_scripts, \"MS\", %progbits, 1\n"
        ".byte 4\n" /* a script in Python follows: its name, then its text */
        ".ascii \"gdb.inlined-vgc\\n\"\n"
        ".ascii \"import gdb\\n\"\n"
        ".ascii \"gdb.execute('handle SIGPWR nostop noprint pass', False, True)\\n\"\n"
        ".byte 0\n"
        ".popsection\n");

/* ---- Files of /proc, by system calls: libc's stdio takes locks that a suspended thread may hold ---- */

struct proc_file {
  int fd;
  size_t length, next;
  char buffer[1024];
};

static bool proc_open(struct proc_file *file, const char *path) {
  file->length = file->next = 0;
  file->fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
  return file->fd >= 0;
}

static void proc_close(struct proc_file *file) { syscall(SYS_close, file->fd); }

/* The next byte, or -1. */
static int proc_byte(struct proc_file *file) {
  if (file->next == file->length) {
    long n;
    do n = syscall(SYS_read, file->fd, file->buffer, sizeof file->buffer);
    while (n < 0 && errno == EINTR);
    if (n <= 0) return -1;
    file->length = (size_t)n;
    file->next = 0;
  }
  return (unsigned char)file->buffer[file->next++];
}

/* Reads a hexadecimal number; *end is the byte after it. */
static uintptr_t proc_hex(struct proc_file *file, int *end) {
  uintptr_t value = 0;
  for (;;) {
    int c = proc_byte(file);
    unsigned digit = (unsigned)c - '0';
    if (digit > 9) digit = (unsigned)c - 'a' < 6 ? (unsigned)c - 'a' + 10 : 16;
    if (digit > 15) {
      *end = c;
      return value;
    }
    value = value << 4 | digit;
  }
}

/* The rest of the line, cut to the buffer; false at the end of the file. */
static bool proc_line(struct proc_file *file, char *line, size_t size) {
  size_t length = 0;
  int c;
  while ((c = proc_byte(file)) >= 0 && c != '\n')
    if (length + 1 < size) line[length++] = (char)c;
  line[length] = 0;
  return c >= 0 || length;
}

/* ---- Stacks ---- */

#define STACK_TOP_MAX 65536 /* generous for what libc keeps beside a thread pointer */

bool platform_mapping(uintptr_t address, uintptr_t *low, uintptr_t *high) {
  int saved = errno;
  bool found = false;
  struct proc_file file;
  if (!proc_open(&file, "/proc/self/maps")) {
    errno = saved;
    return false;
  }
  for (int end; !found;) {
    uintptr_t from = proc_hex(&file, &end);
    if (end != '-') break;
    uintptr_t to = proc_hex(&file, &end);
    char rest[64];
    if (!proc_line(&file, rest, sizeof rest) || from > address) break;
    if (address < to) {
      found = rest[0] == 'r';
      *low = from;
      *high = to;
      break;
    }
  }
  proc_close(&file);
  errno = saved;
  return found;
}

uintptr_t platform_mapping_end(uintptr_t address) {
  int saved = errno;
  uintptr_t high = 0;
  char first[64], rest[64];
  struct proc_file file;
  if (!proc_open(&file, "/proc/self/maps")) {
    errno = saved;
    return 0;
  }
  for (int end;;) {
    uintptr_t from = proc_hex(&file, &end);
    if (end != '-') break;
    uintptr_t to = proc_hex(&file, &end);
    bool line = proc_line(&file, rest, sizeof rest);
    if (!line || from > (high ? high : address)) break;
    if (to <= address) continue;
    /* Behind the permissions: what is mapped. */
    if (rest[0] != 'r' || (high && strcmp(rest + 4, first) != 0)) break;
    if (!high) memcpy(first, rest + 4, sizeof first - 4);
    high = to;
  }
  proc_close(&file);
  errno = saved;
  return high;
}

/* The kernel copies a signal set from the address before it finds the first argument invalid: EFAULT says that it could
 * not be read, and nothing has happened either way. Without an address there is no set to copy. */
static bool word_readable(uintptr_t address) {
  if (!address) return false;
  return syscall(SYS_rt_sigprocmask, -1, address, NULL, 8) == 0 || errno != EFAULT;
}

bool platform_readable(uintptr_t start, size_t size) {
  int saved = errno;
  const uintptr_t last = UINTPTR_MAX - 4095; /* no page above it */
  bool readable = start <= last && size <= last - start;
  for (uintptr_t at = start & ~(uintptr_t)7; readable && at < start + size; at = (at | 4095) + 1)
    readable = word_readable(at);
  errno = saved;
  return readable;
}

bool platform_stack_bounds(uintptr_t *low, uintptr_t *high) {
  pthread_attr_t attributes;
  void *start;
  size_t size;
  if (pthread_getattr_np(pthread_self(), &attributes) != 0) return false;
  int rc = pthread_attr_getstack(&attributes, &start, &size);
  pthread_attr_destroy(&attributes);
  if (rc != 0) return false;
  *low = (uintptr_t)start;
  *high = (uintptr_t)start + size;
  uintptr_t here = (uintptr_t)__builtin_frame_address(0);
  /* glibc counts the main thread's stack to the frame of the program's entry; argv and the environment, which a program
   * may point at heap objects, lie above, with the program's name last. In a forked child the only thread may stand on
   * another stack, with who knows what above it. */
  uintptr_t map_low, map_high, name = (uintptr_t)getauxval(AT_EXECFN);
  if (platform_thread_id() == getpid() && platform_mapping(here, &map_low, &map_high) && name >= map_low &&
      name < map_high)
    *high = map_high;
  return *low < *high && here < *high;
}

bool platform_stack_mapped(uintptr_t *low, uintptr_t *high) {
  if (!platform_mapping((uintptr_t)__builtin_frame_address(0), low, high)) return false;
  /* The stack of a thread that libc made ends with the thread's structure and static storage, at its thread pointer;
   * the mapping may go on, as one with a neighbour's. */
  uintptr_t tp = arch_thread_pointer();
  if (tp >= *low && tp<*high && * high - tp> STACK_TOP_MAX) *high = (tp + STACK_TOP_MAX) & ~(uintptr_t)4095;
  return true;
}

void platform_clear_registers(void) { arch_clear_scratch(); }

void platform_position_take(struct platform_position *position, uintptr_t sp) {
  position->sp = sp;
  position->alternate_low = position->alternate_high = 0;
  position->fake_stack = platform_fake_stack();
  /* Asked wherever sp lies: an alternate stack may be an array on the thread's own. */
  int saved = errno;
  stack_t alternate;
  if (syscall(SYS_sigaltstack, NULL, &alternate) == 0 && !(alternate.ss_flags & SS_DISABLE) &&
      sp - (uintptr_t)alternate.ss_sp < alternate.ss_size) {
    position->alternate_low = (uintptr_t)alternate.ss_sp;
    position->alternate_high = (uintptr_t)alternate.ss_sp + alternate.ss_size;
  }
  errno = saved;
}

/* ---- Signals ---- */

unsigned platform_processors(void) {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return CPU_SETSIZE; /* there are more than it holds */
  return (unsigned)CPU_COUNT(&set);
}

int platform_thread_id(void) { return (int)syscall(SYS_gettid); }

uintptr_t platform_thread_pointer(void) { return arch_thread_pointer(); }

int platform_thread_signal(int tid, unsigned signal) {
  int saved = errno;
  int rc = tgkill(getpid(), tid, (int)signal) == 0 ? 0 : errno;
  errno = saved;
  return rc;
}

int platform_handler_install(unsigned signal, void (*handler)(int)) {
  struct sigaction action, old;
  if (signal == 0 || signal >= NSIG || sigaction((int)signal, NULL, &old) != 0) return EINVAL;
  bool siginfo = (old.sa_flags & SA_SIGINFO) != 0;
  if (siginfo || (old.sa_handler != SIG_DFL && old.sa_handler != SIG_IGN && old.sa_handler != handler)) return EBUSY;
  memset(&action, 0, sizeof action);
  action.sa_handler = handler;
  /* Not SA_ONSTACK: the scan begins at the handler's own frame, so that frame must be on the interrupted stack. */
  action.sa_flags = SA_RESTART;
  /* Every bit: sigfillset leaves out the signal by which libc cancels a thread, and a cancelled thread would unwind out
   * of the handler, run its destructors in the stopped world, and keep the suspend signal blocked (X20). */
  memset(&action.sa_mask, 0xff, sizeof action.sa_mask);
  return sigaction((int)signal, &action, NULL) == 0 ? 0 : EINVAL;
}

bool platform_handler_installed(unsigned signal, void (*handler)(int)) {
  struct sigaction action;
  return sigaction((int)signal, NULL, &action) == 0 && !(action.sa_flags & SA_SIGINFO) && action.sa_handler == handler;
}

void platform_handler_remove(unsigned signal, void (*handler)(int)) {
  if (!platform_handler_installed(signal, handler)) return;
  struct sigaction action;
  memset(&action, 0, sizeof action);
  /* Ignored, not default: a signal may still be pending, and the default of most of them is to end the process. */
  action.sa_handler = SIG_IGN;
  sigaction((int)signal, &action, NULL);
}

void platform_signal_unblock(unsigned signal) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, (int)signal);
  pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

/* By the kernel's call, for libc's refuse this signal. Its handler makes one system call. The signal before it, by
 * which a thread is cancelled, stays blocked: see platform_handler_install. */
void platform_admit_setxid(void) {
  uint64_t set = UINT64_C(1) << __SIGRTMIN; /* number __SIGRTMIN + 1, and bits count from 0 */
  syscall(SYS_rt_sigprocmask, SIG_UNBLOCK, &set, NULL, sizeof set);
}

/* ---- A thread that does not answer ---- */

/* "/proc/self/task/TID/name" */
static void task_path(char *path, int tid, const char *name) {
  static const char prefix[] = "/proc/self/task/";
  char *p = path;
  for (const char *c = prefix; *c; c++) *p++ = *c;
  char digits[12];
  unsigned count = 0;
  for (unsigned value = (unsigned)tid; count == 0 || value; value /= 10) digits[count++] = (char)('0' + value % 10);
  while (count) *p++ = digits[--count];
  *p++ = '/';
  while ((*p++ = *name++)) {
  }
}

static const char *task_text(int tid, const char *name, char *text, size_t size) {
  char path[64];
  task_path(path, tid, name);
  struct proc_file file;
  if (!proc_open(&file, path)) return "?";
  bool read = proc_line(&file, text, size) && text[0];
  proc_close(&file);
  return read ? text : "?";
}

/* The value of a "Name:\tvalue" line of the thread's status file. */
static const char *task_status(int tid, const char *name, char *text, size_t size) {
  char path[64];
  task_path(path, tid, "status");
  struct proc_file file;
  if (!proc_open(&file, path)) return "?";
  const char *value = "?";
  while (value[0] == '?' && proc_line(&file, text, size)) {
    char *colon = strchr(text, ':');
    if (!colon) continue;
    *colon = 0;
    if (strcmp(text, name) != 0) continue;
    value = colon + 1;
    while (*value == '\t' || *value == ' ') value++;
  }
  proc_close(&file);
  return value;
}

static bool signal_blocked(const char *mask, unsigned signal) {
  uint64_t bits = 0;
  for (const char *c = mask; *c; c++) {
    unsigned digit = (unsigned)*c - '0';
    if (digit > 9) digit = (unsigned)*c - 'a' + 10;
    if (digit > 15) return false;
    bits = bits << 4 | digit;
  }
  return bits >> (signal - 1) & 1;
}

bool platform_signal_blocked(int tid, unsigned signal) {
  int saved = errno;
  char mask[128];
  bool blocked = signal_blocked(task_status(tid, "SigBlk", mask, sizeof mask), signal);
  errno = saved;
  return blocked;
}

void platform_thread_describe(int tid, unsigned signal) {
  int saved = errno;
  char name[32], state[128], mask[128], wait[64], call[128];
  const char *blocked = task_status(tid, "SigBlk", mask, sizeof mask);
  const char *what = task_status(tid, "State", state, sizeof state);
  platform_print("vgc: thread %d (%s) does not answer the suspend signal %u: state %s, wchan %s, syscall %s; %s; still "
                 "waiting\n",
                 tid, task_text(tid, "comm", name, sizeof name), signal, what,
                 task_text(tid, "wchan", wait, sizeof wait), task_text(tid, "syscall", call, sizeof call),
                 signal_blocked(blocked, signal)
                     ? "the program blocks that signal: unblock it, or choose another with VGC_SUSPEND_SIGNAL"
                     : "the signal is not blocked: a stopped or traced thread, or one in an uninterruptible call");
  errno = saved;
}
