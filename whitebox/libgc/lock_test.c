/* gc.h and javaxfc.h: the allocation lock, a stop of the program's own, and threads that are suspended one by one. */
#include "client.h"

#include <gc/gc_mark.h>
#include <gc/javaxfc.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>

static sem_t ready;

static void start(void) {
  sem_init(&ready, 0, 0);
  GC_INIT();
}

static atomic_uint counter;
static atomic_int ended;

static void *count(void *arg) {
  void *volatile kept = GC_malloc(40);
  client_watch(0, kept);
  sem_post(&ready);
  for (unsigned i = 0; !ended; i++) {
    counter++;
    if (i % 64 == 0) GC_reachable_here(GC_malloc(16));
  }
  must(GC_base(kept) == kept);
  return arg;
}

TEST(stopped_world) {
  start();
  pthread_t thread;
  must(!pthread_create(&thread, NULL, count, NULL));
  while (sem_wait(&ready)) {
  }
  for (int i = 0; i < 20; i++) {
    GC_stop_world_external();
    unsigned before = counter;
    for (volatile int spin = 0; spin < 1000000; spin++) {
    }
    must(counter == before);
    GC_start_world_external();
    for (unsigned rest = 100000; counter == before && rest; rest--) sched_yield();
    must(counter != before);
  }
  ended = 1;
  must(!pthread_join(thread, NULL));
}

static unsigned guarded;

static void *add_one(void *arg) {
  unsigned before = guarded;
  sched_yield();
  guarded = before + 1;
  return arg;
}

static void *add_many(void *arg) {
  for (int i = 0; i < 2000; i++) {
    if (i % 2) {
      must(GC_call_with_alloc_lock(add_one, &guarded) == &guarded);
    } else {
      GC_alloc_lock();
      add_one(NULL);
      GC_alloc_unlock();
    }
    GC_reachable_here(GC_malloc(1000));
  }
  return arg;
}

TEST(allocation_lock_excludes) {
  start();
  pthread_t threads[4];
  for (int i = 0; i < 4; i++) must(!pthread_create(&threads[i], NULL, add_many, NULL));
  for (int i = 0; i < 20; i++) GC_gcollect();
  for (int i = 0; i < 4; i++) must(!pthread_join(threads[i], NULL));
  must(guarded == 8000);
}

static void *hold_lock(void *arg) {
  GC_alloc_lock();
  sem_post(&ready);
  GC_word before = GC_get_gc_no();
  for (int i = 0; i < 200; i++) sched_yield();
  must(GC_get_gc_no() == before);
  GC_alloc_unlock();
  return arg;
}

/* A collection that is asked for while another holds the lock waits, and is not left out. */
TEST(collections_wait_for_the_lock) {
  start();
  for (int round = 0; round < 20; round++) {
    pthread_t thread;
    must(!pthread_create(&thread, NULL, hold_lock, NULL));
    while (sem_wait(&ready)) {
    }
    GC_word before = GC_get_gc_no();
    GC_gcollect();
    must(GC_get_gc_no() > before);
    must(!pthread_join(thread, NULL));
  }
}

/* ---- Numbers that are given once, with the lock and without it ---- */

enum { PROCEDURES = 20, KINDS = 6, NUMBERS = PROCEDURES + KINDS };

static void **free_lists[2][KINDS];
static unsigned numbers[2][NUMBERS];
static atomic_uint arrived;

/* Both threads go on at the same time. */
static void meet(unsigned round) {
  arrived++;
  for (unsigned spins = 0; arrived < 2 * (round + 1); spins++)
    if (spins > 10000) sched_yield();
}

static struct GC_ms_entry *mark_nothing(GC_word *addr, struct GC_ms_entry *top, struct GC_ms_entry *limit,
                                        GC_word env) {
  return (void)addr, (void)limit, (void)env, top;
}

static void *claim_with_lock(void *arg) {
  unsigned i = *(const unsigned *)arg;
  numbers[0][i] = i < PROCEDURES ? GC_new_proc_inner(mark_nothing)
                                 : GC_new_kind_inner(free_lists[0][i - PROCEDURES], GC_DS_LENGTH, 1, 1);
  return NULL;
}

static void *claim_without(void *arg) {
  for (unsigned i = 0; i < NUMBERS; i++) {
    meet(i);
    numbers[1][i] =
        i < PROCEDURES ? GC_new_proc(mark_nothing) : GC_new_kind(free_lists[1][i - PROCEDURES], GC_DS_LENGTH, 1, 1);
  }
  return arg;
}

static void claim_in_two_threads(void) {
  GC_INIT();
  for (unsigned i = 0; i < KINDS; i++) free_lists[0][i] = GC_new_free_list(), free_lists[1][i] = GC_new_free_list();
  pthread_t thread;
  must(!pthread_create(&thread, NULL, claim_without, NULL));
  for (unsigned i = 0; i < NUMBERS; i++) {
    meet(i);
    GC_call_with_alloc_lock(claim_with_lock, &i);
  }
  must(!pthread_join(thread, NULL));
  for (unsigned i = 0; i < NUMBERS; i++)
    for (unsigned j = i < PROCEDURES ? 0 : PROCEDURES; j < (i < PROCEDURES ? PROCEDURES : NUMBERS); j++)
      must(numbers[0][i] != numbers[1][j] && (i == j || numbers[0][i] != numbers[0][j]));
}

static void numbers_are_given_once(void **state) {
  (void)state;
  for (int i = 0; i < 50; i++) client_passes(claim_in_two_threads);
}

/* ---- Suspended threads ---- */

/* Whether the counter stands still, which is looked at for a while. */
static int stands(void) {
  unsigned before = counter;
  for (int i = 0; i < 1000 && counter == before; i++) sched_yield();
  return counter == before;
}

static pthread_t start_counting(void) {
  pthread_t thread;
  must(!pthread_create(&thread, NULL, count, NULL));
  while (sem_wait(&ready)) {
  }
  return thread;
}

static void end_counting(pthread_t thread) {
  ended = 1;
  must(!pthread_join(thread, NULL));
}

TEST(suspended_and_resumed) {
  start();
  pthread_t thread = start_counting();
  must(!GC_is_thread_suspended(thread));
  for (int i = 0; i < 10; i++) {
    GC_suspend_thread(thread);
    must(GC_is_thread_suspended(thread) && stands());
    GC_suspend_thread(thread); /* is not counted */
    GC_gcollect();             /* goes on */
    GC_reachable_here(GC_malloc(1000));
    must(GC_is_thread_suspended(thread) && stands());
    GC_resume_thread(thread);
    must(!GC_is_thread_suspended(thread));
    while (stands()) {
    }
  }
  end_counting(thread);
}

/* The objects of its stack live. */
TEST(suspended_threads_are_scanned) {
  start();
  pthread_t thread = start_counting();
  GC_suspend_thread(thread);
  client_collect();
  must(client_gone(1) == 0);
  GC_resume_thread(thread);
  end_counting(thread);
}

/* No-ops for threads that are none of the library's. */
TEST(not_of_unknown_threads) {
  start();
  must(!GC_is_thread_suspended(pthread_self()));
  GC_resume_thread(pthread_self());
  must(!GC_is_thread_suspended(pthread_self()));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(stopped_world),
      cmocka_unit_test(allocation_lock_excludes),
      cmocka_unit_test(collections_wait_for_the_lock),
      cmocka_unit_test(numbers_are_given_once),
      cmocka_unit_test(suspended_and_resumed),
      cmocka_unit_test(suspended_threads_are_scanned),
      cmocka_unit_test(not_of_unknown_threads),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
