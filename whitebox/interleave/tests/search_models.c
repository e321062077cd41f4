/* Programs small enough to enumerate every execution: search_test.py compares what reduced searches find with that, and
 * searches that are interrupted with those that are not. */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

#include "interleave.h"
#include "start.h"

static _Atomic unsigned a, b, c;
static unsigned seen[4];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;

static unsigned get(_Atomic unsigned *at, memory_order order) { return atomic_load_explicit(at, order); }
static void put(_Atomic unsigned *at, unsigned value, memory_order order) { atomic_store_explicit(at, value, order); }

static void tell(void) { interleave_outcome("%u %u %u %u", seen[0], seen[1], seen[2], seen[3]); }

static void run_two(void *(*one)(void *), void *(*two)(void *)) {
  pthread_t first = start(one, NULL), second = start(two, NULL);
  join(first);
  join(second);
  tell();
}

/* ---- A stack with tags: threads that retry ---- */

static struct { unsigned next; } node[3];
static _Atomic uint32_t top; /* tag above, index + 1 below */

static void push(unsigned index) {
  uint32_t old = atomic_load_explicit(&top, memory_order_relaxed), new;
  do {
    node[index].next = old & 0xffff;
    new = ((old >> 16) + 1) << 16 | (index + 1);
  } while (!atomic_compare_exchange_strong_explicit(&top, &old, new, memory_order_release, memory_order_relaxed));
}

static void *push_0(void *arg) {
  push(0);
  return arg;
}
static void *push_1(void *arg) {
  push(1);
  seen[0] = 1;
  return arg;
}
static void stack_run(void) {
  pthread_t first = start(push_0, NULL), second = start(push_1, NULL);
  push(2);
  join(first);
  join(second);
  unsigned order[3] = {0}, count = 0;
  for (unsigned at = top & 0xffff; at; at = node[at - 1].next) order[count++] = at;
  interleave_assert(count == 3);
  interleave_outcome("%u%u%u", order[0], order[1], order[2]);
}
INTERLEAVE_MODEL(search_stack, .run = stack_run, .title = "three threads push", .outcomes = "123|132|213|231|312|321");

/* ---- A loop that waits for either of two stores ---- */

static void *wait_for_either(void *arg) {
  unsigned x, y, turns = 0;
  do {
    x = get(&a, memory_order_acquire);
    y = get(&b, memory_order_acquire);
    turns++;
  } while (!x && !y);
  seen[0] = x;
  seen[1] = y;
  seen[2] = atomic_fetch_add_explicit(&c, 1, memory_order_relaxed);
  seen[3] = turns;
  return arg;
}
static void *store_all(void *arg) {
  put(&b, 1, memory_order_release);
  atomic_fetch_add_explicit(&c, 1, memory_order_relaxed);
  put(&a, 1, memory_order_release);
  return arg;
}
static void either_run(void) { run_two(wait_for_either, store_all); }
INTERLEAVE_MODEL(search_spin_either, .run = either_run, .title = "a loop over two flags");

static void store_first_run(void) { run_two(store_all, wait_for_either); }
INTERLEAVE_MODEL(search_spin_either_late, .run = store_first_run, .title = "the same, the storing thread first");

/* ---- Blocking ---- */

static unsigned turn;
static void *wait_turn(void *arg) {
  pthread_mutex_lock(&mutex);
  while (turn == 0) pthread_cond_wait(&condition, &mutex);
  seen[0] = turn;
  pthread_mutex_unlock(&mutex);
  return arg;
}
static void *give_turn(void *arg) {
  pthread_mutex_lock(&mutex);
  turn++;
  pthread_mutex_unlock(&mutex);
  pthread_cond_signal(&condition);
  pthread_mutex_lock(&mutex);
  turn++;
  pthread_mutex_unlock(&mutex);
  return arg;
}
static void condition_run(void) { run_two(wait_turn, give_turn); }
INTERLEAVE_MODEL(search_condition, .run = condition_run, .title = "a condition and a lock",
                 .outcomes = "1 0 0 0|2 0 0 0");

static void *try_and_give(void *arg) {
  if (pthread_mutex_trylock(&mutex) == 0) {
    seen[1] = 1;
    pthread_mutex_unlock(&mutex);
  }
  return give_turn(arg);
}
static void wait_and_try_run(void) { run_two(wait_turn, try_and_give); }
INTERLEAVE_MODEL(search_wait_trylock, .run = wait_and_try_run, .title = "a wait sets free a lock that another tries",
                 .outcomes = "1 0 0 0|1 1 0 0|2 0 0 0|2 1 0 0");
static void try_and_wait_run(void) { run_two(try_and_give, wait_turn); }
INTERLEAVE_MODEL(search_trylock_wait, .run = try_and_wait_run, .title = "the same, the other thread first",
                 .outcomes = "1 0 0 0|1 1 0 0|2 0 0 0|2 1 0 0");

static void *try_lock(void *arg) {
  if (pthread_mutex_trylock(&mutex) == 0) {
    seen[0]++;
    pthread_mutex_unlock(&mutex);
  }
  return arg;
}
static void *lock_twice(void *arg) {
  for (unsigned i = 0; i < 2; i++) {
    pthread_mutex_lock(&mutex);
    seen[0] += 2;
    pthread_mutex_unlock(&mutex);
  }
  return arg;
}
static void try_run(void) { run_two(try_lock, lock_twice); }
INTERLEAVE_MODEL(search_trylock, .run = try_run, .title = "a lock tried and a lock taken",
                 .outcomes = "4 0 0 0|5 0 0 0");

/* ---- Sequential consistency, old values, the model's own choices ---- */

static void *store_load_a(void *arg) {
  put(&a, 1, memory_order_relaxed);
  atomic_thread_fence(memory_order_seq_cst);
  seen[0] = get(&b, memory_order_relaxed);
  return arg;
}
static void *store_load_b(void *arg) {
  put(&b, 1 + interleave_choose(2), memory_order_seq_cst);
  seen[1] = get(&a, memory_order_seq_cst);
  put(&c, 1, memory_order_relaxed);
  return arg;
}
static void fence_run(void) { run_two(store_load_a, store_load_b); }
INTERLEAVE_MODEL(search_fence, .run = fence_run, .title = "a fence against seq_cst accesses: one of them is seen",
                 .outcomes = "0 1 0 0|1 0 0 0|1 1 0 0|2 0 0 0|2 1 0 0");

/* The fence before the seq_cst load leaves it no choice; the fence behind it does. */
static void *store_store_fence(void *arg) {
  put(&a, 1, memory_order_relaxed);
  put(&b, 1, memory_order_relaxed);
  atomic_thread_fence(memory_order_seq_cst);
  return arg;
}
static void *load_load(void *arg) {
  seen[0] = get(&b, memory_order_relaxed);
  seen[1] = get(&a, memory_order_seq_cst);
  return arg;
}
static void late_fence_run(void) { run_two(store_store_fence, load_load); }
INTERLEAVE_MODEL(search_late_fence, .run = late_fence_run, .title = "a fence and a load that it may come before",
                 .outcomes = "0 0 0 0|0 1 0 0|1 0 0 0|1 1 0 0");

/* ---- Signals ---- */

static void on_signal(int number) {
  (void)number;
  atomic_fetch_add_explicit(&a, 1, memory_order_relaxed);
}
static void *count_twice(void *arg) {
  seen[0] = get(&a, memory_order_relaxed);
  put(&b, 1, memory_order_relaxed);
  seen[1] = get(&a, memory_order_relaxed);
  return arg;
}
static void signal_run(void) {
  struct sigaction action = {.sa_handler = on_signal};
  sigaction(SIGUSR1, &action, NULL);
  pthread_t first = start(count_twice, NULL);
  seen[2] = get(&b, memory_order_relaxed);
  pthread_kill(first, SIGUSR1);
  join(first);
  tell();
}
INTERLEAVE_MODEL(search_signal, .run = signal_run, .title = "a signal at any point of its target");

/* ---- Memory that is used again ---- */

static void *take_and_give(void *arg) {
  free(malloc(16));
  return arg;
}
static void *take_compare(void *arg) {
  void *first = malloc(16);
  free(first);
  void *second = malloc(16);
  seen[0] = first == second;
  free(second);
  return arg;
}
static void memory_run(void) { run_two(take_and_give, take_compare); }
INTERLEAVE_MODEL(search_memory, .run = memory_run, .title = "addresses used again or not",
                 .outcomes = "0 0 0 0|1 0 0 0");

/* ---- A failure among others ---- */

static void *lose(void *arg) {
  unsigned old = get(&a, memory_order_relaxed);
  put(&a, old + 1, memory_order_relaxed);
  put(&b, 1, memory_order_relaxed);
  return arg;
}
static void add_by_two(void) {
  pthread_t first = start(lose, NULL), second = start(lose, NULL);
  join(first);
  join(second);
  interleave_outcome("%u", a);
}
static void lost_run(void) {
  add_by_two();
  interleave_assert(a == 2);
}
INTERLEAVE_MODEL(search_lost_update, .run = lost_run, .title = "load and store are no addition",
                 .expect = INTERLEAVE_ASSERTION);
static void told_run(void) {
  add_by_two();
  (void)a;
}
INTERLEAVE_MODEL(search_told_update, .run = told_run, .title = "the same without a failure", .outcomes = "1|2");

/* Steps that do not matter, around the two that do. */
static void wander(void) {
  for (unsigned i = 0; i < 8; i++) atomic_fetch_add_explicit(&c, 1, memory_order_relaxed);
}
static void *lose_at_length(void *arg) {
  wander();
  unsigned old = get(&a, memory_order_seq_cst);
  put(&a, old + 1, memory_order_seq_cst);
  wander();
  return arg;
}
static void lost_at_length_run(void) {
  pthread_t first = start(lose_at_length, NULL), second = start(lose_at_length, NULL);
  join(first);
  join(second);
  interleave_assert(a == 2);
}
INTERLEAVE_MODEL(search_lost_at_length, .run = lost_at_length_run, .title = "the same among steps that do not matter",
                 .expect = INTERLEAVE_ASSERTION);

/* ---- For the figure: three threads and 50 scheduling points in all ---- */

static _Atomic unsigned shared[4];
static unsigned own[4][16];
static void *work(void *arg) {
  unsigned self = interleave_self();
  for (unsigned i = 0; i < 5; i++) {
    for (unsigned word = 0; word < 7; word++) own[self][word] += i;
    atomic_fetch_add_explicit(&shared[i % 4], 1, memory_order_acq_rel);
    (void)get(&shared[(i + 1) % 4], memory_order_acquire);
    put(&shared[self], i, memory_order_release);
  }
  return arg;
}
static void speed_run(void) {
  pthread_t first = start(work, NULL), second = start(work, NULL);
  join(first);
  join(second);
  work(NULL);
}
INTERLEAVE_MODEL(speed, .run = speed_run, .title = "three threads, 50 scheduling points and 210 plain accesses",
                 .preemptions = 2);
