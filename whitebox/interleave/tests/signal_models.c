/* Signals and forks as the code under test sees them. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "start.h"

static atomic_int handled, stage;
static volatile int plain;

static void install(int number, void (*handler)(int)) {
  struct sigaction action, told;
  memset(&action, 0, sizeof action);
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  sigfillset(&action.sa_mask);
  interleave_assert(sigaction(number, &action, NULL) == 0);
  interleave_assert(sigaction(number, NULL, &told) == 0 && told.sa_handler == handler);
}

static void mask(int how, int number) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, number);
  interleave_assert(pthread_sigmask(how, &set, NULL) == 0);
}

static void count(int number) {
  (void)number;
  atomic_fetch_add_explicit(&handled, 1, memory_order_relaxed);
}

static void install_count(void) { install(SIGUSR1, count); }

static void wait_for_stage(int wanted) {
  while (atomic_load(&stage) != wanted) {
  }
}

/* ---- What a handler may look at ---- */

static void write_plain(int number) {
  (void)number;
  plain = 2;
}

static void *plain_body(void *arg) {
  (void)arg;
  plain = 1;
  return NULL;
}

static void install_write(void) { install(SIGUSR1, write_plain); }

static void handler_races(void) {
  pthread_t thread = start(plain_body, NULL);
  pthread_kill(thread, SIGUSR1);
  join(thread);
}
INTERLEAVE_MODEL(handler_races, .setup = install_write, .run = handler_races, .expect = INTERLEAVE_RACE,
                 .title = "a handler and the code that it interrupts write one variable");

static void raise_own(void) {
  plain = 1;
  raise(SIGUSR1);
  interleave_assert(plain == 2);
  plain = 3;
  mask(SIG_BLOCK, SIGUSR1);
  raise(SIGUSR1);
  plain = 1;
  mask(SIG_UNBLOCK, SIGUSR1);
  interleave_assert(plain == 2);
  plain = 3;
}
INTERLEAVE_MODEL(handler_of_raise, .preemptions = 3, .setup = install_write, .run = raise_own,
                 .title = "a handler that raise or unmasking calls is ordered with the code around the call");

/* The sender knows something that the handler does not learn by being sent. */
static void read_plain(int number) {
  (void)number;
  if (plain) atomic_store_explicit(&handled, 1, memory_order_relaxed);
}

static void *idle_body(void *arg) {
  (void)arg;
  atomic_store(&stage, 1);
  return NULL;
}

static void install_read(void) { install(SIGUSR1, read_plain); }

static void sending_orders_nothing(void) {
  pthread_t thread = start(idle_body, NULL);
  plain = 1;
  pthread_kill(thread, SIGUSR1);
  join(thread);
}
INTERLEAVE_MODEL(sending_orders_nothing, .setup = install_read, .run = sending_orders_nothing,
                 .expect = INTERLEAVE_RACE, .title = "what the sender wrote is not known to the handler by the signal");

static atomic_int flag;

static void read_behind_fence(int number) {
  (void)number;
  if (!atomic_load_explicit(&flag, memory_order_relaxed)) return;
  atomic_signal_fence(memory_order_acquire);
  interleave_assert(plain == 1);
  atomic_store_explicit(&handled, 1, memory_order_relaxed);
}

static void *write_before_fence(void *arg) {
  (void)arg;
  plain = 1;
  atomic_signal_fence(memory_order_release);
  atomic_store_explicit(&flag, 1, memory_order_relaxed);
  atomic_store_explicit(&stage, 1, memory_order_relaxed);
  return NULL;
}

static void install_fenced(void) { install(SIGUSR1, read_behind_fence); }

static void signal_fence(void) {
  pthread_t thread = start(write_before_fence, NULL);
  pthread_kill(thread, SIGUSR1);
  join(thread);
  interleave_outcome(atomic_load(&handled) ? "seen" : "not seen");
}
INTERLEAVE_MODEL(signal_fence, .setup = install_fenced, .run = signal_fence, .outcomes = "seen|not seen",
                 .title = "a signal fence publishes plain data to a handler on the same thread");

static volatile int words[3];
static int interrupted_at;

static void *write_words(void *arg) {
  (void)arg;
  for (int i = 0; i < 3; i++) {
    uint32_t before = interleave_get_counts().signals;
    words[i] = 1;
    if (interleave_get_counts().signals != before) interrupted_at = i + 1;
  }
  return NULL;
}

static void between_plain_accesses(void) {
  pthread_t thread = start(write_words, NULL);
  pthread_kill(thread, SIGUSR1);
  join(thread);
  if (interrupted_at)
    interleave_outcome("before %d", interrupted_at);
  else
    interleave_outcome("elsewhere");
}
INTERLEAVE_MODEL(between_plain_accesses, .setup = install_count, .run = between_plain_accesses,
                 .title = "a signal comes between any two plain accesses",
                 .outcomes = "before 1|before 2|before 3|elsewhere");
INTERLEAVE_MODEL(prompt_signals, .setup = install_count, .run = between_plain_accesses, .prompt_signals = true,
                 .title = "prompt signals come at scheduling points only", .outcomes = "elsewhere");

static void *many_accesses(void *arg) {
  (void)arg;
  wait_for_stage(1);
  for (unsigned i = 0; i < 80; i++) words[i % 3] = 1;
  interleave_assert(atomic_load_explicit(&handled, memory_order_relaxed) == 1);
  return NULL;
}

static void at_last(void) {
  pthread_t thread = start(many_accesses, NULL);
  pthread_kill(thread, SIGUSR1);
  atomic_store(&stage, 1);
  join(thread);
}
INTERLEAVE_MODEL(at_last, .preemptions = 3, .setup = install_count, .run = at_last,
                 .title = "a signal is not put off for ever");

/* ---- Masks and queues ---- */

static void *masked_body(void *arg) {
  (void)arg;
  mask(SIG_BLOCK, SIGUSR1);
  atomic_store(&stage, 1);
  wait_for_stage(2);
  interleave_assert(atomic_load(&handled) == 0);
  sigset_t pending;
  sigpending(&pending);
  interleave_assert(sigismember(&pending, SIGUSR1) == 1 && sigismember(&pending, SIGUSR2) == 0);
  mask(SIG_UNBLOCK, SIGUSR1);
  interleave_assert(atomic_load(&handled) == 1);
  return NULL;
}

static void masked_waits(void) {
  pthread_t thread = start(masked_body, NULL);
  wait_for_stage(1);
  interleave_assert(pthread_kill(thread, SIGUSR1) == 0 && pthread_kill(thread, SIGUSR1) == 0);
  atomic_store(&stage, 2);
  join(thread);
}
INTERLEAVE_MODEL(masked_waits, .preemptions = 3, .setup = install_count, .run = masked_waits,
                 .title = "a masked signal waits, and two are one");

static void install_real_time(void) { install(SIGRTMIN, count); }

static void real_time(void) {
  mask(SIG_BLOCK, SIGRTMIN);
  interleave_assert(raise(SIGRTMIN) == 0 && raise(SIGRTMIN) == 0);
  mask(SIG_UNBLOCK, SIGRTMIN);
  interleave_assert(atomic_load(&handled) == 2);
}
INTERLEAVE_MODEL(real_time, .preemptions = 3, .setup = install_real_time, .run = real_time,
                 .title = "real-time signals queue");

static void send_real_time(void) {
  int rc = pthread_kill(pthread_self(), SIGRTMIN);
  interleave_assert(rc == 0 || rc == EAGAIN);
  interleave_assert(atomic_load(&handled) == (rc == 0));
  interleave_outcome(rc ? "full" : "sent");
}
INTERLEAVE_MODEL(queue_full, .setup = install_real_time, .run = send_real_time, .full_signal_queue = true,
                 .title = "the queue may be full where the model says so", .outcomes = "sent|full");
INTERLEAVE_MODEL(queue_roomy, .setup = install_real_time, .run = send_real_time, .title = "and only there",
                 .outcomes = "sent");

static atomic_int order;

static void outer(int number) {
  (void)number;
  atomic_store(&order, 1);
  raise(SIGUSR2);
  interleave_assert(atomic_load(&order) == 1);
  atomic_store(&order, 2);
}

static void inner(int number) {
  (void)number;
  interleave_assert(atomic_load(&order) == 2);
  atomic_store(&order, 3);
}

static void install_both(void) {
  install(SIGUSR1, outer);
  install(SIGUSR2, inner);
}

static void handler_masks(void) {
  raise(SIGUSR1);
  interleave_assert(atomic_load(&order) == 3);
}
INTERLEAVE_MODEL(handler_masks, .preemptions = 3, .setup = install_both, .run = handler_masks,
                 .title = "a signal that sa_mask names waits for the handler to return");

static void check_information(int number, siginfo_t *info, void *context) {
  interleave_assert(number == SIGUSR1 && info->si_signo == SIGUSR1 && info->si_code == SI_TKILL && context);
  interleave_assert(info->si_pid == getpid());
  count(number);
}

static void information(void) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = check_information;
  action.sa_flags = (int)(SA_SIGINFO | SA_RESETHAND);
  interleave_choose(2); /* two runs: what the first installs, the second must not find */
  interleave_assert(signal(SIGUSR1, SIG_DFL) == SIG_DFL);
  interleave_assert(sigaction(SIGUSR1, &action, NULL) == 0);
  raise(SIGUSR1);
  interleave_assert(atomic_load(&handled) == 1);
  interleave_assert(signal(SIGUSR1, SIG_IGN) == SIG_DFL);
  raise(SIGUSR1);
  interleave_assert(atomic_load(&handled) == 1);
}
INTERLEAVE_MODEL(information, .preemptions = 3, .run = information, .title = "SA_SIGINFO, SA_RESETHAND and SIG_IGN");

static void default_action(void) {
  pthread_t thread = start(idle_body, NULL);
  pthread_kill(thread, SIGTERM);
  join(thread);
}
INTERLEAVE_MODEL(default_action, .run = default_action, .title = "a signal that nobody handles ends the process",
                 .expect = INTERLEAVE_CRASH);

/* ---- States of the target ---- */

static void target_ends(void) {
  pthread_t thread = start(idle_body, NULL);
  int rc = pthread_kill(thread, SIGUSR1);
  join(thread);
  interleave_assert(rc == 0 || (rc == ESRCH && atomic_load(&handled) == 0));
  interleave_outcome(rc ? "ended" : atomic_load(&handled) ? "handled" : "dropped");
}
INTERLEAVE_MODEL(target_ends, .setup = install_count, .run = target_ends, .outcomes = "ended|handled|dropped",
                 .title = "a signal to a thread that ends: refused, handled or dropped");

static void *unborn_body(void *arg) {
  (void)arg;
  atomic_store(&stage, 1 + atomic_load(&handled));
  return NULL;
}

static void target_unborn(void) {
  pthread_t thread = start(unborn_body, NULL);
  pthread_kill(thread, SIGUSR1);
  join(thread);
  interleave_outcome(atomic_load(&stage) == 2 ? "first" : atomic_load(&handled) ? "later" : "never");
}
INTERLEAVE_MODEL(target_unborn, .setup = install_count, .run = target_unborn, .outcomes = "first|later|never",
                 .title = "a thread may take a signal before its first statement");

static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;

static void *lock_body(void *arg) {
  (void)arg;
  pthread_mutex_lock(&held);
  pthread_mutex_unlock(&held);
  return NULL;
}

/* The sender holds what the target waits for, until the handler has run. */
static void target_blocked(void) {
  pthread_mutex_lock(&held);
  pthread_t thread = start(lock_body, NULL);
  interleave_assert(pthread_kill(thread, SIGUSR1) == 0);
  while (!atomic_load(&handled)) {
  }
  pthread_mutex_unlock(&held);
  join(thread);
}
INTERLEAVE_MODEL(target_blocked, .preemptions = 3, .setup = install_count, .run = target_blocked,
                 .title = "a thread that waits for a mutex takes a signal");

static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static bool ready;

static void *condition_body(void *arg) {
  (void)arg;
  pthread_mutex_lock(&held);
  while (!ready) pthread_cond_wait(&condition, &held);
  pthread_mutex_unlock(&held);
  return NULL;
}

static void no_wake_up_lost(void) {
  pthread_t thread = start(condition_body, NULL);
  pthread_kill(thread, SIGUSR1);
  pthread_mutex_lock(&held);
  ready = true;
  pthread_cond_signal(&condition);
  pthread_mutex_unlock(&held);
  join(thread);
}
INTERLEAVE_MODEL(no_wake_up_lost, .setup = install_count, .run = no_wake_up_lost, .preemptions = 2,
                 .title = "a wake-up that comes while the waiter is in a handler is not lost");

/* The handler waits for the sender, as that of a world stop does. */
static void park(int number) {
  (void)number;
  atomic_store(&handled, 1);
  wait_for_stage(2);
}

static void install_park(void) { install(SIGUSR1, park); }

static void stop_and_go(void) {
  pthread_mutex_lock(&held);
  pthread_t thread = start(lock_body, NULL);
  interleave_assert(pthread_kill(thread, SIGUSR1) == 0);
  while (!atomic_load(&handled)) {
  }
  pthread_mutex_unlock(&held);
  atomic_store(&stage, 2);
  join(thread);
}
INTERLEAVE_MODEL(stop_and_go, .setup = install_park, .run = stop_and_go, .preemptions = 2,
                 .title = "a handler waits on top of a wait; the lock comes free meanwhile");

static void *suspended_body(void *arg) {
  (void)arg;
  sigset_t none;
  sigemptyset(&none);
  interleave_assert(sigsuspend(&none) == -1 && errno == EINTR && atomic_load(&handled) == 1);
  raise(SIGUSR1);
  interleave_assert(atomic_load(&handled) == 1); /* masked again */
  return NULL;
}

static void suspended(void) {
  mask(SIG_BLOCK, SIGUSR1);
  pthread_t thread = start(suspended_body, NULL);
  pthread_kill(thread, SIGUSR1);
  join(thread);
}
INTERLEAVE_MODEL(suspended, .preemptions = 3, .setup = install_count, .run = suspended,
                 .title = "sigsuspend takes a signal that came before or comes after; masks are inherited");

static void *waiting_body(void *arg) {
  (void)arg;
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  int taken = 0;
  interleave_assert(sigwait(&set, &taken) == 0 && taken == SIGUSR1 && atomic_load(&handled) == 0);
  return NULL;
}

static void waited_for(void) {
  mask(SIG_BLOCK, SIGUSR1);
  pthread_t thread = start(waiting_body, NULL);
  pthread_kill(thread, SIGUSR1);
  join(thread);
}
INTERLEAVE_MODEL(waited_for, .preemptions = 3, .setup = install_count, .run = waited_for,
                 .title = "sigwait takes it without a handler");

static void send_and_wait(void) {
  interleave_assert(tgkill(getpid(), gettid(), SIGUSR1) == 0 && atomic_load(&handled) == 1);
  interleave_assert(kill(getpid(), SIGUSR1) == 0 && atomic_load(&handled) == 2);
  interleave_assert(tgkill(getpid(), gettid() + 1, 0) == -1 && errno == ESRCH);
  interleave_assert(pthread_kill(pthread_self(), 0) == 0 && pthread_kill(pthread_self(), 65) == EINVAL);
  mask(SIG_BLOCK, SIGUSR1);
  raise(SIGUSR1);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  static const struct timespec moment = {0, 1000};
  siginfo_t info;
  interleave_assert(sigtimedwait(&set, &info, &moment) == SIGUSR1 && info.si_signo == SIGUSR1);
  interleave_assert(sigtimedwait(&set, NULL, &moment) == -1 && errno == EAGAIN);
  interleave_assert(atomic_load(&handled) == 2);
}
INTERLEAVE_MODEL(send_and_wait, .preemptions = 3, .setup = install_count, .run = send_and_wait,
                 .title = "tgkill, kill, signal 0, and sigtimedwait in virtual time");

static void *send_to_parent(void *arg) {
  (void)arg;
  interleave_assert(kill(getpid(), SIGUSR1) == 0);
  return NULL;
}

/* Whoever does not mask it takes a signal to the process. */
static void to_process(void) {
  pthread_t thread = start(send_to_parent, NULL);
  mask(SIG_BLOCK, SIGUSR1);
  join(thread);
  interleave_assert(atomic_load(&handled) == 1);
}
INTERLEAVE_MODEL(to_process, .preemptions = 3, .setup = install_count, .run = to_process,
                 .title = "a signal to the process is taken once");

/* ---- Forks ---- */

static int handlers_run;
static void prepare(void) { handlers_run = handlers_run * 10 + 1; }
static void prepare_too(void) { handlers_run = handlers_run * 10 + 2; }
static void in_parent(void) { handlers_run = handlers_run * 10 + 3; }
static void in_child(void) { handlers_run = handlers_run * 10 + 4; }

static void register_handlers(void) {
  pthread_atfork(prepare, in_parent, in_child);
  pthread_atfork(prepare_too, in_parent, NULL);
}

static void both_sides(void) {
  pthread_t thread = start(idle_body, NULL);
  pthread_atfork(NULL, NULL, in_child); /* for this run only */
  pid_t process = fork();
  if (process == 0) {
    interleave_assert(handlers_run == 2144 && interleave_get_counts().forks == 1);
    int before = atomic_load(&stage);
    interleave_point();
    interleave_assert(atomic_load(&stage) == before); /* the other thread is not here */
    interleave_outcome("child");
    return;
  }
  int status = -1;
  interleave_assert(handlers_run == 2133);
  interleave_assert(waitpid(process, &status, 0) == process && WIFEXITED(status) && WEXITSTATUS(status) == 0);
  interleave_assert(waitpid(process, &status, 0) == -1 && errno == ECHILD);
  join(thread);
  interleave_outcome("parent");
}
INTERLEAVE_MODEL(both_sides, .setup = register_handlers, .run = both_sides, .outcomes = "parent|child",
                 .title = "fork goes on as the parent or as the child, which has one thread");
