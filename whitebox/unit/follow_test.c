/* Threads that change stacks, and tell where the one that they are on ends. */
#include <pthread.h>
#include <sys/mman.h>

#include "coroutine.h"
#include "hidden.h"
#include "meeting.h"
#include "unit.h"

#define NOT_INLINED __attribute__((noinline))

enum { SIZE = 976 };

/* ---- In the thread that collects ---- */

static struct {
  uintptr_t on_first, on_one, on_two;
  struct hidden_control control;
  struct meeting held, done;
} scene;

static void make_objects(void) {
  scene.on_first = hidden_make(SIZE);
  scene.on_one = hidden_make(SIZE);
  scene.on_two = hidden_make(SIZE);
  hidden_control_make(&scene.control);
}

static bool alive(uintptr_t hidden) { return hidden_alive(hidden, SIZE); }

static void expect_of(uintptr_t hidden, bool held) {
  if (held)
    must(alive(hidden));
  else
    must(!alive(hidden));
}

static void expect(bool first, bool one, bool two) {
  must(hidden_control_died(&scene.control));
  expect_of(scene.on_first, first);
  expect_of(scene.on_one, one);
  expect_of(scene.on_two, two);
}

#define HOLDING(hidden, statement)                                                                                     \
  do {                                                                                                                 \
    void *held[1];                                                                                                     \
    hidden_reveal(hidden, held);                                                                                       \
    KEEP_ALIVE(held);                                                                                                  \
    statement;                                                                                                         \
    KEEP_ALIVE(held);                                                                                                  \
    held[0] = NULL;                                                                                                    \
    KEEP_ALIVE(held);                                                                                                  \
  } while (0)

static void hold_and_go_back(void) { HOLDING(scene.on_one, go_to(&side.first)); }

static void collect_on_two(void) {
  must(vgc_collect() == 0);
  expect(true, true, true);
}

static void hold_and_collect(void) { HOLDING(scene.on_two, collect_on_two()); }

static NOT_INLINED void hold_on_three(void) {
  start_on(&side.one, hold_and_go_back);
  HOLDING(scene.on_first, start_on(&side.two, hold_and_collect));
  end_of(&side.two);
}

static void change_stacks(const struct memory *memory) {
  begin_following(memory);
  make_objects();
  hold_on_three();
  must(vgc_collect() == 0); /* on the first stack */
  expect(false, true, false);
  go_to(&side.one);
  end_of(&side.one);
  must(vgc_collect() == 0);
  expect(false, false, false);
  end_following(memory);
}

static void what_stacks_hold_stays(void **state) {
  (void)state;
  coroutines_or_not_applicable();
  for (unsigned i = 0; i < MEMORIES; i++) change_stacks(&memories[i]);
}

/* The program gives the first stack, or it is not scanned. */
static void collect_without_first(void) {
  must(vgc_collect() == 0);
  expect(false, false, true);
}

static void hold_without_first(void) { HOLDING(scene.on_two, collect_without_first()); }

static void the_first_stack_is_the_programs(void **state) {
  (void)state;
  coroutines_or_not_applicable();
  for (unsigned i = 0; i < MEMORIES; i++) {
    begin_following(&memories[i]);
    make_objects();
    side.push_first = false;
    HOLDING(scene.on_first, start_on(&side.two, hold_without_first));
    end_of(&side.two);
    end_following(&memories[i]);
  }
}

/* ---- An end that cannot be ---- */

static char *wrong_end;

static void collect_with_wrong_end(void) {
  side.bottom = wrong_end;
  must(vgc_collect() == 0);
  expect(true, false, true);
}

static void hold_with_wrong_end(void) { HOLDING(scene.on_two, collect_with_wrong_end()); }

static void hold_on_first_with(char *end) {
  wrong_end = end;
  make_objects();
  HOLDING(scene.on_first, start_on(&side.two, hold_with_wrong_end));
  end_of(&side.two);
}

/* What may be read between is no stack: it is too large for one. */
static void hold_on_first_far_away(void) {
  size_t far = ((size_t)1 << 30) + STACK_BYTES;
  int file = memfd_create("far", 0);
  must(file >= 0 && ftruncate(file, (off_t)far) == 0);
  char *room = mmap(NULL, STACK_BYTES + far, PROT_READ, MAP_PRIVATE, file, 0), *top = room + STACK_BYTES;
  must(room != MAP_FAILED &&
       mmap(room, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == room);
  side.two = (struct stack){.low = room, .top = top};
  hold_on_first_with(room + far);
  must(munmap(room, STACK_BYTES + far) == 0 && close(file) == 0);
}

/* Then everything is scanned, as for a thread that tells nothing. */
static void an_end_that_cannot_be_is_not_believed(void **state) {
  (void)state;
  coroutines_or_not_applicable();
  begin_following(&memories[0]);
  side.push_first = false;
  char *room = map_stack(4 * STACK_BYTES), *hole = room + STACK_BYTES;
  struct stack mapped = side.two;
  side.two = (struct stack){.low = room, .top = hole};
  must(mprotect(hole, 4096, PROT_NONE) == 0);
  hold_on_first_with(NULL);
  hold_on_first_with(room);
  hold_on_first_with(room + 4 * STACK_BYTES);
  hold_on_first_with((char *)UINTPTR_MAX - 7);
  must(munmap(room, 4 * STACK_BYTES) == 0);
  hold_on_first_far_away();
  side.two = mapped;
  end_following(&memories[0]);
}

/* ---- A piece of the own stack ---- */

static NOT_INLINED void collect_under(bool first) {
  must(vgc_collect() == 0);
  expect(first, true, false);
}

static NOT_INLINED void end_here_and_collect(void) {
  side.bottom = __builtin_frame_address(0);
  HOLDING(scene.on_one, collect_under(false));
  side.bottom = side.first.top + 4096; /* above all */
  make_objects();
}

static NOT_INLINED void collect_to_the_end(void) { HOLDING(scene.on_one, collect_under(true)); }

static void the_own_stack_may_end_early(void **state) {
  (void)state;
  coroutines_or_not_applicable();
  begin_following(&memories[0]);
  make_objects();
  HOLDING(scene.on_first, end_here_and_collect());
  HOLDING(scene.on_first, collect_to_the_end());
  end_following(&memories[0]);
}

static void clear_below(void) {
  vgc_clear_stack();
  clear_stack_piece();
  must(vgc_collect() == 0);
}

/* What lies below it there is another's. */
static void nothing_is_cleared_below_a_piece(void **state) {
  (void)state;
  coroutines_or_not_applicable();
  volatile unsigned char room[2 * STACK_BYTES];
  for (unsigned i = 0; i < STACK_BYTES; i++) room[i] = 0xa5;
  begin_following(&memories[0]);
  struct stack mapped = side.one;
  side.one = (struct stack){.low = (char *)room + STACK_BYTES, .top = (char *)room + 2 * STACK_BYTES};
  start_on(&side.one, clear_below);
  end_of(&side.one);
  side.one = mapped;
  end_following(&memories[0]);
  for (unsigned i = 0; i < STACK_BYTES; i++) assert_int_equal(room[i], 0xa5);
}

/* ---- Beside a thread that collects ---- */

static _Thread_local void *local[1];
static struct span *span_of_two;

static void meet(void) {
  meeting_wait(&scene.held);
  meeting_wait(&scene.done);
}

static void meet_on_two(void) {
  void *mine = vgc_malloc(64);
  span_of_two = span_of((uintptr_t)mine);
  HOLDING(scene.on_two, meet());
  KEEP_ALIVE(mine);
}

/* Its storage lies at the end of its first stack, which nobody gives. */
static void *meet_on_a_stack(void *memory) {
  begin_following(memory);
  side.push_first = false;
  hidden_reveal(scene.on_one, local);
  HOLDING(scene.on_first, start_on(&side.two, meet_on_two));
  end_of(&side.two);
  local[0] = NULL;
  end_following(memory);
  return NULL;
}

/* World stopped. */
static void expect_pinned(void *pinned) { *(bool *)pinned = span_of_two->pinned; }

static void beside(void *(*run)(void *), const struct memory *memory, bool first) {
  pthread_t thread;
  bool pinned = false;
  make_objects();
  meeting_init(&scene.held, 2);
  meeting_init(&scene.done, 2);
  must(pthread_create(&thread, NULL, run, (void *)(uintptr_t)memory) == 0);
  meeting_wait(&scene.held);
  park_arm_call("mark_after_roots", expect_pinned, &pinned);
  must(vgc_collect() == 0);
  assert_true(pinned);
  expect(first, true, true);
  meeting_wait(&scene.done);
  must(pthread_join(thread, NULL) == 0);
}

static void a_stopped_thread_is_followed(void **state) {
  (void)state;
  coroutines_or_not_applicable();
  for (unsigned i = 0; i < MEMORIES; i++) beside(meet_on_a_stack, &memories[i], false);
}

static void handler(int signal) {
  (void)signal;
  meet();
}

static void raise_on_two(void) {
  void *mine = vgc_malloc(64);
  span_of_two = span_of((uintptr_t)mine);
  HOLDING(scene.on_two, must(raise(SIGUSR1) == 0));
  KEEP_ALIVE(mine);
}

static void *meet_in_a_handler(void *memory) {
  stack_t alternate = {.ss_sp = map_stack(STACK_BYTES), .ss_size = STACK_BYTES}, none = {.ss_flags = SS_DISABLE};
  struct sigaction action = {.sa_handler = handler, .sa_flags = SA_ONSTACK};
  must(sigaltstack(&alternate, NULL) == 0 && sigaction(SIGUSR1, &action, NULL) == 0);
  begin_following(memory);
  hidden_reveal(scene.on_one, local);
  HOLDING(scene.on_first, start_on(&side.two, raise_on_two));
  end_of(&side.two);
  local[0] = NULL;
  end_following(memory);
  must(sigaltstack(&none, NULL) == 0);
  unmap_stack(alternate.ss_sp);
  return NULL;
}

static void so_is_one_in_a_signal_handler(void **state) {
  (void)state;
  coroutines_or_not_applicable();
  for (unsigned i = 0; i < MEMORIES; i++) beside(meet_in_a_handler, &memories[i], true);
}

/* ---- Stopped anywhere, also in a switch ---- */

static _Atomic bool enough;

static void push_all(void *arg, vgc_root_push *push, void *sink) {
  (void)arg;
  push(sink, side.one.low, STACK_BYTES);
  push(sink, side.two.low, STACK_BYTES);
  push(sink, side.first.low, (size_t)(side.first.top - side.first.low));
}

static void switch_and_look(struct stack *to) {
  while (!atomic_load(&enough)) {
    uint64_t *object = vgc_malloc(48);
    object[1] = UINT64_C(0x123456789);
    go_to(to);
    must(object[1] == UINT64_C(0x123456789) && vgc_base_of(object) == object);
  }
}

static void look_on_two(void) { switch_and_look(&side.one); }
static void look_on_one(void) { start_on(&side.two, look_on_two); }
static void look_on(void) { switch_and_look(&side.two); }

static void look_on_both(void) {
  look_on_one();
  look_on();
  go_to(&side.first);
}

static void *keep_switching(void *arg) {
  void *held[1];
  begin_following(&memories[0]);
  side.push_first = false;
  side.first.low = __builtin_frame_address(0);
  side.first.low -= 256; /* with this frame */
  hidden_reveal(scene.on_first, held);
  KEEP_ALIVE(held);
  must(vgc_root_add_callback(push_all, NULL) == 0);
  meeting_wait(&scene.held);
  start_on(&side.one, look_on_both);
  must(vgc_root_remove_callback(push_all, NULL) == 0);
  KEEP_ALIVE(held);
  held[0] = NULL;
  end_following(&memories[0]);
  return arg;
}

static void a_thread_is_stopped_while_it_switches(void **state) {
  (void)state;
  coroutines_or_not_applicable();
  pthread_t thread;
  make_objects();
  meeting_init(&scene.held, 2);
  atomic_store(&enough, false);
  must(pthread_create(&thread, NULL, keep_switching, NULL) == 0);
  meeting_wait(&scene.held);
  for (unsigned i = 0; i < 300; i++) must(vgc_collect() == 0);
  expect(true, false, false);
  atomic_store(&enough, true);
  must(pthread_join(thread, NULL) == 0);
}

/* ---- How long it is followed ---- */

static void the_end_is_what_was_told(void **state) {
  (void)state;
  void *end = (void *)thread_self()->stack_high, *told = NULL;
  assert_ptr_equal(vgc_stack_bottom(), end);
  assert_int_equal(vgc_stack_follow(&told), 0);
  assert_ptr_equal(vgc_stack_bottom(), end);
  told = &told;
  assert_ptr_equal(vgc_stack_bottom(), &told);
  assert_int_equal(vgc_stack_follow(NULL), 0);
  assert_ptr_equal(vgc_stack_bottom(), end);
  assert_int_equal(vgc_stack_follow(&told), 0);
  assert_int_equal(vgc_thread_detach(), 0);
  assert_ptr_equal(vgc_stack_bottom(), end); /* registers it again */
  assert_int_equal(thread_count(), 1);
}

static void expect_own(void *end) { must(vgc_stack_bottom() == end); }

static void *follow_and_end(void *key) {
  static void *told;
  must(pthread_setspecific(*(pthread_key_t *)key, vgc_stack_bottom()) == 0);
  must(vgc_stack_follow(&told) == 0);
  told = &told;
  return NULL;
}

static void it_ends_with_the_thread(void **state) {
  (void)state;
  pthread_key_t key;
  pthread_t thread;
  assert_int_equal(pthread_key_create(&key, expect_own), 0);
  assert_int_equal(pthread_create(&thread, NULL, follow_and_end, &key), 0);
  assert_int_equal(pthread_join(thread, NULL), 0);
  assert_int_equal(pthread_key_delete(key), 0);
}

static void collect_in_child(void *unused) {
  (void)unused;
  must(vgc_stack_bottom() == side.two.top);
  must(vgc_collect() == 0);
  expect(false, false, true);
}

static void fork_on_two(void) {
  struct child_result result;
  HOLDING(scene.on_two, child_run(collect_in_child, NULL, 10, &result));
  must(result.exit_code == 0 && result.signal == 0);
}

static void it_outlasts_a_fork(void **state) {
  (void)state;
  coroutines_or_not_applicable();
  begin_following(&memories[0]);
  make_objects();
  side.push_first = false;
  HOLDING(scene.on_first, start_on(&side.two, fork_on_two));
  end_of(&side.two);
  end_following(&memories[0]);
}

UNIT(follow) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, unit_setup, unit_teardown)
  const struct CMUnitTest tests[] = {
      TEST(what_stacks_hold_stays),
      TEST(the_first_stack_is_the_programs),
      TEST(an_end_that_cannot_be_is_not_believed),
      TEST(the_own_stack_may_end_early),
      TEST(nothing_is_cleared_below_a_piece),
      TEST(a_stopped_thread_is_followed),
      TEST(so_is_one_in_a_signal_handler),
      TEST(a_thread_is_stopped_while_it_switches),
      TEST(the_end_is_what_was_told),
      TEST(it_ends_with_the_thread),
      TEST(it_outlasts_a_fork),
  };
  return cmocka_run_group_tests_name("follow", tests, NULL, NULL);
}
