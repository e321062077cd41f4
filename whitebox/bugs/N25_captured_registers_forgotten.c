/* N25: what was captured from a thread that is gone.
 *
 * Registers, argument and result of a thread that has left are no roots any more: neither while its record waits for
 * the join, nor after. */
#include "bug.h"
#include "hidden.h"
#include "leaf.h"

enum { SIZE = 832 };

static void *block_and_leave(void *arg) {
  leaf_blocks[*(size_t *)arg].run();
  return NULL;
}

static void registers(void **state) {
  (void)state;
  for (size_t i = 0; i < leaf_saved_count; i++) {
    pthread_t thread;
    leaf_arm();
    struct park *left = park_arm("thread_exit_after_deregister");
    assert_int_equal(pthread_create(&thread, NULL, block_and_leave, &i), 0);
    leaf_await();
    assert_int_equal(vgc_collect(), 0);
    assert_true(leaf_object_alive());
    leaf_release();
    park_await(left);
    /* Its own copy was on its stack, which is no root now; the record is there until the join. */
    stack_scrub();
    assert_int_equal(vgc_collect(), 0);
    if (leaf_object_alive()) fail_msg("%s of a thread that has left holds an object", leaf_blocks[i].place);
    park_release(left);
    assert_int_equal(pthread_join(thread, NULL), 0);
  }
}

static void *pass(void *arg) { return arg; }

/* The creator's and joiner's copies go with it. */
static void *create_and_join(void *arg) {
  void *argument[1];
  pthread_t thread;
  hidden_reveal(*(uintptr_t *)arg, argument);
  must(pthread_create(&thread, NULL, pass, argument[0]) == 0);
  must(pthread_join(thread, argument) == 0);
  return NULL;
}

static void argument_and_result(void **state) {
  (void)state;
  uintptr_t hidden = hidden_make(SIZE);
  pthread_t thread;
  assert_int_equal(pthread_create(&thread, NULL, create_and_join, &hidden), 0);
  assert_int_equal(pthread_join(thread, NULL), 0);
  assert_int_equal(vgc_collect(), 0);
  assert_false(hidden_alive(hidden, SIZE));
}

BUG(N25) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(registers, fault_reset, park_reset),
                                     cmocka_unit_test_setup_teardown(argument_and_result, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("N25", tests, NULL, NULL);
}
