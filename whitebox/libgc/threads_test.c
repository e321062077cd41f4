/* gc.h, gc_pthread_redirects.h: threads, and where their stacks are. */
#include "client.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>

/* ---- Threads that the library starts ---- */

static sem_t ready, go;

static void start(void) {
  sem_init(&ready, 0, 0);
  sem_init(&go, 0, 0);
  GC_INIT();
}

/* Objects on its stack alone, watched from i * 10 on. */
static void *keep_ten(void *arg) {
  unsigned first = (unsigned)(uintptr_t)arg * 10;
  void *volatile kept[10];
  must(GC_thread_is_registered());
  for (unsigned i = 0; i < 10; i++) {
    kept[i] = GC_malloc(40);
    client_watch(first + i, kept[i]);
  }
  sem_post(&ready);
  while (sem_wait(&go)) {
  }
  void *last = kept[9];
  return last;
}

TEST(stacks_of_threads_are_roots) {
  start();
  pthread_t threads[10];
  for (uintptr_t i = 0; i < 10; i++) must(!pthread_create(&threads[i], NULL, keep_ten, (void *)i));
  for (int i = 0; i < 10; i++)
    while (sem_wait(&ready)) {
    }
  client_collect();
  must(client_gone(MANY) == 0);
  for (int i = 0; i < 10; i++) sem_post(&go);
  for (unsigned i = 0; i < 10; i++) {
    void *result = NULL;
    must(!pthread_join(threads[i], &result));
    must(result && GC_base(result) == result);
  }
  client_collect();
  must(client_gone(MANY) >= MOST);
}

static void *leave(void *arg) {
  void *object = GC_malloc(40);
  *(unsigned *)object = (unsigned)(uintptr_t)arg;
  pthread_exit(object);
}

/* Until it is joined a thread's result is kept. */
TEST_OURS(results_are_kept_until_join, "the headers do not say so") {
  start();
  pthread_t threads[50];
  for (uintptr_t i = 0; i < 50; i++) must(!pthread_create(&threads[i], NULL, leave, (void *)i));
  for (int i = 0; i < 10; i++) {
    sched_yield();
    client_collect();
    for (int j = 0; j < 1000; j++) memset(GC_malloc(40), 0xff, 40);
  }
  for (unsigned i = 0; i < 50; i++) {
    unsigned *result = NULL;
    must(!pthread_join(threads[i], (void **)&result));
    must(*result == i);
  }
}

static void *churn(void *arg) {
  void **list = NULL;
  unsigned count = 0;
  for (unsigned i = 0; i < 20000; i++) {
    void **cell = GC_malloc(16 + i % 100);
    cell[1] = (void *)(uintptr_t)i;
    if (i % 10 == 0) {
      cell[0] = list;
      list = cell;
      count++;
    }
  }
  for (void **at = list; at; at = at[0]) must((uintptr_t)at[1] == --count * 10);
  must(!count);
  if (arg) sem_post(&ready);
  return arg;
}

TEST(many_threads_allocate) {
  start();
  pthread_attr_t detached;
  pthread_attr_init(&detached);
  pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
  for (int round = 0; round < 5; round++) {
    pthread_t threads[8];
    for (int i = 0; i < 8; i++)
      must(!pthread_create(&threads[i], i < 2 ? &detached : NULL, churn, i < 3 ? &ready : NULL));
    GC_gcollect();
    for (int i = 3; i < 8; i++) must(!pthread_join(threads[i], NULL));
    must(!pthread_detach(threads[2]));
    for (int i = 0; i < 3; i++)
      while (sem_wait(&ready)) {
      }
  }
}

static void *wait_for_ever(void *arg) {
  void *volatile kept = GC_malloc(16);
  sem_post(&ready);
  for (;;) sem_wait(&go);
  return kept ? arg : NULL;
}

TEST_UNLESS(cancelled, UNDER_ASAN || UNDER_TSAN, "runtimes lose track of a thread cancelled within a call of theirs") {
  start();
  pthread_t thread;
  must(!pthread_create(&thread, NULL, wait_for_ever, NULL));
  while (sem_wait(&ready)) {
  }
  must(!pthread_cancel(thread));
  void *result = NULL;
  must(!pthread_join(thread, &result) && result == PTHREAD_CANCELED);
  client_collect();
}

static void *block_all(void *arg) {
  sigset_t all, now;
  sigfillset(&all);
  must(!pthread_sigmask(SIG_SETMASK, &all, NULL));
  must(!pthread_sigmask(SIG_BLOCK, NULL, &now));
  must(sigismember(&now, SIGUSR1) && sigismember(&now, SIGTERM));
  must(!sigismember(&now, GC_get_suspend_signal()));
  keep_ten(arg);
  return NULL;
}

/* A thread that blocks all signals by the redirected call can still be stopped. */
TEST(signal_masks) {
  start();
  pthread_t thread;
  must(!pthread_create(&thread, NULL, block_all, NULL));
  while (sem_wait(&ready)) {
  }
  client_collect();
  must(client_gone(10) == 0);
  sem_post(&go);
  must(!pthread_join(thread, NULL));
  must(GC_get_suspend_signal() > 0 && GC_get_thr_restart_signal() > 0);
}

TEST(chosen_signals) {
  GC_set_suspend_signal(SIGUSR1);
  GC_set_thr_restart_signal(SIGUSR2);
  start();
  must(GC_get_suspend_signal() == SIGUSR1 && GC_get_thr_restart_signal() == SIGUSR2);
  pthread_t thread;
  must(!pthread_create(&thread, NULL, churn, NULL));
  for (int i = 0; i < 5; i++) client_collect();
  must(!pthread_join(thread, NULL));
}

/* ---- Threads that it does not start ---- */

#undef pthread_create
#undef pthread_join
#undef pthread_sigmask

static void *registered_by_hand(struct GC_stack_base *base, void *arg) {
  int result = GC_register_my_thread(base);
  must(result == GC_SUCCESS || result == GC_DUPLICATE);
  must(GC_register_my_thread(base) == GC_DUPLICATE);
  must(GC_thread_is_registered());
  keep_ten(arg);
  if (result == GC_SUCCESS) {
    must(GC_unregister_my_thread() == GC_SUCCESS);
    must(!GC_thread_is_registered());
  }
  return NULL;
}

static void *foreign(void *arg) { return GC_call_with_stack_base(registered_by_hand, arg); }

TEST(registered_threads) {
  start();
  GC_allow_register_threads();
  pthread_t threads[10];
  for (uintptr_t i = 0; i < 10; i++) must(!pthread_create(&threads[i], NULL, foreign, (void *)i));
  for (int i = 0; i < 10; i++)
    while (sem_wait(&ready)) {
    }
  client_collect();
  must(client_gone(MANY) == 0);
  for (int i = 0; i < 10; i++) sem_post(&go);
  for (int i = 0; i < 10; i++) must(!pthread_join(threads[i], NULL));
  client_collect();
  must(client_gone(MANY) >= MOST);
}

static void *again(struct GC_stack_base *base, void *arg) {
  (void)arg;
  if (GC_register_my_thread(base) == GC_DUPLICATE) return NULL; /* implicitly: it need not be undone, nor may it */
  must(GC_unregister_my_thread() == GC_SUCCESS);
  for (int i = 0; i < 20; i++) {
    struct GC_stack_base known;
    must(GC_register_my_thread(base) == GC_SUCCESS);
    must(GC_get_my_stackbottom(&known) && known.mem_base == base->mem_base);
    churn(NULL);
    must(GC_unregister_my_thread() == GC_SUCCESS);
  }
  return NULL;
}

static void *foreign_again(void *arg) {
  struct GC_stack_base base = {NULL};
  must(GC_get_stack_base(&base) == GC_SUCCESS && base.mem_base > (void *)&base);
  return GC_call_with_stack_base(again, arg);
}

TEST(registered_again_and_again) {
  start();
  GC_allow_register_threads();
  pthread_t thread;
  must(!pthread_create(&thread, NULL, foreign_again, NULL));
  for (int i = 0; i < 20; i++) client_collect();
  must(!pthread_join(thread, NULL));
}

TEST(main_thread) {
  start();
  GC_allow_register_threads();
  struct GC_stack_base base;
  must(GC_thread_is_registered());
  must(GC_get_stack_base(&base) == GC_SUCCESS);
  must(GC_register_my_thread(&base) == GC_DUPLICATE);
}

/* As a special exception. */
TEST(main_thread_unregistered) {
  start();
  GC_allow_register_threads();
  must(GC_unregister_my_thread() == GC_SUCCESS);
  must(!GC_thread_is_registered());
}

/* ---- Regions in which the collector does not look ---- */

static void *collect_in_another(void *arg) {
  (void)arg;
  client_collect();
  return NULL;
}

static void collect_elsewhere(void) {
  pthread_t thread;
  must(!GC_pthread_create(&thread, NULL, collect_in_another, NULL));
  must(!GC_pthread_join(thread, NULL));
}

static unsigned watched;

static void *active(void *arg) {
  void *volatile kept[10];
  unsigned first = watched += 10;
  for (unsigned i = 0; i < 10; i++) {
    kept[i] = GC_malloc(40);
    client_watch(first + i, kept[i]);
  }
  GC_gcollect();
  collect_elsewhere();
  must(client_gone(first + 10) == client_gone(first) && client_gone(10) == 0);
  must(kept[9] != NULL);
  return arg;
}

static void *blocking(void *arg) {
  must(GC_call_with_gc_active(active, arg) == arg);
  return arg;
}

static void *active_blocking_again(void *arg) {
  must(GC_do_blocking(blocking, arg) == arg);
  return arg;
}

static void *blocking_active_blocking(void *arg) {
  must(GC_call_with_gc_active(active_blocking_again, arg) == arg);
  return arg;
}

TEST(blocking_and_active_nest) {
  start();
  void *volatile kept[10];
  for (unsigned i = 0; i < 10; i++) {
    kept[i] = GC_malloc(40);
    client_watch(i, kept[i]);
  }
  must(GC_do_blocking(blocking, &ready) == &ready);
  must(GC_do_blocking(blocking_active_blocking, &ready) == &ready);
  must(GC_call_with_gc_active(active_blocking_again, &ready) == &ready);
  client_collect();
  must(client_gone(10) == 0);
  must(kept[0] != NULL);
}

static void *wait_blocked(void *arg) {
  sigset_t all;
  sigfillset(&all);
  must(!pthread_sigmask(SIG_SETMASK, &all, NULL)); /* the real one: it cannot be signalled */
  sem_post(&ready);
  while (sem_wait(&go)) {
  }
  sigemptyset(&all);
  must(!pthread_sigmask(SIG_SETMASK, &all, NULL));
  return arg;
}

static void *enter_blocking(void *arg) {
  void *volatile kept = GC_malloc(40);
  client_watch(0, kept);
  GC_do_blocking(wait_blocked, arg);
  must(GC_base(kept) == kept);
  return NULL;
}

/* Not suspended, but what lies above its region is scanned. */
TEST(blocked_threads_are_not_suspended) {
  start();
  pthread_t thread;
  must(!GC_pthread_create(&thread, NULL, enter_blocking, NULL));
  while (sem_wait(&ready)) {
  }
  client_collect();
  must(client_gone(1) == 0);
  sem_post(&go);
  must(!GC_pthread_join(thread, NULL));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(stacks_of_threads_are_roots),
      cmocka_unit_test(results_are_kept_until_join),
      cmocka_unit_test(many_threads_allocate),
      cmocka_unit_test(cancelled),
      cmocka_unit_test(signal_masks),
      cmocka_unit_test(chosen_signals),
      cmocka_unit_test(registered_threads),
      cmocka_unit_test(registered_again_and_again),
      cmocka_unit_test(main_thread),
      cmocka_unit_test(main_thread_unregistered),
      cmocka_unit_test(blocking_and_active_nest),
      cmocka_unit_test(blocked_threads_are_not_suspended),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
