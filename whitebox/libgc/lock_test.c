/* gc.h and javaxfc.h: the allocation lock, a stop of the program's own, and threads that are suspended one by one. */
#include "client.h"

#include <gc/gc_mark.h>
#include <gc/javaxfc.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <unistd.h>

static sem_t ready;

static void start(void) {
  sem_init(&ready, 0, 0);
  GC_INIT();
}

static atomic_uint counter;
static atomic_int ended, counting; /* counting: the thread that does */

static void *count(void *arg) {
  void *volatile kept = GC_malloc(40);
  client_watch(0, kept);
  counting = gettid();
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

static atomic_int asking;

static void *hold_lock(void *arg) {
  GC_alloc_lock();
  sem_post(&ready);
  GC_word before = GC_get_gc_no();
  while (!asking) sched_yield();
  client_await_sleep(getpid());
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
    asking = 1;
    GC_gcollect();
    must(GC_get_gc_no() > before);
    must(!pthread_join(thread, NULL));
    asking = 0;
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

/* ---- Settings, with the lock or in a collection ---- */

#define LIMIT ((GC_word)64 << 20)

/* Those that the header says are unsynchronized, or that take no lock. */
static void set_all(void) {
  GC_set_max_heap_size(LIMIT);
  GC_set_free_space_divisor(GC_get_free_space_divisor() % 5 + 1);
  GC_set_max_retries(2);
  GC_set_no_dls(0);
  GC_set_full_freq(5);
  GC_set_min_bytes_allocd(1);
  GC_set_allocd_bytes_per_finalizer(GC_get_allocd_bytes_per_finalizer());
  GC_set_dont_expand(0);
  GC_set_find_leak(0);
  GC_set_non_gc_bytes(GC_get_non_gc_bytes() + 8);
  GC_set_force_unmap_on_gcollect(GC_get_force_unmap_on_gcollect());
}

static void *set_locked(void *arg) {
  set_all();
  return arg;
}

static void must_be_limited(void) {
  GC_set_warn_proc(GC_ignore_warn_proc);
  must(GC_malloc_atomic(LIMIT / 4) && !GC_malloc_atomic(LIMIT * 2));
}

TEST(settings_with_the_lock) {
  start();
  alarm(20);
  GC_call_with_alloc_lock(set_locked, NULL);
  must_be_limited();
}

static void *set_and_allocate(void *arg) {
  for (int i = 0; i < 200; i++) {
    GC_call_with_alloc_lock(set_locked, NULL);
    for (int n = 0; n < 100; n++) GC_reachable_here(GC_malloc(1000));
  }
  return arg;
}

TEST(settings_with_the_lock_of_several_threads) {
  start();
  alarm(60);
  pthread_t threads[4];
  for (int i = 0; i < 4; i++) must(!pthread_create(&threads[i], NULL, set_and_allocate, NULL));
  for (int i = 0; i < 4; i++) must(!pthread_join(threads[i], NULL));
  must_be_limited();
}

static unsigned events;
static void set_in_event(GC_EventType type) {
  (void)type;
  events++;
  set_all();
}

TEST(settings_in_events) {
  start();
  alarm(20);
  GC_set_on_collection_event(set_in_event);
  for (int i = 0; i < 3; i++) GC_gcollect();
  must(events >= 3);
  GC_set_on_collection_event(NULL);
  must_be_limited();
}

static void set_at_resize(GC_word bytes) {
  (void)bytes;
  events++;
  set_all();
}

TEST(settings_when_the_heap_grows) {
  start();
  alarm(20);
  GC_set_on_heap_resize(set_at_resize);
  must(GC_expand_hp(20 << 20) == 1);
  for (int i = 0; i < 200000; i++) GC_reachable_here(GC_malloc(100));
  GC_gcollect();
  must(events);
  must_be_limited();
}

static GC_ToggleRefStatus set_at_toggle(void *object) {
  (void)object;
  events++;
  set_all();
  return GC_TOGGLE_REF_STRONG;
}

TEST(settings_for_toggle_references) {
  start();
  alarm(20);
  GC_set_toggleref_func(set_at_toggle);
  must(GC_toggleref_add(GC_malloc(10), 1) == GC_SUCCESS);
  GC_gcollect();
  must(events);
  must_be_limited();
}

static void *expand_and_disable(void *arg) {
  must(GC_expand_hp(20 << 20) == 1);
  GC_set_all_interior_pointers(!GC_get_all_interior_pointers());
  GC_disable();
  must(GC_is_disabled());
  GC_enable();
  GC_disable();
  return arg;
}

static int allocation_collects(void) {
  GC_word before = GC_get_gc_no();
  for (int i = 0; i < 100000; i++) GC_reachable_here(GC_malloc(1000));
  return GC_get_gc_no() != before;
}

TEST_OURS(more_with_the_lock, "takes the lock once more") {
  start();
  alarm(20);
  GC_call_with_alloc_lock(expand_and_disable, NULL);
  must(GC_is_disabled() && !allocation_collects());
  GC_enable();
  must(allocation_collects());
}

static void disable_in_event(GC_EventType type) {
  if (type == GC_EVENT_MARK_START) GC_disable();
  if (type == GC_EVENT_RECLAIM_END) expand_and_disable(NULL);
}

TEST_OURS(more_in_events, "takes the lock once more") {
  start();
  alarm(20);
  GC_set_on_collection_event(disable_in_event);
  GC_gcollect();
  must(!allocation_collects());
  GC_enable();
  must(GC_is_disabled() && !allocation_collects());
  GC_enable();
  GC_set_on_collection_event(NULL);
  must(allocation_collects());
}

TEST(settings_in_a_stopped_world) {
  start();
  alarm(20);
  GC_stop_world_external();
  set_all();
  GC_start_world_external();
  must_be_limited();
}

/* ---- Suspended threads ---- */

/* Waits until the thread sleeps, which it never does when it is not suspended. */
static void must_stand(void) {
  client_await_sleep(counting);
  unsigned before = counter;
  sched_yield();
  must(asleep(counting) && counter == before);
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
    must(GC_is_thread_suspended(thread));
    must_stand();
    GC_suspend_thread(thread); /* is not counted */
    GC_gcollect();             /* goes on */
    GC_reachable_here(GC_malloc(1000));
    must(GC_is_thread_suspended(thread));
    must_stand();
    GC_resume_thread(thread);
    must(!GC_is_thread_suspended(thread));
    for (unsigned before = counter; counter == before;) sched_yield();
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

static atomic_int itself;

static void *suspend_itself(void *arg) {
  itself = gettid();
  GC_suspend_thread(pthread_self());
  ended = 1;
  return arg;
}

TEST(suspended_by_itself) {
  start();
  pthread_t thread;
  must(!pthread_create(&thread, NULL, suspend_itself, NULL));
  while (!itself || !GC_is_thread_suspended(thread)) sched_yield();
  client_await_sleep(itself);
  GC_gcollect();
  must(!ended);
  GC_resume_thread(thread);
  must(!pthread_join(thread, NULL) && ended);
}

static void *churn(void *arg) {
  sem_post(&ready);
  while (!ended)
    for (unsigned i = 0; i < 100; i++) GC_reachable_here(GC_malloc(200 + i));
  return arg;
}

/* Also by collections that look for overwritten objects, and wherever the thread was in one of its own. */
TEST(collections_go_on_beside_a_suspended_thread) {
  start();
  GC_reachable_here(GC_debug_malloc(16, "file.c", 1));
  pthread_t thread;
  must(!pthread_create(&thread, NULL, churn, NULL));
  while (sem_wait(&ready)) {
  }
  for (unsigned round = 0; round < 20; round++) {
    GC_word before = GC_get_gc_no();
    while (GC_get_gc_no() < before + 2) sched_yield();
    GC_suspend_thread(thread);
    for (unsigned i = 0; i < 20000; i++) GC_reachable_here(GC_malloc(500));
    GC_resume_thread(thread);
  }
  ended = 1;
  must(!pthread_join(thread, NULL));
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
      cmocka_unit_test(suspended_by_itself),
      cmocka_unit_test(collections_go_on_beside_a_suspended_thread),
      cmocka_unit_test(not_of_unknown_threads),
      cmocka_unit_test(settings_with_the_lock),
      cmocka_unit_test(settings_with_the_lock_of_several_threads),
      cmocka_unit_test(settings_in_events),
      cmocka_unit_test(settings_when_the_heap_grows),
      cmocka_unit_test(settings_for_toggle_references),
      cmocka_unit_test(more_with_the_lock),
      cmocka_unit_test(more_in_events),
      cmocka_unit_test(settings_in_a_stopped_world),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
