/* Between the program's call and libc's function there may be a sanitizer's interceptor, on either side of ours:
 *
 *   vgc first         program -> vgc -> interceptor -> libc     archive, or vgc preloaded
 *   sanitizer first   program -> interceptor -> vgc -> libc     libvgc.so: the runtime in the executable, or linked
 *                                                                before it, answers first and finds us by RTLD_NEXT
 *   none              program -> vgc -> libc
 *
 * Behind a sanitizer the start function that we are given is its own, and its argument leads to the program's function
 * and argument, in memory that is no root. A call with known values, made once, shows where they lie: if in what the
 * sanitizer's argument points to, ours are put in their place. If nowhere there, the new thread registers before the
 * sanitizer's function, and its record inherits a copy of the top of the creator's stack, where the interceptor's frame
 * holds them, until the thread first calls vgc. The sanitizer's service threads come the same way with another start
 * function: they are passed on unregistered.
 *
 * These functions have no version in libvgc.map, so that they also answer references that carry glibc's. */
#include "spawn.h"

#include <dlfcn.h>
#include <errno.h>
#include <mqueue.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <threads.h>
#include <time.h>

#include "config.h"
#include "platform.h"
#include "point.h"
#include "thread.h"
#include "vgc.h"
#include "world.h"

typedef void *start_function(void *);

/* ---- What lies behind ours ---- */

/* Absent from a -static program. */
#pragma weak dlsym

/* In a -static program libc's functions have these names beside the public ones, which are now ours. A weak reference
 * does not make the linker take an archive member: mq_notify and thrd_exit, which use them, do, and
 * pthread_clockjoin_np, which is not ours in the archive, stands for all ways to join. */
extern __typeof__(pthread_create) __pthread_create __attribute__((weak));
extern __typeof__(pthread_exit) __pthread_exit __attribute__((weak));
extern __typeof__(pthread_detach) __pthread_detach __attribute__((weak));
__attribute__((used)) static int (*const pull_create)(mqd_t, const struct sigevent *) = mq_notify;
__attribute__((used)) static void (*const pull_exit)(int) = thrd_exit;

static int static_join(pthread_t thread, void **result) {
  return pthread_clockjoin_np(thread, result, CLOCK_MONOTONIC, NULL);
}

static int static_tryjoin(pthread_t thread, void **result) {
  static const struct timespec past;
  int rc = pthread_clockjoin_np(thread, result, CLOCK_MONOTONIC, &past);
  return rc == ETIMEDOUT ? EBUSY : rc;
}

static int static_timedjoin(pthread_t thread, void **result, const struct timespec *deadline) {
  return pthread_clockjoin_np(thread, result, CLOCK_REALTIME, deadline);
}

#define INTERCEPTOR(name)                                                                                              \
  extern char __interceptor_##name[] __attribute__((weak));                                                            \
  extern char ___interceptor_##name[] __attribute__((weak))
INTERCEPTOR(pthread_create);
INTERCEPTOR(pthread_exit);
INTERCEPTOR(pthread_join);
INTERCEPTOR(pthread_tryjoin_np);
INTERCEPTOR(pthread_timedjoin_np);
INTERCEPTOR(pthread_detach);

/* Immutable once spawn_start has returned. */
static struct {
  int (*create)(pthread_t *, const pthread_attr_t *, start_function *, void *);
  void (*exit)(void *);
  int (*join)(pthread_t, void **);
  int (*tryjoin)(pthread_t, void **);
  int (*timedjoin)(pthread_t, void **, const struct timespec *);
  int (*detach)(pthread_t);
} next COLLECTOR_DATA;

/* What the program itself would call: the interceptors, if they are first. */
static struct {
  int (*create)(pthread_t *, const pthread_attr_t *, start_function *, void *);
  int (*join)(pthread_t, void **);
  int (*detach)(pthread_t);
} front COLLECTOR_DATA;

#define NOWHERE      UINT32_MAX
#define SEARCH_WORDS 64u

static bool behind_sanitizer COLLECTOR_DATA;
static start_function *sanitizer_start COLLECTOR_DATA;
/* Index of the program's function, followed by its argument, among the words behind the sanitizer's argument; or
 * NOWHERE. */
static unsigned program_call COLLECTOR_DATA = NOWHERE;
/* Its address marks the call by which ask_order learns who is first. */
static pthread_attr_t probe COLLECTOR_DATA;
static pthread_once_t started COLLECTOR_DATA = PTHREAD_ONCE_INIT;
/* In our call of the next pthread_create: an interceptor may come back to ours on its way to libc's. */
static _Thread_local bool creating __attribute__((tls_model("initial-exec")));
/* In our thrd_create: the start function that comes is one of C11's. */
static _Thread_local bool creating_c11 __attribute__((tls_model("initial-exec")));

static void *find_default(const char *name) { return dlsym ? dlsym(RTLD_DEFAULT, name) : NULL; }

#define OWN(name, ...)                                                                                                 \
  extern __typeof__(name) own_##name __attribute__((visibility("hidden"), alias(#name), ##__VA_ARGS__))
OWN(pthread_create, nothrow);
OWN(pthread_join);
OWN(pthread_detach, nothrow, leaf);
OWN(pthread_exit, noreturn);

/* Programs do not find ours, but another library's before it. */
static bool is_shadowed(void) {
  void *first = find_default("pthread_create");
  int (*own)(pthread_t *, const pthread_attr_t *, start_function *, void *) = own_pthread_create;
  return first && memcmp(&first, &own, sizeof first) != 0;
}

/* Where libvgc.so comes after libc, as under a libgc.so that a library needs, what it is given is libc's already. */
static void *find_behind(const char *name) {
  void *found = dlsym ? dlsym(RTLD_NEXT, name) : NULL;
  return !found && is_shadowed() ? find_default(name) : found;
}

static void *find_next(const char *name, char *interceptor, char *other) {
  if (!behind_sanitizer && interceptor) return interceptor;
  if (!behind_sanitizer && other) return other;
  return find_behind(name);
}

/* A function pointer from an object pointer, which ISO C does not convert. */
#define FIND_NEXT(to, name, in_static)                                                                                 \
  do {                                                                                                                 \
    void *found_ = find_next(#name, ___interceptor_##name, __interceptor_##name);                                      \
    if (found_)                                                                                                        \
      memcpy(&(to), &found_, sizeof(to));                                                                              \
    else                                                                                                               \
      (to) = in_static;                                                                                                \
    if (!(to)) missing(#name);                                                                                         \
  } while (0)
#define FIND_FRONT(to, name, own)                                                                                      \
  do {                                                                                                                 \
    void *found_ = behind_sanitizer ? find_default(name) : NULL;                                                       \
    if (found_)                                                                                                        \
      memcpy(&(to), &found_, sizeof(to));                                                                              \
    else                                                                                                               \
      (to) = own;                                                                                                      \
  } while (0)

static _Noreturn void missing(const char *name) {
  platform_print("vgc: no %s behind vgc's own: link libc after vgc, or use the shared libvgc\n", name);
  platform_abort();
}

static void *probe_start(void *arg) { return arg; }

/* What ours learns from the call that ask_order makes. */
static NO_SANITIZE void answer_probe(start_function *start, const void *arg) {
  const uintptr_t *words = arg;
  sanitizer_start = start;
  for (unsigned i = 0; i + 1 < SEARCH_WORDS && platform_readable((uintptr_t)&words[i], 2 * sizeof *words); i++)
    if (words[i] == (uintptr_t)probe_start && words[i + 1] == (uintptr_t)&probe) {
      program_call = i;
      return;
    }
}

/* Calls pthread_create as the program would, with attributes that ours recognizes; ours answers EAGAIN and creates
 * nothing. If a thread comes of it, the call did not pass through ours: then ours is not behind the sanitizer. */
static void ask_order(void *first) {
  int (*create)(pthread_t *, const pthread_attr_t *, start_function *, void *);
  memcpy(&create, &first, sizeof create);
  pthread_t thread;
  if (pthread_attr_init(&probe) != 0) return;
  creating = true; /* the sanitizer may start a service thread first */
  int rc = create(&thread, &probe, probe_start, &probe);
  creating = false;
  if (rc == 0) {
    int (*join)(pthread_t, void **);
    void *found = find_default("pthread_join");
    memcpy(&join, &found, sizeof join);
    join(thread, NULL);
  }
  pthread_attr_destroy(&probe);
}

static void find_all(void) {
  FIND_NEXT(next.create, pthread_create, __pthread_create);
  FIND_NEXT(next.exit, pthread_exit, __pthread_exit);
  FIND_NEXT(next.join, pthread_join, static_join);
  FIND_NEXT(next.tryjoin, pthread_tryjoin_np, static_tryjoin);
  FIND_NEXT(next.timedjoin, pthread_timedjoin_np, static_timedjoin);
  FIND_NEXT(next.detach, pthread_detach, __pthread_detach);
  FIND_FRONT(front.create, "pthread_create", own_pthread_create);
  FIND_FRONT(front.join, "pthread_join", own_pthread_join);
  FIND_FRONT(front.detach, "pthread_detach", own_pthread_detach);
}

static void start_once(void) {
  void *first = platform_sanitizer_runtime() ? find_default("pthread_create") : NULL;
  start_function *none = NULL;
  int (*own)(pthread_t *, const pthread_attr_t *, start_function *, void *) = own_pthread_create;
  void *after = find_behind("pthread_create");
  memcpy(&next.create, &after, sizeof after);
  if (first && memcmp(&first, &own, sizeof first) != 0) ask_order(first);
  behind_sanitizer = sanitizer_start != none;
  find_all();
}

void spawn_start(void) { pthread_once(&started, start_once); }

/* Before other constructors and before main, which may start threads. */
__attribute__((constructor(101))) static void begin(void) {
  spawn_start();
  platform_modules_learn();
  platform_storage_learn();
  thread_set_signal(config_suspend_signal());
  thread_register_first();
}

/* ---- Creation ---- */

/* The new thread begins: from here on it is stopped and scanned. What the record's argument was. */
static void *arrive(struct thread *self) {
  if (!thread_arrive(self)) {
    platform_print(
        "vgc: no memory to learn the bounds of a new thread's stack; start fewer threads or raise the limit\n");
    platform_abort();
  }
  void *argument = self->argument;
  OPAQUE(argument); /* on this stack or in a register before the record lets go of it */
  self->argument = NULL;
  return argument;
}

static NOINLINE void *run(struct thread *self) {
  void *argument = arrive(self);
  void *result = self->start(argument);
  thread_set_result(result);
  return result;
}

static NOINLINE void *run_c11(struct thread *self) {
  void *argument = arrive(self);
  thrd_start_t start;
  memcpy(&start, &self->start, sizeof start);
  return (void *)(intptr_t)start(argument);
}

static void leave_region(void *self) { world_blocking_leave(self); }

/* Under a cleanup handler of ours, the last of the thread's: destructors of C++ thread-local objects, which follow at
 * once, may use the heap. It is set up before this stack holds the argument, of which it would keep a copy. */
static void *run_to_the_end(struct thread *self, void *(*body)(struct thread *)) {
  void *result;
  pthread_cleanup_push(leave_region, self);
  result = body(self);
  pthread_cleanup_pop(0);
  return result;
}

static void *child(void *arg) { return run_to_the_end(arg, run); }
static void *child_c11(void *arg) { return run_to_the_end(arg, run_c11); }

/* Copies the top of the creator's stack, from its registers up, into the record. False if there is no memory. */
static NO_SANITIZE bool inherit(struct thread *born, const uintptr_t *registers) {
  uintptr_t *copy = platform_reserve(THREAD_INHERITED_BYTES, 4096);
  if (!copy) return false;
  for (size_t i = 0; i < THREAD_INHERITED_BYTES / sizeof *copy; i++) {
    bool new_page = i == 0 || (uintptr_t)&registers[i] % 4096 == 0;
    if (new_page && !platform_readable((uintptr_t)&registers[i], sizeof *copy)) break;
    copy[i] = registers[i];
  }
  born->inherited = copy;
  return true;
}

struct creation {
  pthread_t *thread;
  const pthread_attr_t *attributes;
  start_function *start;
  void *arg;
  int rc;
};

struct words {
  start_function *start;
  void *argument;
};

/* Where the program's function and argument lie, if a sanitizer holds them and they can be replaced; else NULL. */
static struct words *program_words(const struct creation *creation) {
  return behind_sanitizer && program_call != NOWHERE ? (struct words *)((uintptr_t *)creation->arg + program_call)
                                                     : NULL;
}

/* The call of the next function, with child(born) in the place of what the program gave. */
static int create_next(const struct creation *creation, struct words *words, struct thread *born) {
  /* A record that inherits has the sanitizer's function. */
  start_function *first = creating_c11 && !born->inherited ? child_c11 : child;
  if (words) *words = (struct words){first, born};
  creating = true;
  int rc = words ? next.create(creation->thread, creation->attributes, creation->start, creation->arg)
                 : next.create(creation->thread, creation->attributes, first, born);
  creating = false;
  return rc;
}

static int create(const struct creation *creation, const uintptr_t *registers) {
  int detach_state = PTHREAD_CREATE_JOINABLE;
  if (creation->attributes) pthread_attr_getdetachstate(creation->attributes, &detach_state);
  struct words *words = program_words(creation);
  struct words program = words ? *words : (struct words){creation->start, creation->arg};
  struct thread *born = thread_birth(program.start, program.argument, detach_state == PTHREAD_CREATE_DETACHED);
  if (!born) return EAGAIN;
  if (behind_sanitizer && !words && !inherit(born, registers)) {
    thread_stillborn(born);
    return EAGAIN;
  }
  uint64_t birth = born->birth;
  POINT(spawn_before_create);
  int rc = create_next(creation, words, born);
  POINT(spawn_after_create);
  if (rc != 0)
    thread_stillborn(born);
  else
    thread_set_handle(born, birth, *creation->thread);
  return rc;
}

/* As in a blocking region: sanitizers block all signals and then wait for locks of theirs, which a suspended thread may
 * hold, so the creator must not be one that the stopper waits for. Its frames stay, and the record holds the argument.
 */
static void create_blocking(void *arg, uintptr_t *registers) {
  struct creation *creation = arg;
  struct thread *self = thread_self();
  bool entered = self && world_blocking_enter(self, registers);
  creation->rc = create(creation, registers);
  if (entered) world_blocking_leave(self);
}

VGC_API int pthread_create(pthread_t *restrict thread, const pthread_attr_t *restrict attributes, start_function *start,
                           void *restrict arg) {
  if (attributes == &probe) {
    answer_probe(start, arg);
    return EAGAIN;
  }
  if (creating) return next.create(thread, attributes, start, arg);
  spawn_start();
  bool service = behind_sanitizer && start != sanitizer_start;
  if (service) return next.create(thread, attributes, start, arg);
  struct creation creation = {thread, attributes, start, arg, 0};
  platform_with_registers(create_blocking, &creation);
  return creation.rc;
}

/* Signals that an instruction raises: blocked, they end the process without the program's handler. */
static const int own_faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS};

/* As create_blocking, and for the same reason. */
static void create_service(void *arg, uintptr_t *registers) {
  struct creation *creation = arg;
  struct thread *self = thread_self();
  bool entered = self && world_blocking_enter(self, registers);
  sigset_t all, before;
  sigfillset(&all);
  for (unsigned i = 0; i < sizeof own_faults / sizeof *own_faults; i++) sigdelset(&all, own_faults[i]);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  creating = true;
  creation->rc = front.create(creation->thread, NULL, creation->start, creation->arg);
  creating = false;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (entered) world_blocking_leave(self);
}

int spawn_service(pthread_t *thread, start_function *start, void *arg) {
  struct creation creation = {thread, NULL, start, arg, 0};
  platform_with_registers(create_service, &creation);
  return creation.rc;
}

int spawn_service_join(pthread_t thread) { return front.join(thread, NULL); }

/* ---- Results ---- */

VGC_API _Noreturn void pthread_exit(void *result) {
  spawn_start();
  /* Cleanup handlers run with the heap usable. */
  struct thread *self = thread_self();
  if (self) world_blocking_leave(self);
  thread_set_result(result);
  next.exit(result);
  __builtin_unreachable();
}

int spawn_joined(struct thread *thread, uint64_t birth, void *value, void **result) {
  if (result) *result = value;
  if (thread) thread_forget(thread, birth);
  /* Within its own pthread_join, ThreadSanitizer does not see locks: what is theirs stays for the next cycle. */
  if (!behind_sanitizer) thread_reap();
  return 0;
}

VGC_API int pthread_join(pthread_t thread, void **result) { SPAWN_JOIN(thread, result, next.join(thread, &value)); }

VGC_API int pthread_tryjoin_np(pthread_t thread, void **result) {
  SPAWN_JOIN(thread, result, next.tryjoin(thread, &value));
}

VGC_API int pthread_timedjoin_np(pthread_t thread, void **result, const struct timespec *deadline) {
  SPAWN_JOIN(thread, result, next.timedjoin(thread, &value, deadline));
}

VGC_API int pthread_detach(pthread_t thread) {
  spawn_start();
  uint64_t birth = 0;
  struct thread *record = thread_find(thread, &birth);
  int rc = next.detach(thread);
  if (rc == 0 && record) thread_forget(record, birth);
  return rc;
}

/* ---- C11 threads, over the above: sanitizers know nothing of them. thrd_exit gives no pointer and stays libc's. ----
 */

static int thrd_status(int rc) {
  switch (rc) {
  case 0:
    return thrd_success;
  case ENOMEM:
    return thrd_nomem;
  case ETIMEDOUT:
    return thrd_timedout;
  case EBUSY:
    return thrd_busy;
  default:
    return thrd_error;
  }
}

VGC_API int thrd_create(thrd_t *thread, thrd_start_t start, void *arg) {
  spawn_start();
  start_function *function;
  memcpy(&function, &start, sizeof function);
  creating_c11 = true;
  int rc = front.create(thread, NULL, function, arg);
  creating_c11 = false;
  return thrd_status(rc);
}

VGC_API int thrd_join(thrd_t thread, int *result) {
  spawn_start();
  void *value = NULL;
  int rc = front.join(thread, &value);
  if (rc == 0 && result) *result = (int)(intptr_t)value;
  return thrd_status(rc);
}

VGC_API int thrd_detach(thrd_t thread) {
  spawn_start();
  return thrd_status(front.detach(thread));
}

/* ---- By our own names ---- */

int vgc_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, start_function *start, void *arg) {
  spawn_start();
  return front.create(thread, attributes, start, arg);
}

int vgc_pthread_join(pthread_t thread, void **result) {
  spawn_start();
  return front.join(thread, result);
}

int vgc_pthread_detach(pthread_t thread) {
  spawn_start();
  return front.detach(thread);
}

void vgc_pthread_exit(void *result) { own_pthread_exit(result); }
