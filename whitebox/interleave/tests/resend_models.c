/* A signal that is sent again before it is taken. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>

#include "start.h"

static atomic_int asked, answered, stage;

static void answer(int number) {
  (void)number;
  atomic_store_explicit(&answered, atomic_load_explicit(&asked, memory_order_relaxed), memory_order_relaxed);
}

static void install_answer(void) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = answer;
  interleave_assert(sigaction(SIGUSR1, &action, NULL) == 0);
}

static void mask(int how) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  interleave_assert(pthread_sigmask(how, &set, NULL) == 0);
}

static void *unmask_body(void *arg) {
  (void)arg;
  mask(SIG_UNBLOCK);
  while (!atomic_load(&stage)) {
  }
  return NULL;
}

/* It is queued already, perhaps, and taken once for both: then its handler knows what both senders had seen. */
static void asked_twice(void) {
  mask(SIG_BLOCK);
  pthread_t thread = start(unmask_body, NULL);
  for (int i = 1; i <= 2; i++) {
    atomic_store(&asked, i);
    pthread_kill(thread, SIGUSR1);
  }
  atomic_store(&stage, 1);
  join(thread);
  interleave_assert(atomic_load(&answered) == 2);
}
INTERLEAVE_MODEL(asked_twice, .setup = install_answer, .run = asked_twice, .prompt_signals = true,
                 .title = "the handler that answers two sendings at once sees what was asked before the second");
