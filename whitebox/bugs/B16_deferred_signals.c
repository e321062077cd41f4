/* B16: signals under ThreadSanitizer.
 *
 * It delivers an asynchronous signal at the target's next atomic operation, blocking call or vgc_poll. A thread that
 * blocks in any of the usual ways, or loops with one of those, is stopped; without the sanitizer so is any thread. */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <semaphore.h>

#include "bug.h"

static _Atomic bool begun, stop;
static int plain_stop; /* read without instrumentation, so that vgc_poll is the loop's only such operation */
static int ends[2];
static sem_t semaphore;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;

static void begin(void) { atomic_store(&begun, true); }

static void loop_with_atomics(void *unused) {
  (void)unused;
  begin();
  while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
  }
}

NO_SANITIZE static void loop_with_poll(void *unused) {
  (void)unused;
  begin();
  while (!*(volatile int *)&plain_stop) vgc_poll();
}

static void block_in_read(void *unused) {
  (void)unused;
  char byte;
  begin();
  while (read(ends[0], &byte, 1) != 1) must(errno == EINTR);
}

static void block_in_poll(void *unused) {
  (void)unused;
  struct pollfd ready = {.fd = ends[0], .events = POLLIN};
  begin();
  while (poll(&ready, 1, -1) != 1) must(errno == EINTR);
  char byte;
  must(read(ends[0], &byte, 1) == 1);
}

static void block_in_semaphore(void *unused) {
  (void)unused;
  begin();
  while (sem_wait(&semaphore) != 0) must(errno == EINTR);
}

static void block_in_mutex(void *unused) {
  (void)unused;
  begin();
  pthread_mutex_lock(&mutex);
  pthread_mutex_unlock(&mutex);
}

static void block_in_condition(void *unused) {
  (void)unused;
  begin();
  pthread_mutex_lock(&mutex);
  while (!atomic_load(&stop)) pthread_cond_wait(&condition, &mutex);
  pthread_mutex_unlock(&mutex);
}

NO_SANITIZE static void stop_loop(void) { *(volatile int *)&plain_stop = 1; }
static void write_byte(void) { must(write(ends[1], "x", 1) == 1); }
static void post(void) { must(sem_post(&semaphore) == 0); }
static void unlock(void) { pthread_mutex_unlock(&mutex); }
static void set_stop(void) { atomic_store(&stop, true); }
static void wake(void) {
  pthread_mutex_lock(&mutex);
  atomic_store(&stop, true);
  pthread_cond_broadcast(&condition);
  pthread_mutex_unlock(&mutex);
}

static void stopped_in(void (*step)(void *), void (*end)(void)) {
  struct worker worker;
  struct vgc_stats before = {.struct_size = sizeof before}, after = {.struct_size = sizeof after};
  atomic_store(&begun, false);
  atomic_store(&stop, false);
  worker_start(&worker);
  worker_begin(&worker, step, NULL);
  while (!atomic_load(&begun)) sched_yield();
  assert_int_equal(vgc_get_stats(&before), 0);
  for (unsigned i = 0; i < 20; i++) assert_int_equal(vgc_collect(), 0);
  assert_int_equal(vgc_get_stats(&after), 0);
  assert_int_equal(after.suspensions - before.suspensions, 20);
  end();
  worker_stop(&worker);
}

static void looping(void **state) {
  (void)state;
  stopped_in(loop_with_atomics, set_stop);
  stopped_in(loop_with_poll, stop_loop);
}

static void blocked(void **state) {
  (void)state;
  must(pipe(ends) == 0 && sem_init(&semaphore, 0, 0) == 0);
  stopped_in(block_in_read, write_byte);
  stopped_in(block_in_poll, write_byte);
  stopped_in(block_in_semaphore, post);
  pthread_mutex_lock(&mutex);
  stopped_in(block_in_mutex, unlock);
  stopped_in(block_in_condition, wake);
}

BUG(B16) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(looping, fault_reset, park_reset),
                                     cmocka_unit_test_setup_teardown(blocked, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("B16", tests, NULL, NULL);
}
