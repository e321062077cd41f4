/* Signals: a handler is one more thread for the race check, ordered with the thread that it interrupts by signal fences
 * and by what is atomic; sending orders nothing. Delivery is possible between any two accesses of the target. */
#include "threads.h"
#include <semaphore.h>
#include <signal.h>

static pthread_t target;
static void (*handle)(void);
static void handler(int number) {
  (void)number;
  handle();
}

/* Runs `body` on a thread to which the main thread, after `before`, sends one signal, handled by `handle_it`. */
static litmus_thread *target_body;
static void *target_start(void *unused) {
  (void)unused;
  target_body();
  return NULL;
}
static void send_to(litmus_thread *body, litmus_thread *before, litmus_thread *handle_it) {
  target_body = body;
  handle = handle_it;
  sigaction(SIGUSR1, &(struct sigaction){.sa_handler = handler}, NULL);
  pthread_create(&target, NULL, target_start, NULL);
  if (before != NULL) before();
  pthread_kill(target, SIGUSR1);
  pthread_join(target, NULL);
}

#define SIGNALS(id, about, set, body, before, handle_it)                                                               \
  static void id##_run(void) {                                                                                         \
    send_to(body, before, handle_it);                                                                                  \
    interleave_outcome("%d %d", r[0], r[1]);                                                                           \
  }                                                                                                                    \
  INTERLEAVE_MODEL(id, .run = id##_run, .title = about, .outcomes = set)
#define SIGNAL_RACES(id, about, body, before, handle_it)                                                               \
  static void id##_run(void) { send_to(body, before, handle_it); }                                                     \
  INTERLEAVE_MODEL(id, .run = id##_run, .title = about, .expect = INTERLEAVE_RACE)

/* The plain object d, and y that says it is written. */
static void write_flag(void) {
  d = 1;
  store(y, 1, rlx);
}
static void write_fence_flag(void) {
  d = 1;
  atomic_signal_fence(memory_order_release);
  store(y, 1, rlx);
}
static void read_flag(void) {
  r[0] = load(y, rlx);
  if (r[0]) r[1] = d;
}
static void read_flag_fence(void) {
  r[0] = load(y, rlx);
  atomic_signal_fence(memory_order_acquire);
  if (r[0]) r[1] = d;
}
static void read_always(void) { r[0] = d; }
SIGNALS(signal_fences, "signal fences order a thread and its handler", "0 0|1 1", write_fence_flag, NULL,
        read_flag_fence);
SIGNAL_RACES(signal_no_fences, "without them there is a race", write_flag, NULL, read_flag);
SIGNAL_RACES(signal_no_flag, "a handler that reads what its thread may be writing", write_fence_flag, NULL,
             read_always);

/* Sending orders nothing; what the handler acquires does. */
static void nothing(void) {}
static void write_d(void) { d = 1; }
static void write_release(void) {
  d = 1;
  store(y, 1, rel);
}
static void read_acquire(void) {
  r[0] = load(y, acq);
  if (r[0]) r[1] = d;
}
SIGNAL_RACES(signal_orders_nothing, "the sender's writes do not happen before the handler", nothing, write_d,
             read_always);
SIGNALS(signal_acquire, "a handler may acquire, or read an old value", "0 0|1 1", nothing, write_release, read_acquire);

/* A handler in the middle of an update: how often x was counted, and whether the signal came before the thread ended.
 */
static void split_update(void) {
  int old = load(x, rlx);
  store(x, old + 1, rlx);
}
static void whole_update(void) { add(x, 1, rlx); }
static void update_told(void) {
  add(x, 1, rlx);
  store(z, 1, rlx);
}
static void tell_lost(void) {
  r[0] = load(x, rlx);
  r[1] = load(z, rlx);
}
#define UPDATED(id, about, set, body)                                                                                  \
  static void id##_run(void) {                                                                                         \
    send_to(body, NULL, update_told);                                                                                  \
    tell_lost();                                                                                                       \
    interleave_outcome("%d %d", r[0], r[1]);                                                                           \
  }                                                                                                                    \
  INTERLEAVE_MODEL(id, .run = id##_run, .title = about, .outcomes = set)
UPDATED(signal_splits, "a load and a store with the handler between", "1 0|1 1|2 1", split_update);
UPDATED(signal_whole, "a read-modify-write has no between", "1 0|2 1", whole_update);

/* Masked, the handler waits; raised, it has run on return. */
static void masked_update(void) {
  sigset_t set, old;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &set, &old);
  split_update();
  pthread_sigmask(SIG_SETMASK, &old, NULL);
}
UPDATED(signal_masked, "a masked signal waits", "1 0|2 1", masked_update);

static void raise_run(void) {
  handle = whole_update;
  sigaction(SIGUSR1, &(struct sigaction){.sa_handler = handler}, NULL);
  raise(SIGUSR1);
  interleave_outcome("%d", load(x, rlx));
}
INTERLEAVE_MODEL(signal_raise, .run = raise_run, .title = "raise returns after the handler", .outcomes = "1");

static void raise_plain(void) { d = d + 1; }
static void raise_plain_run(void) {
  d = 1;
  handle = raise_plain;
  sigaction(SIGUSR1, &(struct sigaction){.sa_handler = handler}, NULL);
  raise(SIGUSR1);
  interleave_outcome("%d", d);
}
INTERLEAVE_MODEL(signal_raise_plain, .run = raise_plain_run, .title = "raise: its handler is sequenced with the call",
                 .outcomes = "2");

/* A handler interrupts a wait, and may end one. */
static sem_t semaphore;
static void await(void) {
  while (sem_wait(&semaphore) != 0) {
  }
  r[0] = load(x, rlx);
}
static void post(void) {
  store(x, 1, rlx);
  sem_post(&semaphore);
}
static void wait_run(void) {
  sem_init(&semaphore, 0, 0);
  send_to(await, NULL, post);
  interleave_outcome("%d", r[0]);
}
INTERLEAVE_MODEL(signal_wakes, .run = wait_run, .title = "a handler posts the semaphore that its thread waits for",
                 .outcomes = "1");

/* A handler that takes the lock its thread holds. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static void take_lock(void) {
  pthread_mutex_lock(&lock);
  pthread_mutex_unlock(&lock);
}
static void self_deadlock_run(void) { send_to(take_lock, NULL, take_lock); }
INTERLEAVE_MODEL(signal_deadlock, .run = self_deadlock_run, .title = "a handler takes the lock that its thread holds",
                 .expect = INTERLEAVE_DEADLOCK);
