/* One model for each kind of failure, and beside it what looks like it and is none. */
#undef NDEBUG
#include "threads.h"
#include <assert.h>
#include <stdlib.h>
#include <sys/mman.h>

static pthread_mutex_t first = PTHREAD_MUTEX_INITIALIZER, second = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;

static void nothing(void) {}

/* ---- Deadlock ---- */

static void first_second(void) {
  pthread_mutex_lock(&first);
  pthread_mutex_lock(&second);
  pthread_mutex_unlock(&second);
  pthread_mutex_unlock(&first);
}
static void second_first(void) {
  pthread_mutex_lock(&second);
  pthread_mutex_lock(&first);
  pthread_mutex_unlock(&first);
  pthread_mutex_unlock(&second);
}
static void lock_twice(void) {
  pthread_mutex_lock(&first);
  pthread_mutex_lock(&first);
}
static void wait_for_nobody(void) {
  pthread_mutex_lock(&first);
  pthread_cond_wait(&condition, &first);
  pthread_mutex_unlock(&first);
}
static void spin_for_nobody(void) {
  while (!load(x, acq)) {
  }
}
FAILS(deadlock_order, "two locks in opposite orders", INTERLEAVE_DEADLOCK, first_second, second_first);
RUNS(deadlock_same_order, "two locks in the same order", "0", 1, NULL, first_second, first_second);
FAILS(deadlock_self, "a lock taken twice", INTERLEAVE_DEADLOCK, lock_twice, nothing);
FAILS(deadlock_wait, "nobody signals", INTERLEAVE_DEADLOCK, wait_for_nobody, nothing);
FAILS(livelock_spin, "a spin on what nobody changes", INTERLEAVE_LIVELOCK, spin_for_nobody, nothing);

/* ---- Livelock ---- */

static void up_and_down(void) {
  do add(x, 1, rlx);
  while (add(x, -1, rlx) != 7);
}
static void livelock_run(void) { litmus_run(0, NULL, (litmus_thread *const[]){up_and_down, up_and_down, NULL}); }
INTERLEAVE_MODEL(livelock, .run = livelock_run, .title = "two threads that change something for ever", .steps = 200,
                 .preemptions = 1, .expect = INTERLEAVE_LIVELOCK);

/* ---- Memory ---- */

static int *_Atomic object;
static void use_object(void) {
  int *mine = load(object, acq);
  if (mine != NULL) r[0] = *mine;
}
static void free_object(void) { free(swap(object, NULL, ar)); }
static void used_after_free_run(void) {
  int *new = malloc(sizeof *new);
  if (new == NULL) return;
  *new = 1;
  store(object, new, rel);
  litmus_run(0, NULL, (litmus_thread *const[]){use_object, free_object, NULL});
}
static void freed_after_join_run(void) {
  int *new = malloc(sizeof *new);
  if (new == NULL) return;
  *new = 1;
  store(object, new, rel);
  litmus_run(1, NULL, (litmus_thread *const[]){use_object, nothing, NULL});
  free(new);
}
static void freed_twice_run(void) {
  void *new = malloc(8);
  void *volatile again = new;
  free(new);
  free(again);
}
static void used_freed_run(void) {
  int *new = malloc(sizeof *new);
  int *volatile again = new;
  free(new);
  *(volatile int *)again = 1;
}
static void unmapped_run(void) {
  char *new = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (new == MAP_FAILED) return;
  *new = 1;
  munmap(new, 4096);
  *(volatile char *)new = 1;
}
static void map_fails_run(void) {
  void *new = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  interleave_outcome("%d", new == MAP_FAILED);
}
/* Not a race: the use and the free are ordered by the second lock, in whichever order they come. */
static void use_locked(void) {
  pthread_mutex_lock(&first);
  int *mine = load(object, rlx);
  if (x == 0) r[0] = *mine;
  pthread_mutex_unlock(&first);
}
static void free_locked(void) {
  pthread_mutex_lock(&first);
  free(load(object, rlx));
  pthread_mutex_unlock(&first);
}
static void used_after_free_locked_run(void) {
  int *new = malloc(sizeof *new);
  if (new == NULL) return;
  *new = 1;
  store(object, new, rel);
  litmus_run(0, NULL, (litmus_thread *const[]){use_locked, free_locked, NULL});
}
INTERLEAVE_MODEL(memory_freed_ordered, .run = used_after_free_locked_run, .title = "an object used after its free",
                 .expect = INTERLEAVE_MEMORY);
INTERLEAVE_MODEL(memory_freed_unordered, .run = used_after_free_run, .title = "an object freed while it is used",
                 .expect = INTERLEAVE_MEMORY);
INTERLEAVE_MODEL(memory_freed_late, .run = freed_after_join_run, .title = "an object freed after the join",
                 .outcomes = "1");
INTERLEAVE_MODEL(memory_freed_twice, .run = freed_twice_run, .title = "an object freed twice",
                 .expect = INTERLEAVE_MEMORY);
INTERLEAVE_MODEL(memory_freed_written, .run = used_freed_run, .title = "an object written after its free, one thread",
                 .expect = INTERLEAVE_MEMORY);
INTERLEAVE_MODEL(memory_unmapped, .run = unmapped_run, .title = "a page written after its unmapping",
                 .expect = INTERLEAVE_MEMORY);
INTERLEAVE_MODEL(memory_map, .run = map_fails_run, .title = "a map that does not fail", .outcomes = "0");
INTERLEAVE_MODEL(memory_map_fails, .run = map_fails_run, .title = "a map that may fail", .outcomes = "0|1",
                 .failing_maps = true);

/* ---- Locks ---- */

static void keep_locked(void) { pthread_mutex_lock(&first); }
static void unlock_other(void) {
  if (load(x, acq)) pthread_mutex_unlock(&first);
}
static void lock_and_say(void) {
  pthread_mutex_lock(&first);
  store(x, 1, rel);
  while (!load(y, acq)) {
  }
  pthread_mutex_unlock(&first);
}
static void unlock_and_say(void) {
  unlock_other();
  store(y, 1, rel);
}
static void unlock_free(void) { pthread_mutex_unlock(&second); }
FAILS(lock_held, "a lock held at the end", INTERLEAVE_LOCK, keep_locked, nothing);
FAILS(lock_unlocked_by_other, "a lock released by another thread", INTERLEAVE_LOCK, lock_and_say, unlock_and_say);
FAILS(lock_not_held, "a lock released that nobody holds", INTERLEAVE_LOCK, unlock_free, nothing);
static void held_run(void) { litmus_run(1, NULL, (litmus_thread *const[]){keep_locked, nothing, NULL}); }
INTERLEAVE_MODEL(lock_held_allowed, .run = held_run, .title = "a lock that may be held at the end", .outcomes = "0",
                 .locks_may_be_held = true);

/* ---- Assertions and crashes ---- */

static void sets(void) { store(x, 1, rlx); }
static void asserts(void) { interleave_assert(load(x, rlx) == 0); }
static void asserts_libc(void) { assert(load(x, rlx) == 0); }
static void aborts(void) {
  if (load(x, rlx)) abort();
}
static void traps(void) {
  if (load(x, rlx)) __builtin_trap();
}
static void writes_null(void) {
  int *volatile nowhere = NULL;
  if (load(x, rlx)) *(volatile int *)nowhere = 1;
}
static void assumes(void) {
  int seen = load(x, rlx);
  interleave_assume(seen == 0);
  r[0] = seen;
}
static void chooses(void) {
  r[0] = (int)interleave_choose(3);
  r[1] = (int)interleave_choose(2);
}
FAILS(assertion, "interleave_assert", INTERLEAVE_ASSERTION, sets, asserts);
FAILS(assertion_libc, "assert", INTERLEAVE_ASSERTION, sets, asserts_libc);
FAILS(assertion_abort, "abort", INTERLEAVE_ASSERTION, sets, aborts);
FAILS(crash, "an illegal instruction", INTERLEAVE_CRASH, sets, traps);
FAILS(memory_null, "a write to address 0", INTERLEAVE_MEMORY, sets, writes_null);
RUNS(assume, "executions of no interest", "0", 1, NULL, sets, assumes);
RUNS(choose, "choices of the explorer", "0 0|0 1|1 0|1 1|2 0|2 1", 2, NULL, nothing, chooses);

/* ---- Races of atomic and plain accesses to one object ---- */

static int both;
static void store_atomically(void) { __atomic_store_n(&both, 1, __ATOMIC_SEQ_CST); }
static void load_atomically(void) { r[0] = __atomic_load_n(&both, __ATOMIC_SEQ_CST); }
static void store_plainly(void) { both = 2; }
static void load_plainly(void) { r[1] = both; }
static void tell_both(void) { r[1] = both; }
FAILS(race_atomic_store, "an atomic store and a plain load", INTERLEAVE_RACE, store_atomically, load_plainly);
FAILS(race_atomic_load, "an atomic load and a plain store", INTERLEAVE_RACE, load_atomically, store_plainly);
RUNS(race_none_loads, "an atomic load and a plain load", "0 0", 2, NULL, load_atomically, load_plainly);
RUNS(race_none_later, "atomic accesses, and a plain load after the join", "0 1|1 1", 2, tell_both, store_atomically,
     load_atomically);

/* ---- Sizes ---- */

static union {
  _Atomic uint64_t whole;
  _Atomic uint32_t half[2];
} mixed;
static void store_whole(void) { store(mixed.whole, 1, rlx); }
static void load_half(void) { r[0] = (int)load(mixed.half[0], rlx); }
FAILS(mixed_size, "a part of an atomic object", INTERLEAVE_MIXED_SIZE, store_whole, load_half);

/* Read-modify-writes of each size compute what the processor computes. */
#define COMPUTES(type)                                                                                                 \
  do {                                                                                                                 \
    _Atomic type *object_ = &computed_##type;                                                                          \
    type all = (type)-1;                                                                                               \
    interleave_assert(atomic_fetch_add(object_, (type)3) == 0 && atomic_fetch_sub(object_, (type)4) == 3);             \
    interleave_assert(atomic_fetch_and(object_, (type)0x5a) == all && atomic_fetch_or(object_, (type)0x21) == 0x5a);   \
    interleave_assert(atomic_fetch_xor(object_, (type)0x0f) == 0x7b && atomic_exchange(object_, (type)9) == 0x74);     \
    type expected = 8;                                                                                                 \
    interleave_assert(!atomic_compare_exchange_strong(object_, &expected, (type)1) && expected == 9);                  \
    interleave_assert(atomic_compare_exchange_strong(object_, &expected, all) && atomic_load(object_) == all);         \
    interleave_assert(__atomic_fetch_nand((type *)object_, (type)0x3c, __ATOMIC_SEQ_CST) == all);                      \
    interleave_assert(atomic_load(object_) == (type)~0x3c);                                                            \
  } while (0)
static _Atomic uint8_t computed_uint8_t;
static _Atomic uint16_t computed_uint16_t;
static _Atomic uint32_t computed_uint32_t;
static _Atomic uint64_t computed_uint64_t;
static void computes_run(void) {
  COMPUTES(uint8_t);
  COMPUTES(uint16_t);
  COMPUTES(uint32_t);
  COMPUTES(uint64_t);
}
INTERLEAVE_MODEL(rmw_values, .run = computes_run, .title = "read-modify-writes of each size, one thread",
                 .preemptions = 1);

/* A loop around a weak compare-exchange ends: it fails without a reason once for each store (see cas_weak_alone). */
#ifndef __clang__
static void weak_until_done(void) {
  while (!cas_weak(x, 0, 1, rlx, rlx)) r[0]++;
}
RUNS(cas_weak_loop, "weak compare-exchange: one spurious failure for each store", "0|1", 1, NULL, weak_until_done,
     nothing);
#endif

/* ---- The state is the same at the start of each execution ---- */

static int global = 5;
static char *kept; /* made by setup */
static void fresh_setup(void) {
  kept = malloc(16);
  if (kept != NULL) kept[0] = 's';
}
static void fresh_run(void) {
  interleave_assert(global == 5 && load(x, rlx) == 0 && kept != NULL && kept[0] == 's');
  global = 6;
  kept[0] = 'r';
  litmus_run(1, NULL, (litmus_thread *const[]){sets, chooses, NULL});
  free(kept);
}
INTERLEAVE_MODEL(fresh_state, .setup = fresh_setup, .run = fresh_run,
                 .title = "globals and heap are as setup left them", .outcomes = "0|1|2");
