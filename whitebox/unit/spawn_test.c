/* Starting, joining and detaching threads: the results of libc's functions, and a record for as long as somebody may
 * ask for one. */
#include <pthread.h>
#include <threads.h>
#include <time.h>

#include "unit.h"

static void *give_back(void *arg) { return arg; }

static void *exit_with(void *arg) { pthread_exit(arg); }

/* Ends when the test closes the writing end. */
static void *wait_for(void *arg) {
  char byte;
  must(read(*(int *)arg, &byte, 1) == 0);
  return arg;
}

struct gate {
  int ends[2];
};

static void gate_make(struct gate *gate) { must(pipe(gate->ends) == 0); }
static void gate_open(struct gate *gate) { close(gate->ends[1]); }
static void gate_end(struct gate *gate) { close(gate->ends[0]); }

static struct timespec in_seconds(clockid_t clock, long seconds) {
  struct timespec time;
  must(clock_gettime(clock, &time) == 0);
  time.tv_sec += seconds;
  return time;
}

static size_t records_before;

static int setup(void **state) {
  int result = unit_setup(state);
  records_before = thread_records();
  return result;
}

/* Every record has been given back. */
static int teardown(void **state) {
  bool clean = thread_records() == records_before && thread_count() == 1;
  int result = unit_teardown(state);
  return clean ? result : -1;
}

/* ---- Joining ---- */

static void results_are_handed_over(void **state) {
  (void)state;
  void *(*const starts[])(void *) = {give_back, exit_with};
  for (unsigned i = 0; i < 2; i++) {
    int object;
    pthread_t thread;
    void *result = NULL;
    assert_int_equal(pthread_create(&thread, NULL, starts[i], &object), 0);
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_ptr_equal(result, &object);
    assert_int_equal(pthread_create(&thread, NULL, starts[i], &object), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
  }
}

static void trying_to_join_tells_whether_it_runs(void **state) {
  (void)state;
  struct gate gate;
  gate_make(&gate);
  pthread_t thread;
  void *result = NULL;
  assert_int_equal(pthread_create(&thread, NULL, wait_for, gate.ends), 0);
  assert_int_equal(pthread_tryjoin_np(thread, &result), EBUSY);
  assert_int_equal(thread_records(), records_before + 1);
  gate_open(&gate);
  int rc;
  while ((rc = pthread_tryjoin_np(thread, &result)) == EBUSY) sched_yield();
  assert_int_equal(rc, 0);
  assert_ptr_equal(result, gate.ends);
  gate_end(&gate);
}

static void joining_in_time(void **state) {
  (void)state;
  struct gate gate;
  gate_make(&gate);
  pthread_t thread;
  void *result = NULL;
  assert_int_equal(pthread_create(&thread, NULL, wait_for, gate.ends), 0);
  struct timespec past = {0, 0}, later = in_seconds(CLOCK_REALTIME, 60);
  assert_int_equal(pthread_timedjoin_np(thread, &result, &past), ETIMEDOUT);
  gate_open(&gate);
  assert_int_equal(pthread_timedjoin_np(thread, &result, &later), 0);
  assert_ptr_equal(result, gate.ends);
  gate_end(&gate);
}

#if defined(__clang__)
#define SANITIZER_KNOWS_JOINS (UNDER_TSAN || UNDER_ASAN)
#else
#define SANITIZER_KNOWS_JOINS UNDER_TSAN
#endif

static void nobody_joins_itself(void **state) {
  (void)state;
  if (SANITIZER_KNOWS_JOINS) not_applicable("the sanitizer dies of it");
  assert_int_equal(pthread_join(pthread_self(), NULL), EDEADLK);
  assert_int_equal(thread_count(), 1);
}

/* ---- Detaching ---- */

static void nothing(void *arg) { (void)arg; }

static void detached_threads_leave_no_record(void **state) {
  (void)state;
  for (unsigned how = 0; how < 3; how++) {
    struct gate gate;
    gate_make(&gate);
    pthread_attr_t attributes;
    assert_int_equal(pthread_attr_init(&attributes), 0);
    if (how == 0) pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_t thread;
    struct park *left = park_arm_call("thread_exit_after_deregister", nothing, NULL);
    assert_int_equal(pthread_create(&thread, &attributes, wait_for, gate.ends), 0);
    pthread_attr_destroy(&attributes);
    if (how == 1) assert_int_equal(pthread_detach(thread), 0); /* while it runs */
    gate_open(&gate);
    park_await(left);
    if (how == 2) {
      assert_int_equal(thread_records(), records_before + 1); /* it may still be joined */
      assert_int_equal(pthread_detach(thread), 0);
    }
    assert_int_equal(thread_records(), records_before);
    gate_end(&gate);
    park_reset(state);
  }
}

/* ---- Failing to start ---- */

static void a_thread_that_cannot_start_leaves_no_record(void **state) {
  (void)state;
  pthread_attr_t attributes;
  assert_int_equal(pthread_attr_init(&attributes), 0);
  assert_int_equal(pthread_attr_setstacksize(&attributes, (size_t)1 << 46), 0);
  pthread_t thread;
  int rc = pthread_create(&thread, &attributes, give_back, NULL);
  pthread_attr_destroy(&attributes);
  if (rc == 0) {
    assert_int_equal(pthread_join(thread, NULL), 0);
    not_applicable("the system lends a thread 64 TiB");
  }
  assert_true(rc == EAGAIN || rc == ENOMEM || rc == EINVAL);
}

/* ---- C11 ---- */

static int number(void *arg) { return *(int *)arg; }

static void c11_threads_give_numbers(void **state) {
  (void)state;
  static int numbers[] = {0, 1, -1, INT32_MAX, INT32_MIN};
  for (unsigned i = 0; i < 5; i++) {
    thrd_t thread;
    int result = 99;
    assert_int_equal(thrd_create(&thread, number, &numbers[i]), thrd_success);
    assert_int_equal(thrd_join(thread, &result), thrd_success);
    assert_int_equal(result, numbers[i]);
    assert_int_equal(thrd_create(&thread, number, &numbers[i]), thrd_success);
    assert_int_equal(thrd_join(thread, NULL), thrd_success);
    assert_int_equal(thrd_create(&thread, number, &numbers[i]), thrd_success);
    assert_int_equal(thrd_detach(thread), thrd_success);
    while (thread_records() != records_before) sched_yield();
  }
}

static void c11_errors_have_their_names(void **state) {
  (void)state;
  if (!SANITIZER_KNOWS_JOINS) assert_int_equal(thrd_join(thrd_current(), NULL), thrd_error);
  fault_fail(FAULT_RESERVE, 0, ~0ul);
  thrd_t threads[200];
  static int none;
  unsigned count = 0;
  int status = thrd_success;
  /* Those that have ended and are not joined keep their records, until the table is used up. */
  while (count < 200 && (status = thrd_create(&threads[count], number, &none)) == thrd_success) count++;
  fault_reset(state);
  assert_int_equal(status, thrd_error);
  for (unsigned i = 0; i < count; i++) assert_int_equal(thrd_join(threads[i], NULL), thrd_success);
}

UNIT(spawn) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {
      TEST(results_are_handed_over),
      TEST(trying_to_join_tells_whether_it_runs),
      TEST(joining_in_time),
      TEST(nobody_joins_itself),
      TEST(detached_threads_leave_no_record),
      TEST(a_thread_that_cannot_start_leaves_no_record),
      TEST(c11_threads_give_numbers),
      TEST(c11_errors_have_their_names),
  };
  return cmocka_run_group_tests_name("spawn", tests, NULL, NULL);
}
