/* X53: the stack of a thread in a child that it forked.
 *
 * There its id is that of the process, as the main thread's, but its stack is not the one that the environment lies on:
 * what is mapped above it is no part of it. The arena may be there, 64 GiB of it. */
#include <sys/mman.h>

#include "bug.h"
#include "hidden.h"

enum { STACK = 256 << 10, ABOVE = 64 << 10, SIZE = 480 };

struct forker {
  uintptr_t hidden;
  char *map; /* the stack, and above it what is none of it */
  struct child_result result;
};

static void look_in_child(void *arg) {
  const struct forker *forker = arg;
  must(vgc_thread_detach() == 0);
  must(vgc_thread_attach() == 0);
  must(vgc_collect() == 0);
  must(!hidden_alive(forker->hidden, SIZE));
}

static void *fork_here(void *arg) {
  struct forker *forker = arg;
  hidden_reveal(forker->hidden, forker->map + STACK + ABOVE / 2);
  child_run(look_in_child, forker, 20, &forker->result);
  return NULL;
}

static void what_is_above_the_stack_is_no_root(void **state) {
  (void)state;
  struct vgc_config quiet = config_quiet();
  quiet.arena_bytes = 1 << 20; /* or finding its end would take seconds */
  assert_int_equal(vgc_init(&quiet), 0);
  static struct forker forker;
  forker.map = mmap(NULL, STACK + ABOVE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  assert_true(forker.map != MAP_FAILED);
  forker.hidden = hidden_make(SIZE);
  pthread_attr_t attributes;
  pthread_t thread;
  assert_int_equal(pthread_attr_init(&attributes), 0);
  assert_int_equal(pthread_attr_setstack(&attributes, forker.map, STACK), 0);
  assert_int_equal(pthread_create(&thread, &attributes, fork_here, &forker), 0);
  assert_int_equal(pthread_join(thread, NULL), 0);
  if (forker.result.exit_code) fail_msg("in the child: %s", forker.result.text);
  pthread_attr_destroy(&attributes);
  munmap(forker.map, STACK + ABOVE);
}

BUG(X53) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_above_the_stack_is_no_root)};
  return cmocka_run_group_tests_name("X53", tests, NULL, NULL);
}
