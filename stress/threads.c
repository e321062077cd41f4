/* Birth and death of threads during collections. A child's argument is reachable from nowhere else while it starts, its
 * result from nowhere else until it is joined; its thread-local objects are touched again by destructors that allocate.
 */
#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <threads.h>
#include <time.h>

#include "harness.h"
#include "oracle.h"

enum { BATCH = 6, MOST_WORKERS = 260, OWN_STACK = 1 << 18 };

/* How a child ends, and how it was started. */
enum ending { RETURNS, LEAVES, IS_CANCELLED, IS_DETACHED };
enum start { PLAIN, SMALL_STACK, GIVEN_STACK, C11 };

/* What argument and result of one child must look like. Never an address: the object alone is handed over. */
struct job {
  _Atomic uint64_t identity; /* of the argument: the child finds its job by it; written before the child is created */
  struct reference argument; /* `at` is NULL */
  struct reference result;   /* `at` is NULL; written by the child, read after the join */
  enum ending ending;
  unsigned depth; /* generations that may follow */
  unsigned parent;
};

static struct job jobs[MOST_WORKERS][BATCH]; /* of the worker with that number */
/* Of children's own children: as many as all children may have at once. */
static struct nested {
  _Atomic bool taken; /* whoever sets it owns the job until it clears it: acquire and release */
  struct job job;
} nested[2 * MOST_WORKERS * BATCH];
static _Atomic uint32_t detached[MOST_WORKERS]; /* children alive, by parent */
static _Atomic uint32_t timers;                 /* foreign threads that are still to come */
static pthread_key_t key;

/* Three things that a program built with ThreadSanitizer cannot do. A thread that is cancelled leaves a system call
 * without the sanitizer's knowledge; from then on it takes none of the thread's locks for locks. And its own state of a
 * thread is gone in the last round of destructors. */
void __tsan_init(void) __attribute__((weak));
static bool can_cancel(void) { return subject.can & CAN_ALLOCATE_AT_EXIT && !__tsan_init; }
static bool can_be_foreign(void) { return subject.can & CAN_FOREIGN_THREAD && !__tsan_init; }
static unsigned destructor_rounds(void) { return PTHREAD_DESTRUCTOR_ITERATIONS - (__tsan_init ? 1 : 0); }

static _Thread_local struct reference local[3]; /* the only references to what they name */
/* What the key's value, an object that nothing else points to, must look like. */
static _Thread_local struct reference specific;
static _Thread_local unsigned destructor_round;
static _Thread_local _Atomic uint32_t *counted_in; /* for a detached thread */

static struct reference nowhere(struct reference reference) {
  reference.at = NULL;
  return reference;
}

static struct reference small_tree(struct worker *worker) {
  struct random *random = &worker->random;
  size_t size = 64 + random_below(random, 200);
  struct reference top = oracle_new(worker, KIND_SCANNED, size, 2, 8);
  for (unsigned link = 0; link < 2; link++) {
    enum subject_kind kind = random_one_in(random, 2) ? KIND_NOSCAN : KIND_SCANNED;
    oracle_relink(worker, &top, link, oracle_new(worker, kind, 1 + random_below(random, 300), 0, 8));
  }
  return top;
}

static void finish(struct worker *worker, struct reference *tree) {
  uint64_t objects = 0, bytes = 0;
  oracle_check_tree(worker, tree, &objects, &bytes);
  if (tree->links == 2 && random_one_in(&worker->random, 2)) {
    for (unsigned link = 0; link < 2; link++) {
      struct reference part = oracle_relink(worker, tree, link, (struct reference){0});
      if (part.at) oracle_free(worker, &part);
    }
    oracle_free(worker, tree);
  } else {
    oracle_drop(worker, tree);
  }
}

/* ---- Child ---- */

static void set_specific(struct worker *worker) {
  struct reference object = oracle_new(worker, KIND_SCANNED, 1 + random_below(&worker->random, 100), 0, 8);
  specific = nowhere(object);
  pthread_setspecific(key, object.at);
}

/* Runs after the thread's function, in several rounds; the subject must still know this thread. */
static void destructor(void *value) {
  struct worker worker;
  harness_worker_begin(&worker);
  specific.at = value;
  oracle_check(&worker, &specific);
  oracle_free(&worker, &specific);
  for (int i = 0; i < 3; i++) finish(&worker, &local[i]);
  if (++destructor_round < destructor_rounds()) {
    for (int i = 0; i < 3; i++) local[i] = small_tree(&worker);
    set_specific(&worker);
  }
  harness_worker_end(&worker);
  if (destructor_round == destructor_rounds() && counted_in)
    atomic_fetch_sub_explicit(counted_in, 1, memory_order_release); /* acquire: step() */
}

static void run_batch(struct worker *, unsigned depth);

static void live_for_a_while(struct worker *worker, struct reference *mine) {
  struct reference held[4] = {0};
  for (int i = 0; i < 3; i++) mine[i] = small_tree(worker);
  for (int i = 0; i < 24; i++) {
    struct reference *one = &held[random_below(&worker->random, 4)];
    finish(worker, one);
    *one = small_tree(worker);
    oracle_check(worker, &mine[random_below(&worker->random, 3)]);
  }
  for (int i = 0; i < 4; i++) finish(worker, &held[i]);
}

static bool is_for(struct job *job, uint64_t identity) {
  return atomic_load_explicit(&job->identity, memory_order_acquire) == identity;
}

/* The object that came as the argument names itself; a job must know that name. */
static struct job *claim(const struct worker *worker, void *argument) {
  uint64_t identity = *(uint64_t *)argument;
  unsigned owner = (unsigned)(identity >> 32 & 0xffffff), count = sizeof nested / sizeof *nested;
  for (unsigned i = 0; owner < MOST_WORKERS && i < BATCH; i++)
    if (is_for(&jobs[owner][i], identity)) return &jobs[owner][i];
  for (unsigned i = 0; i < count; i++)
    if (is_for(&nested[(owner + i) % count].job, identity)) return &nested[(owner + i) % count].job;
  harness_fail("thread %u: its argument at %p begins with %#llx, which no creator passed", worker->index, argument,
               (unsigned long long)identity);
}

/* AddressSanitizer does not see a thread leave its frames by being cancelled, or through a function pointer;
 * destructors that run on the same stack would meet their redzones. */
void __asan_handle_no_return(void) __attribute__((weak));

static __attribute__((noinline)) _Noreturn void leave(void *result) {
  if (__asan_handle_no_return) __asan_handle_no_return();
  subject.leave(result);
  __builtin_unreachable();
}

static __attribute__((noinline)) _Noreturn void wait_to_be_cancelled(void) {
  if (__asan_handle_no_return) __asan_handle_no_return();
  pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
  for (;;) pause();
}

static void *child(void *argument) {
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
  struct worker worker;
  harness_worker_begin(&worker);
  struct job *job = claim(&worker, argument);
  enum ending ending = job->ending;
  struct reference message = job->argument;
  message.at = argument;
  finish(&worker, &message);
  struct reference on_stack[3];
  struct reference *mine = subject.can & CAN_SCAN_THREAD_STORAGE ? local : on_stack;
  live_for_a_while(&worker, mine);
  if (job->depth && random_one_in(&worker.random, 8)) run_batch(&worker, job->depth - 1);
  struct reference result = {0};
  if (ending == RETURNS || ending == LEAVES) {
    result = small_tree(&worker);
    job->result = nowhere(result);
  }
  if (ending == IS_DETACHED) counted_in = &detached[job->parent];
  if (subject.can & CAN_ALLOCATE_AT_EXIT) {
    set_specific(&worker);
  } else {
    for (int i = 0; i < 3; i++) finish(&worker, &mine[i]);
    if (counted_in) atomic_fetch_sub_explicit(counted_in, 1, memory_order_release);
  }
  harness_worker_end(&worker);
  if (ending == IS_CANCELLED) wait_to_be_cancelled();
  if (ending == LEAVES) leave(result.at);
  return result.at;
}

static int child_c11(void *argument) { /* its result is a number: it leaves by the other door */
  leave(child(argument));
}

/* ---- Parent ---- */

static enum start choose_start(struct worker *worker) {
#if defined(STRESS_SANITIZED)
  return subject.can & CAN_START_C11 && random_one_in(&worker->random, 4) ? C11 : PLAIN; /* needs its own stacks */
#else
  enum start start = (enum start)random_below(&worker->random, 4);
  return start == C11 && !(subject.can & CAN_START_C11) ? PLAIN : start;
#endif
}

static pthread_t start_child(struct worker *worker, void *argument, enum start start, void *stack) {
  pthread_t thread;
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  if (start == SMALL_STACK) pthread_attr_setstacksize(&attributes, (size_t)PTHREAD_STACK_MIN + (64 << 10));
  if (start == GIVEN_STACK) pthread_attr_setstack(&attributes, stack, OWN_STACK);
  int error;
  do {
    if (start == C11)
      error = thrd_create(&thread, child_c11, argument) == thrd_success ? 0 : EAGAIN;
    else
      error = subject.create(&thread, &attributes, child, argument);
  } while (error == EAGAIN && harness_waits(worker));
  harness_check(!error, "thread %u: no thread could be created: %s", worker->index, strerror(error));
  pthread_attr_destroy(&attributes);
  return thread;
}

/* The object's only reference is the thread's argument from here on. */
static __attribute__((noinline)) pthread_t launch(struct worker *worker, struct job *job, enum start start,
                                                  void *stack) {
  struct reference argument = small_tree(worker);
  job->argument = nowhere(argument);
  atomic_store_explicit(&job->identity, argument.identity, memory_order_release);
  return start_child(worker, argument.at, start, stack);
}

static void take_result(struct worker *worker, struct job *job, pthread_t thread) {
  void *at = NULL;
  if (job->ending == IS_CANCELLED) pthread_cancel(thread);
  int error = subject.join(thread, &at);
  harness_check(!error, "thread %u: join: %s", worker->index, strerror(error));
  if (job->ending == IS_CANCELLED) {
    harness_check(at == PTHREAD_CANCELED, "thread %u: a cancelled thread returned %p", worker->index, at);
    return;
  }
  struct reference result = job->result;
  result.at = at;
  harness_check(at, "thread %u: a thread returned nothing", worker->index);
  finish(worker, &result);
}

static enum ending choose_ending(struct worker *worker) {
  uint64_t dice = random_below(&worker->random, 10);
  if (dice < 5) return RETURNS;
  if (dice < 7) return subject.can & CAN_KEEP_EXIT_RESULT ? LEAVES : RETURNS;
  if (dice < 8) return can_cancel() ? IS_CANCELLED : RETURNS;
  return IS_DETACHED;
}

static struct nested *take_nested(const struct worker *worker) {
  for (unsigned i = worker->index;; i++) {
    struct nested *place = &nested[i % (sizeof nested / sizeof *nested)];
    if (!atomic_exchange_explicit(&place->taken, true, memory_order_acquire)) return place;
  }
}

/* Two children of a child. */
static void run_batch(struct worker *worker, unsigned depth) {
  struct nested *own[2];
  pthread_t thread[2];
  for (unsigned i = 0; i < 2; i++) {
    own[i] = take_nested(worker);
    own[i]->job.ending = RETURNS;
    own[i]->job.depth = depth;
    thread[i] = launch(worker, &own[i]->job, PLAIN, NULL);
  }
  for (unsigned i = 0; i < 2; i++) {
    take_result(worker, &own[i]->job, thread[i]);
    atomic_store_explicit(&own[i]->job.identity, 0, memory_order_relaxed);
    atomic_store_explicit(&own[i]->taken, false, memory_order_release);
  }
}

static void step(struct worker *worker, void *stack) {
  struct job *mine = jobs[worker->index];
  pthread_t thread[BATCH];
  unsigned count = 1 + (unsigned)random_below(&worker->random, BATCH);
  bool stack_taken = false;
  for (unsigned i = 0; i < count; i++) {
    enum start start = choose_start(worker);
    mine[i].ending = choose_ending(worker);
    mine[i].depth = 1;
    mine[i].parent = worker->index;
    if (start == GIVEN_STACK && (stack_taken || mine[i].ending == IS_DETACHED)) start = PLAIN;
    stack_taken |= start == GIVEN_STACK;
    if (mine[i].ending == IS_DETACHED) atomic_fetch_add_explicit(&detached[worker->index], 1, memory_order_relaxed);
    thread[i] = launch(worker, &mine[i], start, stack);
    if (mine[i].ending == IS_DETACHED) subject.detach(thread[i]);
  }
  for (int i = 0; i < 32; i++) { /* reuse of what was reclaimed by mistake */
    struct reference tree = small_tree(worker);
    finish(worker, &tree);
  }
  for (unsigned i = 0; i < count; i++)
    if (mine[i].ending != IS_DETACHED) take_result(worker, &mine[i], thread[i]);
  while (atomic_load_explicit(&detached[worker->index], memory_order_acquire)) {
    harness_waits(worker); /* jobs are used again */
    sched_yield();
  }
}

/* ---- Threads that libc starts by itself ---- */

static void on_timer(union sigval value) {
  (void)value;
  struct worker worker;
  harness_worker_begin(&worker);
  struct reference held[4];
  for (int i = 0; i < 4; i++) held[i] = small_tree(&worker);
  for (int i = 0; i < 4; i++) finish(&worker, &held[i]);
  harness_worker_end(&worker);
  atomic_fetch_sub_explicit(&timers, 1, memory_order_release);
}

static void run_foreign(struct worker *worker) {
  timer_t timer;
  struct sigevent event = {.sigev_notify = SIGEV_THREAD};
  event.sigev_notify_function = on_timer;
  if (timer_create(CLOCK_MONOTONIC, &event, &timer) != 0) return;
  atomic_fetch_add_explicit(&timers, 1, memory_order_relaxed);
  timer_settime(timer, 0, &(struct itimerspec){.it_value = {.tv_nsec = 1}}, NULL);
  while (atomic_load_explicit(&timers, memory_order_acquire)) {
    harness_waits(worker);
    sched_yield();
  }
  timer_delete(timer);
}

/* ---- Frame ---- */

static void begin(struct worker *worker) {
  (void)worker;
  pthread_key_create(&key, destructor);
}

static void work(struct worker *worker) {
  void *stack = mmap(NULL, OWN_STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  harness_check(stack != MAP_FAILED, "no memory for a stack");
  while (harness_goes_on(worker)) {
    if (worker->index == 1) { /* collects all the time, but for what others need to get at a lock */
      harness_collect();
      for (int i = 0; i < 64; i++) {
        struct reference tree = small_tree(worker);
        finish(worker, &tree);
      }
      if (can_be_foreign() && random_one_in(&worker->random, 32)) run_foreign(worker);
    } else {
      step(worker, stack);
    }
  }
  harness_census(worker, 0, 0);
  munmap(stack, OWN_STACK);
}

struct program program = {
    .name = "threads",
    .summary = "birth and death of threads during collections, with destructors that allocate",
    .threads = 4,
    .least_threads = 2,
    .retained = 64,
    .asks_often = true,
    .begin = begin,
    .work = work,
};
