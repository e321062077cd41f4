/* Threads in every state that a stop can meet: running, blocking, silent, gone. */
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "unit.h"

static void nothing(void *arg) { (void)arg; }

/* ---- Blocking regions ---- */

struct region {
  struct worker worker;
  int ends[2];
};

static void block(void *arg) {
  const struct region *region = arg;
  char byte;
  vgc_blocking_enter();
  must(read(region->ends[0], &byte, 1) == 1);
  vgc_blocking_leave();
}

static void blocking_threads_are_not_signalled(void **state) {
  (void)state;
  struct region region;
  must(pipe(region.ends) == 0);
  worker_start(&region.worker);
  worker_do(&region.worker, nothing, NULL);
  unsigned long signals = fault_count(FAULT_SIGNAL);
  struct park *entered = park_arm_call("blocking_enter_published", nothing, NULL);
  worker_begin(&region.worker, block, &region);
  park_await(entered);
  assert_int_equal(vgc_collect(), 0);
  assert_int_equal(fault_count(FAULT_SIGNAL), signals);
  assert_int_equal(stats_now().suspensions, 1); /* it counts as stopped */
  must(write(region.ends[1], "x", 1) == 1);
  worker_finish(&region.worker);
  assert_int_equal(vgc_collect(), 0);
  assert_int_equal(fault_count(FAULT_SIGNAL), signals + 1);
  worker_stop(&region.worker);
  close(region.ends[0]);
  close(region.ends[1]);
}

struct leaving {
  struct region *region;
  struct park *waits;
};

/* World stopped: lets the thread come out of its system call and sees it wait. */
static void let_it_leave(void *arg) {
  const struct leaving *leaving = arg;
  must(write(leaving->region->ends[1], "x", 1) == 1);
  park_await(leaving->waits);
}

static void leaving_a_region_waits_for_a_stop(void **state) {
  (void)state;
  struct region region;
  must(pipe(region.ends) == 0);
  worker_start(&region.worker);
  struct park *entered = park_arm_call("blocking_enter_published", nothing, NULL);
  worker_begin(&region.worker, block, &region);
  park_await(entered);
  struct leaving leaving = {&region, park_arm_call("blocking_leave_waits", nothing, NULL)};
  park_arm_call("collect_stopped", let_it_leave, &leaving);
  assert_int_equal(vgc_collect(), 0);
  worker_finish(&region.worker);
  assert_int_equal(stats_now().cycles, 1);
  worker_stop(&region.worker);
  close(region.ends[0]);
  close(region.ends[1]);
}

/* ---- Threads that end without leaving ---- */

static void *end_by_system_call(void *arg) {
  void **objects = arg;
  for (unsigned i = 0; i < 10; i++) objects[i] = vgc_malloc(48);
  must(vgc_thread_detach() == 0);
  must(vgc_thread_attach() == 0); /* now its death is watched */
  objects[10] = vgc_malloc(48);
  syscall(SYS_exit, 0);
  return NULL;
}

static void the_cache_of_a_lost_thread_is_found(void **state) {
  (void)state;
  if (UNDER_TSAN || UNDER_ASAN) not_applicable("a sanitizer must see each thread end");
  static void *objects[11];
  unit_roots(objects, 11);
  size_t records = thread_records();
  pthread_t thread;
  assert_int_equal(pthread_create(&thread, NULL, end_by_system_call, objects), 0);
  assert_int_equal(pthread_join(thread, NULL), 0); /* the kernel tells the joiner */
  assert_int_equal(vgc_collect(), 0);
  assert_int_equal(thread_count(), 1);
  assert_int_equal(thread_records(), records);
  assert_int_equal(stats_now().live_objects, 11);
  for (unsigned i = 0; i < 11; i++) {
    assert_true(unit_alive(objects[i]));
    assert_null(load_relaxed(&unit_span(objects[i])->owner));
    vgc_free(objects[i]);
  }
  struct cache *cache = cache_ensure();
  for (unsigned i = 0; i < 500; i++) assert_non_null(vgc_malloc(48));
  assert_non_null(cache);
  assert_int_equal(probe_recount().objects, 500);
  memset(objects, 0, sizeof objects);
}

/* ---- The suspend signal ---- */

static void handler(int signal) { (void)signal; }

static void collect_without_the_handler(void *hook) {
  if (hook) unit_keep_errors();
  signal(SIGPWR, handler);
  (void)!vgc_collect();
}

static void a_replaced_handler_is_reported(void **state) {
  (void)state;
  struct child_result result;
  child_run(collect_without_the_handler, NULL, 10, &result);
  unit_assert_aborted(&result, "replaced vgc's handler of the suspend signal");
  child_run(collect_without_the_handler, &result, 10, &result); /* a hook does not make the world stop */
  assert_int_equal(result.signal, SIGABRT);
}

static void a_full_signal_queue_is_waited_for(void **state) {
  (void)state;
  struct worker worker;
  worker_start(&worker);
  worker_do(&worker, nothing, NULL);
  fault_fail(FAULT_SIGNAL, 0, 5);
  assert_int_equal(vgc_collect(), 0);
  assert_int_equal(fault_failed(FAULT_SIGNAL), 5);
  assert_int_equal(stats_now().suspensions, 1);
  worker_stop(&worker);
}

/* ---- A thread that does not answer ---- */

struct silent {
  struct worker worker;
  int ready[2], answer[2];
  unsigned waits;
};

static void be_silent(void *arg) {
  const struct silent *silent = arg;
  sigset_t set;
  char byte;
  sigemptyset(&set);
  sigaddset(&set, SIGPWR);
  must(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
  must(write(silent->ready[1], "x", 1) == 1);
  must(read(silent->answer[0], &byte, 1) == 1);
  must(pthread_sigmask(SIG_UNBLOCK, &set, NULL) == 0);
}

static void after_three_waits(void *arg) {
  struct silent *silent = arg;
  if (++silent->waits == 3) must(write(silent->answer[1], "x", 1) == 1);
}

static unsigned occurrences(const char *text, const char *part) {
  unsigned count = 0;
  while ((text = strstr(text, part))) text++, count++;
  return count;
}

static void a_silent_thread_is_named_once_and_waited_for(void **state) {
  (void)state;
  static struct silent silent;
  char byte;
  must(pipe(silent.ready) == 0 && pipe(silent.answer) == 0);
  worker_start(&silent.worker);
  worker_begin(&silent.worker, be_silent, &silent);
  must(read(silent.ready[0], &byte, 1) == 1);
  park_arm_each("world_waits", after_three_waits, &silent);
  fault_capture_print(true);
  fault_leap(UINT64_C(3000000000));
  assert_int_equal(vgc_collect(), 0);
  fault_leap(0);
  assert_true(silent.waits >= 3);
  assert_int_equal(occurrences(fault_printed(), "does not answer the suspend signal"), 1);
  assert_int_equal(occurrences(fault_printed(), "the program blocks that signal"), 1);
  worker_stop(&silent.worker);
  for (unsigned i = 0; i < 2; i++) {
    close(silent.ready[i]);
    close(silent.answer[i]);
  }
}

/* ---- A stop that cannot end ---- */

static struct {
  pthread_mutex_t mutex;
  int told[2];
  uint32_t epoch; /* before the stop */
} held = {.mutex = PTHREAD_MUTEX_INITIALIZER};

/* Lets go of the mutex only when a stop has begun and ended. */
static void hold(void *arg) {
  (void)arg;
  must(pthread_mutex_lock(&held.mutex) == 0);
  must(write(held.told[1], "x", 1) == 1);
  while (world_epoch() - held.epoch < 2) vgc_poll();
  must(pthread_mutex_unlock(&held.mutex) == 0);
}

static void want_without_signals(void *arg) {
  (void)arg;
  sigset_t all, before;
  sigfillset(&all);
  must(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
  must(write(held.told[1], "x", 1) == 1);
  must(pthread_mutex_lock(&held.mutex) == 0);
  must(pthread_mutex_unlock(&held.mutex) == 0);
  must(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
}

static void a_stop_is_withdrawn_for_who_needs_what_a_stopped_thread_holds(void **state) {
  (void)state;
  struct worker holder, wanter;
  char byte;
  must(pipe(held.told) == 0);
  worker_start(&holder);
  worker_start(&wanter);
  held.epoch = world_epoch();
  worker_begin(&holder, hold, NULL);
  must(read(held.told[0], &byte, 1) == 1);
  worker_begin(&wanter, want_without_signals, NULL);
  must(read(held.told[0], &byte, 1) == 1);
  assert_int_equal(vgc_collect(), 0);
  assert_true(world_epoch() - held.epoch > 2); /* more than one attempt */
  assert_int_equal(stats_now().cycles, 1);
  worker_stop(&holder);
  worker_stop(&wanter);
  close(held.told[0]);
  close(held.told[1]);
}

/* ---- Stopped by the program ---- */

static struct {
  _Atomic uint64_t turns;
  _Atomic bool enough, forked;
  _Atomic int forker; /* its thread id */
  int stopped[2], go_on[2], fork[2];
} own;

static void turn(void *arg) {
  (void)arg;
  while (!atomic_load(&own.enough)) {
    atomic_fetch_add(&own.turns, 1);
    vgc_poll();
  }
}

static void wait_for_turn(uint64_t turns) {
  while (atomic_load(&own.turns) == turns) sched_yield();
}

static void the_program_stops_the_world(void **state) {
  (void)state;
  struct worker worker;
  atomic_store(&own.enough, false);
  worker_start(&worker);
  worker_begin(&worker, turn, NULL);
  wait_for_turn(atomic_load(&own.turns));
  vgc_stop_world();
  assert_true(world_is_stopped());
  assert_int_equal(pthread_mutex_trylock(&heap_lock.mutex), EBUSY); /* nobody is in the middle of something */
  /* It has answered this stop, so it stands in the handler until the end of it. */
  for (struct thread *thread = thread_first(); thread; thread = thread->next)
    if (load_relaxed(&thread->state) == THREAD_RUNNING)
      assert_int_equal(load_acquire(&thread->stop_epoch), world_epoch());
  uint64_t turns = atomic_load(&own.turns);
  vgc_resume_world();
  wait_for_turn(turns);
  atomic_store(&own.enough, true);
  worker_stop(&worker);
  assert_int_equal(stats_now().stops, 1);
  assert_int_equal(stats_now().suspensions, 1);
  assert_int_equal(vgc_collect(), 0);
}

static void a_stop_in_a_stop_is_reported(void **state) {
  (void)state;
  unit_keep_errors();
  unit_expect_error(VGC_ERROR_UNBALANCED, NULL, vgc_resume_world());
  vgc_stop_world();
  unit_expect_error(VGC_ERROR_UNBALANCED, NULL, vgc_stop_world());
  vgc_resume_world();
  assert_false(world_is_stopped());
  unit_expect_error(VGC_ERROR_UNBALANCED, NULL, vgc_resume_world());
  assert_int_equal(vgc_collect(), 0);
}

static void stop_often(void *unused) {
  (void)unused;
  for (unsigned i = 0; i < 50; i++) {
    vgc_stop_world();
    vgc_resume_world();
  }
}

static void stops_are_counted(void **state) {
  (void)state;
  struct worker worker;
  worker_start(&worker);
  worker_do(&worker, nothing, NULL);
  worker_begin(&worker, stop_often, NULL);
  for (unsigned i = 0; i < 100; i++) assert_true(stats_now().stops <= 50);
  stop_often(NULL);
  worker_finish(&worker);
  assert_int_equal(stats_now().stops, 100);
  assert_int_equal(stats_now().suspensions, 100);
  worker_stop(&worker);
}

static void stop_until_told(void *arg) {
  (void)arg;
  char byte;
  vgc_stop_world();
  must(write(own.stopped[1], "x", 1) == 1);
  must(read(own.go_on[0], &byte, 1) == 1);
  must(!atomic_load(&own.forked));
  vgc_resume_world();
}

static void *wait_and_fork(void *arg) {
  char byte;
  must(read(own.fork[0], &byte, 1) == 1);
  atomic_store(&own.forker, gettid());
  pid_t child = fork();
  if (child == 0) _exit(0);
  atomic_store(&own.forked, true);
  must(child > 0 && waitpid(child, NULL, 0) == child);
  return arg;
}

static void fork_when_told(void *arg) { vgc_call_blocking(wait_and_fork, arg); }

/* In a region, so that the stop does not wait for this thread, nor this thread for its end. */
static void *expect_fork_to_wait(void *stopper) {
  char byte;
  struct park *prepares = park_arm_call("fork_prepare", nothing, NULL);
  worker_begin(stopper, stop_until_told, NULL);
  must(read(own.stopped[0], &byte, 1) == 1);
  must(world_is_stopped());
  must(write(own.fork[1], "x", 1) == 1);
  park_await(prepares);
  probe_await_sleep(&own.forker, &own.forked);
  must(!atomic_load(&own.forked));
  must(write(own.go_on[1], "x", 1) == 1);
  return stopper;
}

static void a_fork_waits_for_its_end(void **state) {
  (void)state;
  struct worker stopper, forker;
  must(pipe(own.stopped) == 0 && pipe(own.go_on) == 0 && pipe(own.fork) == 0);
  atomic_store(&own.forked, false);
  worker_start(&stopper);
  worker_start(&forker);
  struct park *entered = park_arm_call("blocking_enter_published", nothing, NULL);
  worker_begin(&forker, fork_when_told, NULL);
  park_await(entered);
  vgc_call_blocking(expect_fork_to_wait, &stopper);
  worker_finish(&stopper);
  worker_finish(&forker);
  assert_true(atomic_load(&own.forked));
  assert_int_equal(vgc_collect(), 0);
  worker_stop(&stopper);
  worker_stop(&forker);
  for (unsigned i = 0; i < 2; i++) {
    close(own.stopped[i]);
    close(own.go_on[i]);
    close(own.fork[i]);
  }
}

UNIT(world) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, unit_setup, unit_teardown)
  const struct CMUnitTest tests[] = {
      TEST(blocking_threads_are_not_signalled),
      TEST(leaving_a_region_waits_for_a_stop),
      TEST(the_cache_of_a_lost_thread_is_found),
      TEST(a_replaced_handler_is_reported),
      TEST(a_full_signal_queue_is_waited_for),
      TEST(a_silent_thread_is_named_once_and_waited_for),
      TEST(a_stop_is_withdrawn_for_who_needs_what_a_stopped_thread_holds),
      TEST(the_program_stops_the_world),
      TEST(a_stop_in_a_stop_is_reported),
      TEST(stops_are_counted),
      TEST(a_fork_waits_for_its_end),
  };
  return cmocka_run_group_tests_name("world", tests, NULL, NULL);
}
