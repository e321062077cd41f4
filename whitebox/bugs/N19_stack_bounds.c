/* N19: which end of its stack a thread began at.
 *
 * A thread that is registered when most of its stack is in use has its live frames between the stack pointer and the
 * high end, which is then the farther one. */
#include <pthread.h>

#include "bug.h"
#include "hidden.h"
#include "meeting.h"

enum { SIZE = 384, STACK_BYTES = 512 * 1024, DEEP = 400 * 1024 };

struct deep {
  uintptr_t hidden;
  struct meeting held, done;
  uintptr_t low, high;
};

static void attach_and_wait(struct deep *deep) {
  must(vgc_thread_attach() == 0);
  deep->low = thread_self()->stack_low;
  deep->high = thread_self()->stack_high;
  meeting_wait(&deep->held);
  meeting_wait(&deep->done);
}

static __attribute__((noinline)) void descend(struct deep *deep, uintptr_t top) {
  volatile char frame[4096];
  frame[0] = frame[sizeof frame - 1] = 0;
  if (top - (uintptr_t)frame > DEEP)
    attach_and_wait(deep);
  else
    descend(deep, top);
  frame[0] = 1;
}

/* The object's reference lies near the high end; registration happens far below. */
static void *run(void *arg) {
  struct deep *deep = arg;
  void *held[1];
  must(vgc_thread_detach() == 0);
  hidden_reveal(deep->hidden, held);
  KEEP_ALIVE(held);
  descend(deep, (uintptr_t)__builtin_frame_address(0));
  KEEP_ALIVE(held);
  pthread_attr_t attributes;
  void *start;
  size_t size;
  must(pthread_getattr_np(pthread_self(), &attributes) == 0);
  must(pthread_attr_getstack(&attributes, &start, &size) == 0);
  pthread_attr_destroy(&attributes);
  must(deep->low == (uintptr_t)start && deep->high == (uintptr_t)start + size);
  return NULL;
}

static void registered_deep_down(void **state) {
  (void)state;
  struct deep deep = {.hidden = hidden_make(SIZE)};
  struct hidden_control control;
  hidden_control_make(&control);
  meeting_init(&deep.held, 2);
  meeting_init(&deep.done, 2);
  pthread_attr_t attributes;
  pthread_t thread;
  must(pthread_attr_init(&attributes) == 0 && pthread_attr_setstacksize(&attributes, STACK_BYTES) == 0);
  assert_int_equal(pthread_create(&thread, &attributes, run, &deep), 0);
  meeting_wait(&deep.held);
  assert_int_equal(vgc_collect(), 0);
  assert_true(hidden_control_died(&control));
  bool alive = hidden_alive(deep.hidden, SIZE);
  meeting_wait(&deep.done);
  assert_int_equal(pthread_join(thread, NULL), 0);
  assert_true(alive);
}

BUG(N19) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(registered_deep_down, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("N19", tests, NULL, NULL);
}
