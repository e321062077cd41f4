/* The list of threads is walked while threads come and go: every record of it is whole under the lock. */
#include <pthread.h>
#include <semaphore.h>
#include <time.h>

#include "stopping.h"

#define ONCE_EACH .preemptions = 1, .learn = 200

static int result;

/* Keeps the reads. */
static uintptr_t seen;

/* What a stop, a joiner and a creator read. */
static void walks(void) {
  uint64_t birth;
  interleave_assert(thread_find((pthread_t)0, &birth) == NULL);
  interleave_assert(thread_records() >= 2);
  thread_registry_lock();
  for (const struct thread *thread = thread_first(); thread; thread = thread->next) {
    interleave_assert(thread->birth);
    seen ^= (uintptr_t)thread->result ^ thread->stack_low ^ thread->watched ^ (uintptr_t)thread->inherited;
  }
  thread_registry_unlock();
}

/* So many records are in use, and all of those are in the list. */
static void expect_records(size_t count) {
  interleave_assert(thread_records() == count);
  for (const struct thread *thread = thread_first(); thread; thread = thread->next) {
    interleave_assert(thread->birth);
    interleave_assert(count-- > 0);
  }
  interleave_assert(count == 0);
}

static void *returns(void *arg) { return arg; }

static void creates_and_joins(void) {
  pthread_t thread;
  void *value = NULL;
  interleave_assert(pthread_create(&thread, NULL, returns, &result) == 0);
  interleave_assert(pthread_join(thread, &value) == 0 && value == &result);
}

static void walk_and_birth(void) {
  static void (*const parts[])(void) = {creates_and_joins, walks};
  together_bare(2, parts);
  expect_records(1);
}
INTERLEAVE_MODEL(walk_and_birth, .setup = stopping_start, .run = walk_and_birth, ONCE_EACH,
                 .title = "the records are read while another thread creates and joins one");

/* As when the system refuses a thread. */
static void bears_and_gives_up(void) {
  struct thread *born = thread_birth(returns, NULL, false);
  interleave_assert(born);
  thread_stillborn(born);
}

static void walk_and_stillbirth(void) {
  static void (*const parts[])(void) = {bears_and_gives_up, walks};
  together_bare(2, parts);
  expect_records(1);
}
INTERLEAVE_MODEL(walk_and_stillbirth, .setup = stopping_start, .run = walk_and_stillbirth, .preemptions = UINT32_MAX,
                 .learn = 200, .title = "the records are read while a thread cannot be created");

static void leaves_and_returns(void) {
  interleave_assert(vgc_thread_detach() == 0);
  interleave_assert(vgc_thread_attach() == 0);
}

static void walk_and_return(void) {
  static void (*const parts[])(void) = {walks, leaves_and_returns};
  together_bare(2, parts);
}
INTERLEAVE_MODEL(walk_and_return, .setup = stopping_start, .run = walk_and_return, ONCE_EACH,
                 .title = "the records are read while a thread leaves and registers again");

/* As a child that a sanitizer's runtime has started: with a copy of its creator's stack until it allocates. */
static void gives_copy_up(void) {
  struct thread *self = thread_self();
  thread_registry_lock();
  self->inherited = platform_reserve(THREAD_INHERITED_BYTES, 4096);
  thread_registry_unlock();
  interleave_assert(cache_ensure() && !self->inherited);
}

static void walk_and_copy(void) {
  static void (*const parts[])(void) = {walks, gives_copy_up};
  together_bare(2, parts);
}
INTERLEAVE_MODEL(walk_and_copy, .setup = stopping_start, .run = walk_and_copy, ONCE_EACH,
                 .title = "the records are read while a thread gives the copy of its creator's stack up");

/* As one whose destructors go on after the library's last turn: it ends without leaving. */
static pthread_key_t late;

static void sets_again(void *value) { interleave_assert(pthread_setspecific(late, value) == 0); }

/* Its destructor comes after that of the library, which has the last of the first 32 keys. */
static void late_key_start(void) {
  stopping_start();
  do interleave_assert(pthread_key_create(&late, sets_again) == 0);
  while (late < 32);
}

static void *ends_late(void *arg) {
  sets_again(&late);
  return arg;
}

static void creates_one_that_ends_late(void) {
  pthread_t thread;
  interleave_assert(pthread_create(&thread, NULL, ends_late, NULL) == 0);
  interleave_assert(pthread_join(thread, NULL) == 0);
}

static void walk_and_late_end(void) {
  static void (*const parts[])(void) = {walks, creates_one_that_ends_late};
  together_bare(2, parts);
  interleave_assert(thread_count() == 1);
  expect_records(1);
}
INTERLEAVE_MODEL(walk_and_late_end, .setup = late_key_start, .run = walk_and_late_end, ONCE_EACH,
                 .title = "the records are read while a thread ends without leaving");

static void looks_for_dead(void) { interleave_assert(thread_count() >= 1); }

static void returns_alive(void) {
  leaves_and_returns();
  interleave_point();
  interleave_assert(load_relaxed(&thread_self()->state) == THREAD_RUNNING);
}

static void watched(void) {
  static void (*const parts[])(void) = {looks_for_dead, returns_alive};
  together_bare(2, parts);
  expect_records(1);
}
INTERLEAVE_MODEL(watched, .setup = stopping_start, .run = watched, ONCE_EACH,
                 .title = "a thread whose death is watched for is not taken for dead while it lives");

/* ---- Caches ---- */

static void gets_and_gives_back(void) {
  interleave_assert(cache_ensure());
  interleave_assert(vgc_thread_detach() == 0);
}

static void gets(void) {
  const struct cache *cache = cache_ensure();
  interleave_assert(cache && cache->thread == thread_self());
}

static void caches(void) {
  static void (*const parts[])(void) = {gets, gets_and_gives_back};
  together_bare(2, parts);
}
INTERLEAVE_MODEL(caches, .setup = stopping_start, .run = caches, ONCE_EACH,
                 .title = "one thread gets a cache while another gives its own back");

/* ---- A record's next user ---- */

static sem_t has_left, detached, has_returned;

/* Virtual time passes when nobody else can go on. */
static void wait_for_all(void) { nanosleep(&(struct timespec){.tv_nsec = 1}, NULL); }

static struct thread *returned_as;

static void *leaves(void *comes_back) {
  interleave_assert(vgc_thread_detach() == 0);
  sem_post(&has_left);
  sem_wait(&detached);
  if (comes_back) {
    interleave_assert(vgc_thread_attach() == 0);
    returned_as = thread_self();
    sem_post(&has_returned);
    wait_for_all();
  }
  return &result;
}

/* Another detaches a thread that has left: its record is another's from then on. */
static struct thread *record_of_another(void *comes_back, pthread_t *other) {
  pthread_t thread;
  uint64_t birth;
  interleave_assert(pthread_create(&thread, NULL, leaves, comes_back) == 0);
  sem_wait(&has_left);
  struct thread *record = thread_find(thread, &birth);
  interleave_assert(record && pthread_detach(thread) == 0);
  interleave_assert(pthread_create(other, NULL, returns, NULL) == 0);
  wait_for_all();
  interleave_assert(thread_find(*other, &birth) == record);
  return record;
}

static void record_taken(void) {
  pthread_t other;
  struct thread *record = record_of_another(&result, &other);
  sem_post(&detached);
  sem_wait(&has_returned);
  interleave_assert(pthread_join(other, NULL) == 0);
  interleave_assert(returned_as && returned_as != record);
}
INTERLEAVE_MODEL(record_taken, .setup = stopping_start, .run = record_taken, ONCE_EACH,
                 .title = "a thread that comes back does not take the record that another has by now");

static void result_of_another(void) {
  pthread_t other;
  const struct thread *record = record_of_another(NULL, &other);
  sem_post(&detached);
  wait_for_all();
  thread_registry_lock();
  interleave_assert(record->result == NULL);
  thread_registry_unlock();
  interleave_assert(pthread_join(other, NULL) == 0);
}
INTERLEAVE_MODEL(result_of_another, .setup = stopping_start, .run = result_of_another, ONCE_EACH,
                 .title = "a thread's result does not go to who has its record by now");

/* What is said late about an earlier user of a record. */
static struct thread *bear(uint64_t *birth) {
  struct thread *born = thread_birth(returns, NULL, false);
  interleave_assert(born);
  *birth = born->birth;
  return born;
}

static void late_creator(void) {
  uint64_t birth, next_birth, found;
  pthread_t handle = pthread_self();
  struct thread *record = bear(&birth), *self = thread_self();
  thread_stillborn(record);
  interleave_assert(bear(&next_birth) == record && next_birth != birth);
  thread_set_handle(record, birth, handle);
  interleave_assert(thread_find(handle, &found) == self);
  /* As if the caller had ended unnoticed, and its handle were another's. */
  thread_set_handle(record, next_birth, handle);
  thread_set_handle(self, self->birth, handle);
  interleave_assert(thread_find(handle, &found) == record && found == next_birth);
}
INTERLEAVE_MODEL(late_creator, .setup = stopping_start, .run = late_creator, .preemptions = UINT32_MAX,
                 .title = "a creator that is late says nothing about who has the record by now, nor about who runs");

static void late_joiner(void) {
  uint64_t birth, found;
  pthread_t other;
  struct thread *record = bear(&birth);
  thread_stillborn(record);
  interleave_assert(pthread_create(&other, NULL, returns, &result) == 0);
  wait_for_all();
  thread_forget(record, birth);
  interleave_assert(thread_find(other, &found) == record && record->result == &result);
  interleave_assert(pthread_join(other, NULL) == 0);
  expect_records(1);
}
INTERLEAVE_MODEL(late_joiner, .setup = stopping_start, .run = late_joiner, .preemptions = 1, .learn = 200,
                 .title = "a joiner that is late does not free the record of who has it by now");

/* ---- Two that reap ---- */

/* A detached thread of which the kernel knows nothing any more. */
static void bear_a_lost_one(void) {
  struct thread *born = thread_birth(returns, NULL, true);
  interleave_assert(born);
  thread_registry_lock();
  thread_lost(born);
  thread_registry_unlock();
}

static void lost_start(void) {
  stopping_start();
  bear_a_lost_one();
}

static void reap(void) {
  static void (*const parts[])(void) = {thread_reap, thread_reap};
  together_bare(2, parts);
  expect_records(1);
}
INTERLEAVE_MODEL(reap, .setup = lost_start, .run = reap, .preemptions = UINT32_MAX, .learn = 500,
                 .title = "two threads look for lost ones: each of those is given back once");
