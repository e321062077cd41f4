/* gc.h: where stacks end, for programs that change stacks; what a program pushes itself; fork. */
#include "client.h"

#include <gc/gc_mark.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <ucontext.h>

/* ---- A coroutine ---- */

enum { STACK = 256 * 1024, OBJECTS = 20 };

static struct coroutine {
  char *stack;
  ucontext_t own, caller;
  struct GC_stack_base callers;
  void *pointer; /* of the stack, when it does not run */
  int suspended;
  int ended;
} coroutine;

/* The part of the coroutine's stack that is used, while another one runs. */
static GC_push_other_roots_proc original;

static void push_roots(void) {
  if (coroutine.suspended) GC_push_all(coroutine.pointer, coroutine.stack + STACK);
  if (original) original();
}

static void *set_bottom(void *arg) {
  GC_set_stackbottom(NULL, arg);
  return NULL;
}

static char *pushed_low; /* of the first stack, while the coroutine runs */

static void push_first_stack(void) {
  push_roots();
  if (pushed_low) GC_push_all(pushed_low, coroutine.callers.mem_base);
}

static NOINLINE void switch_to(ucontext_t *from, ucontext_t *to, char *bottom) {
  struct GC_stack_base base = {bottom};
  GC_call_with_alloc_lock(set_bottom, &base);
  swapcontext(from, to);
}

/* Below the frames of the caller and of what switches. */
#define STACK_POINTER ((char *)((uintptr_t)__builtin_frame_address(0) - 1024))

static NOINLINE void yield(void) {
  coroutine.pointer = STACK_POINTER;
  coroutine.suspended = 1;
  pushed_low = NULL;
  switch_to(&coroutine.own, &coroutine.caller, coroutine.callers.mem_base);
}

static NOINLINE void resume(void) {
  pushed_low = STACK_POINTER;
  coroutine.suspended = 0;
  switch_to(&coroutine.caller, &coroutine.own, coroutine.stack + STACK);
}

static void run(void) {
  void *volatile kept[OBJECTS];
  for (unsigned i = 0; i < OBJECTS; i++) {
    kept[i] = GC_malloc(40);
    client_watch(i, kept[i]);
  }
  yield();
  client_collect(); /* on the coroutine's stack */
  must(client_gone(2 * OBJECTS) == 0);
  for (unsigned i = 0; i < 1000; i++) memset(GC_malloc(40), 0xff, 40);
  yield();
  must(kept[OBJECTS - 1] != NULL);
  coroutine.ended = 1;
  coroutine.suspended = 0;
  pushed_low = NULL;
  struct GC_stack_base base = coroutine.callers;
  GC_call_with_alloc_lock(set_bottom, &base);
  setcontext(&coroutine.caller);
}

static void prepare(void) {
  coroutine.stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  must(coroutine.stack != MAP_FAILED);
  getcontext(&coroutine.own);
  coroutine.own.uc_stack.ss_sp = coroutine.stack;
  coroutine.own.uc_stack.ss_size = STACK;
  makecontext(&coroutine.own, run, 0);
  original = GC_get_push_other_roots();
  GC_set_push_other_roots(push_first_stack);
  must(GC_get_push_other_roots() == push_first_stack);
  must(GC_get_my_stackbottom(&coroutine.callers) != NULL && coroutine.callers.mem_base > (void *)&original);
}

/* AddressSanitizer's, if locals do not lie on the stack; else NULL or not there. */
extern void *__asan_get_current_fake_stack(void) __attribute__((weak));

static int has_fake_stack(void) { return __asan_get_current_fake_stack && __asan_get_current_fake_stack(); }

#define TEST_COROUTINE(name)                                                                                           \
  TEST_UNLESS(name, has_fake_stack(), "locals are not on the stack: detect_stack_use_after_return=1")

static void *coroutines(void *arg) {
  prepare();
  void *volatile kept[OBJECTS];
  for (unsigned i = 0; i < OBJECTS; i++) {
    kept[i] = GC_malloc(40);
    client_watch(OBJECTS + i, kept[i]);
  }
  while (!coroutine.ended) {
    resume();
    client_collect();
    must(client_gone(coroutine.ended ? 0 : 2 * OBJECTS) == 0);
  }
  must(kept[OBJECTS - 1] != NULL);
  return arg;
}

TEST_COROUTINE(coroutines_of_the_first_thread) {
  GC_INIT();
  coroutines(NULL);
}

TEST_COROUTINE(coroutines_of_another_thread) {
  GC_INIT();
  pthread_t thread;
  must(!pthread_create(&thread, NULL, coroutines, &original));
  must(!pthread_join(thread, NULL));
}

TEST(bottoms) {
  GC_INIT();
  struct GC_stack_base first, second, third;
  void *handle = GC_get_my_stackbottom(&first);
  must(handle && (char *)first.mem_base > (char *)&first);
  must(GC_get_my_stackbottom(&second) == handle && second.mem_base == first.mem_base);
  second.mem_base = (char *)first.mem_base - 16;
  GC_alloc_lock();
  GC_set_stackbottom(handle, &second);
  GC_alloc_unlock();
  must(GC_get_my_stackbottom(&third) == handle && third.mem_base == second.mem_base);
  must(GC_stackbottom == (char *)second.mem_base);
  GC_alloc_lock();
  GC_set_stackbottom(handle, &first);
  GC_alloc_unlock();
  client_collect();
}

static char *volatile given;

static NOINLINE void initialise_here(void) {
  GC_INIT();
  void *volatile kept = GC_malloc(16);
  client_watch(0, kept);
  client_collect();
  must(client_gone(1) == 0 && kept);
}

/* Before GC_INIT it may be set for the first thread. */
TEST(bottom_before_init) {
  struct GC_stack_base base;
  given = __builtin_frame_address(0);
  base.mem_base = given;
  GC_set_stackbottom(NULL, &base);
  must(GC_stackbottom == given);
  initialise_here();
  must(GC_stackbottom == given);
}

static void *look(struct GC_stack_base *base, void *arg) {
  must((char *)base->mem_base > (char *)__builtin_frame_address(0));
  must((char *)base->mem_base <= (char *)arg);
  return arg;
}

TEST(called_with_base) {
  GC_INIT();
  void *here = __builtin_frame_address(0);
  must(GC_call_with_stack_base(look, here) == here);
}

/* ---- What the program pushes ---- */

static void **hidden; /* outside of all roots */

static void push_hidden(void) {
  GC_push_all(hidden, hidden + 10);
  GC_push_all_eager(hidden + 10, hidden + 20);
  GC_push_conditional(hidden + 20, hidden + 30, 1);
  if (original) original();
}

static void fill_hidden(void *arg) {
  (void)arg;
  for (unsigned i = 0; i < 30; i++) {
    hidden[i] = GC_malloc(40);
    client_watch(i, hidden[i]);
  }
}

TEST(pushed_ranges) {
  GC_INIT();
  hidden = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  original = GC_get_push_other_roots();
  GC_set_push_other_roots(push_hidden);
  client_below(fill_hidden, NULL);
  client_collect();
  must(client_gone(30) == 0);
  GC_set_push_other_roots(original);
  client_collect();
  must(client_gone(30) >= 22);
}

static GC_hidden_pointer marked[MANY];

static void mark_hidden(void) {
  for (unsigned i = 0; i < MANY; i++)
    if (marked[i]) GC_set_mark_bit(GC_REVEAL_POINTER(marked[i]));
  GC_push_finalizer_structures();
  if (original) original();
}

static void fill_marked(void *arg) {
  (void)arg;
  for (unsigned i = 0; i < MANY; i++) {
    void *object = GC_malloc_atomic(40);
    client_watch(i, object);
    marked[i] = GC_HIDE_POINTER(object);
  }
}

/* A mark that the program sets itself keeps the object. */
TEST(marked_by_the_program) {
  GC_INIT();
  original = GC_get_push_other_roots();
  GC_set_push_other_roots(mark_hidden);
  client_below(fill_marked, NULL);
  client_collect();
  must(client_gone(MANY) == 0);
  memset(marked, 0, sizeof marked);
  client_collect();
  must(client_gone(MANY) >= MOST);
}

/* ---- Alternate stacks ---- */

static sem_t ready, go;

static void wait_on_the_alternate(int number) {
  void *volatile kept[10];
  (void)number;
  for (unsigned i = 0; i < 10; i++) {
    kept[i] = GC_malloc(40);
    client_watch(10 + i, kept[i]);
  }
  sem_post(&ready);
  while (sem_wait(&go)) {
  }
  must(GC_base(kept[9]) == kept[9]);
}

static void *with_alternate(void *arg) {
  void *volatile kept[10];
  stack_t alternate = {.ss_sp = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
                       .ss_size = STACK};
  struct sigaction action = {.sa_handler = wait_on_the_alternate, .sa_flags = SA_ONSTACK};
  pthread_attr_t attributes;
  void *low = NULL;
  size_t size = 0;
  must(!sigaltstack(&alternate, NULL) && !sigaction(SIGUSR2, &action, NULL));
  must(!pthread_getattr_np(pthread_self(), &attributes) && !pthread_attr_getstack(&attributes, &low, &size));
  pthread_attr_destroy(&attributes);
  GC_register_altstack(low, size, alternate.ss_sp, STACK);
  for (unsigned i = 0; i < 10; i++) {
    kept[i] = GC_malloc(40);
    client_watch(i, kept[i]);
  }
  raise(SIGUSR2);
  must(GC_base(kept[9]) == kept[9]);
  alternate.ss_flags = SS_DISABLE;
  must(!sigaltstack(&alternate, NULL));
  return arg;
}

/* Stopped on its alternate stack: the thread's own stack is scanned, and that one, too. */
TEST_UNLESS(alternate_stacks, client_is_debian() || UNDER_TSAN,
            "Debian's: the thread loses its own stack; ThreadSanitizer: a handler answers no stop") {
  GC_INIT();
  sem_init(&ready, 0, 0);
  sem_init(&go, 0, 0);
  pthread_t thread;
  must(!pthread_create(&thread, NULL, with_alternate, NULL));
  while (sem_wait(&ready)) {
  }
  client_collect();
  must(client_gone(20) == 0);
  sem_post(&go);
  must(!pthread_join(thread, NULL));
}

/* ---- Fork ---- */

static void *in_thread(void *arg) {
  for (int i = 0; i < 20000; i++) GC_reachable_here(GC_malloc(100));
  return arg;
}

static void child(void *const *held) {
  for (int i = 0; i < 20; i++) {
    in_thread(NULL);
    GC_gcollect();
  }
  must(client_gone(10) == 0);
  GC_start_mark_threads();
  pthread_t thread;
  must(!pthread_create(&thread, NULL, in_thread, NULL));
  must(!pthread_join(thread, NULL));
  GC_gcollect();
  for (unsigned i = 0; i < 10; i++) must(*(unsigned *)held[i] == i);
}

static void fork_once(int by_hand) {
  void *volatile held[10];
  for (unsigned i = 0; i < 10; i++) {
    held[i] = GC_malloc(40);
    *(unsigned *)held[i] = i;
    client_watch(i, held[i]);
  }
  pthread_t thread;
  must(!pthread_create(&thread, NULL, in_thread, NULL));
  for (int i = 0; i < 5; i++) {
    if (by_hand) GC_atfork_prepare();
    pid_t pid = fork();
    if (!pid) {
      if (by_hand) GC_atfork_child();
      child((void *const *)held);
      _exit(0);
    }
    if (by_hand) GC_atfork_parent();
    GC_gcollect();
    int status = 0;
    must(waitpid(pid, &status, 0) == pid && status == 0);
  }
  must(!pthread_join(thread, NULL));
  must(client_gone(10) == 0);
}

#define TEST_FORK(name)                                                                                                \
  TEST_UNLESS(name, UNDER_TSAN, "ThreadSanitizer's runtime does not follow a fork of many threads")

TEST_FORK(fork_handled) {
  GC_set_handle_fork(1);
  GC_INIT();
  fork_once(0);
}

TEST_FORK(fork_by_hand) {
  GC_set_handle_fork(-1);
  GC_INIT();
  fork_once(1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(coroutines_of_the_first_thread),
      cmocka_unit_test(coroutines_of_another_thread),
      cmocka_unit_test(bottoms),
      cmocka_unit_test(bottom_before_init),
      cmocka_unit_test(called_with_base),
      cmocka_unit_test(pushed_ranges),
      cmocka_unit_test(marked_by_the_program),
      cmocka_unit_test(alternate_stacks),
      cmocka_unit_test(fork_handled),
      cmocka_unit_test(fork_by_hand),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
