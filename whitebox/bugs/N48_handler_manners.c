/* N48: what a stopped thread may notice of the suspend handler: nothing.
 *
 * errno is kept, an interrupted system call goes on, a thread that blocks the signal is waited for, and one whose
 * creator blocked every signal can be stopped all the same. */
#include <errno.h>
#include <signal.h>

#include "bug.h"
#include "meeting.h"
#include "stops.h"
#include "task.h"

struct reader {
  int ends[2];
  _Atomic int tid;
  ssize_t got;
  int error;
};

static void read_byte(void *arg) {
  struct reader *reader = arg;
  char byte;
  errno = 0;
  atomic_store(&reader->tid, platform_thread_id());
  reader->got = read(reader->ends[0], &byte, 1);
  reader->error = errno;
}

static void system_call_restarts(void **state) {
  (void)state;
  struct worker worker;
  struct reader reader = {.got = -2};
  assert_int_equal(pipe(reader.ends), 0);
  worker_start(&worker);
  worker_begin(&worker, read_byte, &reader);
  while (!atomic_load(&reader.tid)) sched_yield();
  for (unsigned i = 0; i < 3; i++) {
    task_await_sleep(atomic_load(&reader.tid));
    assert_int_equal(vgc_collect(), 0);
  }
  assert_int_equal(write(reader.ends[1], "x", 1), 1);
  worker_stop(&worker);
  assert_int_equal(reader.error, 0);
  assert_int_equal(reader.got, 1);
}

static void spoil_errno(void *unused) {
  (void)unused;
  errno = EDOM;
}

struct spinner {
  _Atomic bool begun, stop;
  int error;
};

static void spin(void *arg) {
  struct spinner *spinner = arg;
  errno = ERANGE;
  atomic_store(&spinner->begun, true);
  while (!atomic_load(&spinner->stop)) sched_yield();
  spinner->error = errno;
}

static void errno_is_kept(void **state) {
  (void)state;
  struct worker worker;
  struct spinner spinner = {0};
  worker_start(&worker);
  worker_begin(&worker, spin, &spinner);
  while (!atomic_load(&spinner.begun)) sched_yield();
  park_arm_call("world_handler_acknowledged", spoil_errno, NULL);
  assert_int_equal(vgc_collect(), 0);
  atomic_store(&spinner.stop, true);
  worker_stop(&worker);
  assert_int_equal(spinner.error, ERANGE);
}

struct blocker {
  struct thread *thread;
  struct meeting blocked;
  _Atomic bool unblock;
};

static void block_signals(void *arg) {
  struct blocker *blocker = arg;
  sigset_t all, old;
  blocker->thread = thread_self();
  sigfillset(&all);
  must(pthread_sigmask(SIG_BLOCK, &all, &old) == 0);
  meeting_wait(&blocker->blocked);
  while (!atomic_load(&blocker->unblock)) sched_yield();
  must(pthread_sigmask(SIG_SETMASK, &old, NULL) == 0);
}

static void unblock(void *arg) { atomic_store(&((struct blocker *)arg)->unblock, true); }

static void blocked_signal_is_waited_for(void **state) {
  (void)state;
  if (UNDER_TSAN) not_applicable("ThreadSanitizer delivers deferred signals whatever the mask says");
  struct worker worker;
  struct blocker blocker = {0};
  meeting_init(&blocker.blocked, 2);
  worker_start(&worker);
  worker_begin(&worker, block_signals, &blocker);
  meeting_wait(&blocker.blocked);
  stops_watch(blocker.thread, 3, unblock, &blocker);
  assert_int_equal(vgc_collect(), 0);
  worker_stop(&worker);
  assert_false(stops_went_on_without());
  assert_true(stops_rounds() >= 3);
}

static void *wait_twice(void *arg) {
  meeting_wait(arg);
  meeting_wait(arg);
  return NULL;
}

static void inherited_mask(void **state) {
  (void)state;
  struct meeting barrier;
  pthread_t thread;
  sigset_t all, old;
  struct vgc_stats before = {.struct_size = sizeof before}, after = {.struct_size = sizeof after};
  meeting_init(&barrier, 2);
  sigfillset(&all);
  assert_int_equal(pthread_sigmask(SIG_BLOCK, &all, &old), 0);
  assert_int_equal(pthread_create(&thread, NULL, wait_twice, &barrier), 0);
  assert_int_equal(pthread_sigmask(SIG_SETMASK, &old, NULL), 0);
  meeting_wait(&barrier);
  assert_int_equal(vgc_get_stats(&before), 0);
  assert_int_equal(vgc_collect(), 0);
  assert_int_equal(vgc_get_stats(&after), 0);
  assert_int_equal(after.suspensions - before.suspensions, 1);
  meeting_wait(&barrier);
  assert_int_equal(pthread_join(thread, NULL), 0);
}

BUG(N48) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(system_call_restarts, fault_reset, park_reset),
      cmocka_unit_test_setup_teardown(errno_is_kept, fault_reset, park_reset),
      cmocka_unit_test_setup_teardown(blocked_signal_is_waited_for, fault_reset, park_reset),
      cmocka_unit_test_setup_teardown(inherited_mask, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("N48", tests, NULL, NULL);
}
