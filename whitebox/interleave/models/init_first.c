/* Who comes first brings the library up, once; who takes it down does so alone. */
#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "stopping.h"

#define TINY .preemptions = 1, .learn = 200

/* For a library that nobody has initialised. */
static void small_environment(void) {
  static char page[] = "VGC_PAGE_BYTES=1024", arena[] = "VGC_ARENA_BYTES=262144", stack[] = "VGC_MARK_STACK=256";
  static char *small[] = {page, arena, stack, NULL};
  environ = small;
}

static bool leaving;

static void *do_act(void *arg) {
  void (*const *act)(void) = arg;
  if (leaving) interleave_assert(!thread_self() || vgc_thread_detach() == 0);
  interleave_meet(2, true);
  (*act)();
  interleave_meet(2, false);
  return NULL;
}

/* As together(), of threads that have not used the library. */
static void both(void (*const act[2])(void)) {
  pthread_t thread;
  interleave_meet(1, false);
  interleave_assert(pthread_create(&thread, NULL, do_act, (void *)(uintptr_t)&act[1]) == 0);
  do_act((void *)(uintptr_t)&act[0]);
  interleave_assert(pthread_join(thread, NULL) == 0);
}

static void *objects[2];

static void allocate(unsigned index) {
  objects[index] = vgc_malloc(32);
  interleave_assert(vgc_base_of(objects[index]) == objects[index]);
}

static void allocates(void) { allocate(0); }
static void allocates_too(void) { allocate(1); }

static void first_allocations(void) {
  static void (*const both_allocate[])(void) = {allocates, allocates_too};
  both(both_allocate);
  interleave_assert(objects[0] != objects[1]);
}
INTERLEAVE_MODEL(first_allocations, .setup = small_environment, .run = first_allocations, TINY,
                 .title = "two threads allocate first: the library comes up once, and is up for both");

/* ---- Told twice ---- */

static bool took_first;

static void initializes(void) {
  struct vgc_config tiny = tiny_config();
  took_first = vgc_init(&tiny) == 0;
  interleave_assert(took_first || errno == EALREADY);
}

static void init_or_use(void) {
  static void (*const init_and_use[])(void) = {initializes, allocates_too};
  both(init_and_use);
  interleave_assert(!took_first || config.thread_table == 4);
}
INTERLEAVE_MODEL(init_or_use, .setup = small_environment, .run = init_or_use, TINY,
                 .title = "one thread initialises and another allocates: the first to come decides");

/* A thread that libc has made for itself, and that makes others: the library knows of threads before it is up. */
extern int __interceptor_pthread_create(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

static void *returns(void *arg) { return arg; }

static void *creates(void *arg) {
  pthread_t thread;
  interleave_assert(pthread_create(&thread, NULL, returns, NULL) == 0);
  interleave_assert(pthread_join(thread, NULL) == 0);
  return arg;
}

static void init_and_births(void) {
  pthread_t thread;
  interleave_assert(__interceptor_pthread_create(&thread, NULL, creates, NULL) == 0);
  initializes();
  interleave_assert(pthread_join(thread, NULL) == 0);
}
INTERLEAVE_MODEL(init_and_births, .setup = small_environment, .run = init_and_births, .preemptions = 1, .learn = 2000,
                 .title = "one thread initialises while another creates threads");

/* ---- Shutdown ---- */

static unsigned downs;
static _Atomic unsigned refusals;

static void shuts_down(void) {
  if (vgc_shutdown() == 0) {
    downs++;
  } else {
    interleave_assert(errno == EPERM);
    refusals++;
  }
}

/* Neither is registered, so either may. */
static void leavers(void (*const act[2])(void)) {
  leaving = true;
  both(act);
}

static void shutdowns(void) {
  static void (*const both_shut_down[])(void) = {shuts_down, shuts_down};
  leavers(both_shut_down);
  interleave_assert(downs == 1 && refusals == 1);
}
INTERLEAVE_MODEL(shutdowns, .setup = stopping_start, .run = shutdowns, .preemptions = UINT32_MAX, .learn = 200,
                 .title = "two threads that have left shut the library down: one does");

static int root;

static void rooted_start(void) {
  stopping_start();
  interleave_assert(vgc_root_add(&root, sizeof root) == 0);
}

static void removes_root(void) { interleave_assert(vgc_root_remove(&root, sizeof root) == 0 || errno == ENOENT); }

static void shutdown_and_roots(void) {
  static void (*const shut_down_and_remove[])(void) = {shuts_down, removes_root};
  leavers(shut_down_and_remove);
}
INTERLEAVE_MODEL(shutdown_and_roots, .setup = rooted_start, .run = shutdown_and_roots, .preemptions = UINT32_MAX,
                 .learn = 200, .title = "a root is removed while the library shuts down");

static void shuts_down_or_not(void) { interleave_assert(vgc_shutdown() == 0 || errno == EBUSY); }

/* As when the system refuses a thread. */
static void bears_and_gives_up(void) {
  struct thread *born = thread_birth(returns, NULL, true);
  interleave_assert(born);
  thread_stillborn(born);
}

static void shutdown_and_birth(void) {
  static void (*const shut_down_and_bear[])(void) = {shuts_down_or_not, bears_and_gives_up};
  leavers(shut_down_and_bear);
}
INTERLEAVE_MODEL(shutdown_and_birth, .setup = stopping_start, .run = shutdown_and_birth, .preemptions = 1, .learn = 200,
                 .title = "the records are looked through for others while one is made and given up");

static void *finds_its_argument(void *arg) {
  interleave_assert(vgc_base_of(arg) == arg);
  return NULL;
}

static void shutdown_meets_birth(void) {
  pthread_t thread;
  interleave_meet(1, false);
  void *argument = vgc_malloc(32);
  interleave_meet(1, true);
  interleave_assert(pthread_create(&thread, NULL, finds_its_argument, argument) == 0);
  shuts_down_or_not();
  interleave_assert(pthread_join(thread, NULL) == 0);
}
INTERLEAVE_MODEL(shutdown_meets_birth, .setup = stopping_start, .run = shutdown_meets_birth, .preemptions = 2,
                 .learn = 200, .title = "the library is shut down while a thread begins, whose argument is an object");
