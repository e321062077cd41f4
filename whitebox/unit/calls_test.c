/* Calls into a blocking region, and out of one. */
#include <pthread.h>

#include "hidden.h"
#include "meeting.h"
#include "unit.h"

enum { SIZE = 912 };

static uint32_t state_of_self(void) { return load_relaxed(&thread_self()->state); }

static void *see_state(void *state) {
  *(uint32_t *)state = state_of_self();
  return (char *)state + 1;
}

static void *pass(void *arg) { return arg; }

/* ---- One thread ---- */

static void a_call_is_a_region(void **state) {
  (void)state;
  uint32_t seen = 0;
  assert_ptr_equal(vgc_call_blocking(see_state, &seen), (char *)&seen + 1);
  assert_int_equal(seen, THREAD_BLOCKING);
  assert_int_equal(state_of_self(), THREAD_RUNNING);
  assert_ptr_equal(vgc_call_active(see_state, &seen), (char *)&seen + 1);
  assert_int_equal(seen, THREAD_RUNNING);
  assert_int_equal(vgc_thread_detach(), 0);
  assert_ptr_equal(vgc_call_active(pass, &seen), &seen);
  assert_null(thread_self());
  vgc_call_blocking(see_state, &seen);
  assert_int_equal(seen, THREAD_BLOCKING);
}

/* Into a region and out of it, `depth` times; what the thread shows of itself is the same before and after. */
static void *go_down(void *depth);

static void *come_up(void *depth) {
  must(state_of_self() == THREAD_RUNNING);
  must(vgc_malloc(64) != NULL);
  return (uintptr_t)depth ? vgc_call_blocking(go_down, (void *)((uintptr_t)depth - 1)) : (void *)7;
}

static void *go_down(void *depth) {
  const struct thread *self = thread_self();
  must(state_of_self() == THREAD_BLOCKING);
  must(self->blocked.sp > (uintptr_t)__builtin_frame_address(0));
  struct thread before = *self;
  void *result = vgc_call_active(come_up, depth);
  must(state_of_self() == THREAD_BLOCKING);
  must(memcmp(&before.blocked, &self->blocked, sizeof before.blocked) == 0);
  must(memcmp(before.blocked_registers, self->blocked_registers, sizeof before.blocked_registers) == 0);
  must(vgc_call_blocking(see_state, &before.state) != NULL);
  must(load_relaxed(&before.state) == THREAD_BLOCKING && state_of_self() == THREAD_BLOCKING);
  return result;
}

static void calls_nest(void **state) {
  (void)state;
  assert_ptr_equal(vgc_call_blocking(go_down, (void *)5), (void *)7);
  assert_int_equal(state_of_self(), THREAD_RUNNING);
}

static void *leave(void *arg) {
  vgc_blocking_leave();
  return arg;
}

static void *enter(void *arg) {
  vgc_blocking_enter();
  return arg;
}

static void what_is_not_in_pairs_is_reported(void **state) {
  (void)state;
  unit_keep_errors();
  unit_expect_error(VGC_ERROR_UNBALANCED, NULL, vgc_call_blocking(leave, NULL));
  unit_expect_error(VGC_ERROR_UNBALANCED, NULL, vgc_call_blocking(enter, NULL));
  assert_int_equal(state_of_self(), THREAD_RUNNING);
  vgc_blocking_enter();
  unit_expect_error(VGC_ERROR_UNBALANCED, NULL, vgc_call_active(enter, NULL));
  vgc_blocking_leave();
  assert_int_equal(unit_errors.count, 1);
}

/* ---- Beside a thread that collects ---- */

/* In a region the thread waits at `blocked`, while active at `active`, each time until the main thread has collected.
 */
static struct {
  struct meeting blocked, active;
  uintptr_t around, captured, inside;
} stage;

static void meet_twice(struct meeting *meeting) {
  meeting_wait(meeting);
  meeting_wait(meeting);
}

static void *hold_while_active(void *arg) {
  void *held[1];
  hidden_reveal(stage.inside, held);
  KEEP_ALIVE(held);
  meet_twice(&stage.active);
  KEEP_ALIVE(held);
  held[0] = NULL;
  KEEP_ALIVE(held);
  return arg;
}

static void *wait_call_wait(void *arg) {
  meet_twice(&stage.blocked);
  vgc_call_active(hold_while_active, NULL);
  meet_twice(&stage.blocked);
  return arg;
}

/* What only a register held at the entry. */
static void *capture(void *arg) {
  hidden_reveal(stage.captured, &thread_self()->blocked_registers[1]);
  return wait_call_wait(arg);
}

static void *by_call(void *arg) {
  void *held[1];
  hidden_reveal(stage.around, held);
  KEEP_ALIVE(held);
  vgc_call_blocking(capture, arg);
  KEEP_ALIVE(held);
  held[0] = NULL;
  vgc_clear_stack(); /* of the region's frames */
  vgc_clear_registers();
  meet_twice(&stage.blocked);
  KEEP_ALIVE(held);
  return arg;
}

static void *by_enter(void *arg) {
  void *held[1];
  hidden_reveal(stage.around, held);
  KEEP_ALIVE(held);
  vgc_blocking_enter();
  capture(arg);
  vgc_blocking_leave();
  KEEP_ALIVE(held);
  held[0] = NULL;
  vgc_clear_stack(); /* of the region's frames */
  vgc_clear_registers();
  meet_twice(&stage.blocked);
  KEEP_ALIVE(held);
  return arg;
}

/* Collects while the thread waits there; signals: how often it was signalled. */
static void collect_at(struct meeting *meeting, unsigned signals, bool around, bool inside) {
  struct hidden_control control;
  hidden_control_make(&control);
  meeting_wait(meeting);
  unsigned long before = fault_count(FAULT_SIGNAL);
  must(vgc_collect() == 0);
  must(signals ? fault_count(FAULT_SIGNAL) > before : fault_count(FAULT_SIGNAL) == before);
  must(hidden_control_died(&control));
  must(hidden_alive(stage.around, SIZE) == around);
  must(hidden_alive(stage.captured, SIZE) == around);
  if (inside) must(hidden_alive(stage.inside, SIZE));
  meeting_wait(meeting);
}

static void holds(void *(*run)(void *)) {
  pthread_t thread;
  meeting_init(&stage.blocked, 2);
  meeting_init(&stage.active, 2);
  stage.around = hidden_make(SIZE);
  stage.captured = hidden_make(SIZE);
  stage.inside = hidden_make(SIZE);
  /* Nobody holds it before the thread does. */
  static void *inside[1];
  hidden_reveal(stage.inside, inside);
  must(pthread_create(&thread, NULL, run, NULL) == 0);
  collect_at(&stage.blocked, 0, true, true);
  inside[0] = NULL;
  collect_at(&stage.active, 1, true, true);
  collect_at(&stage.blocked, 0, true, false);
  collect_at(&stage.blocked, 1, false, false);
  must(pthread_join(thread, NULL) == 0);
}

static void a_call_holds_what_its_frames_hold(void **state) {
  (void)state;
  holds(by_call);
}

static void so_does_a_region_that_was_entered(void **state) {
  (void)state;
  holds(by_enter);
}

/* ---- A stop that runs ---- */

static int ends[2];

static void *note_stop(void *stopped) {
  *(bool *)stopped = world_is_stopped();
  return NULL;
}

static void *read_and_call(void *stopped) {
  char byte;
  must(read(ends[0], &byte, 1) == 1);
  return vgc_call_active(note_stop, stopped);
}

static void begin(void *stopped) { vgc_call_blocking(read_and_call, stopped); }

static void nothing(void *arg) { (void)arg; }

/* World stopped. */
static void let_it_call(void *waits) {
  must(write(ends[1], "x", 1) == 1);
  park_await(waits);
}

static void an_active_call_waits_for_a_stop(void **state) {
  (void)state;
  struct worker worker;
  bool stopped = true;
  must(pipe(ends) == 0);
  worker_start(&worker);
  struct park *entered = park_arm_call("blocking_enter_published", nothing, NULL);
  worker_begin(&worker, begin, &stopped);
  park_await(entered);
  park_arm_call("collect_stopped", let_it_call, park_arm_call("blocking_leave_waits", nothing, NULL));
  assert_int_equal(vgc_collect(), 0);
  worker_finish(&worker);
  assert_false(stopped);
  worker_stop(&worker);
  close(ends[0]);
  close(ends[1]);
}

/* ---- The end of a thread ---- */

static void *end_here(void *arg) { pthread_exit(arg); }
static void *end_in_active(void *arg) { return vgc_call_active(end_here, arg); }

static void note_state(void *seen) { see_state(seen); }

struct ending {
  void *(*function)(void *);
  uint32_t seen;
};

static void *end_in_call(void *arg) {
  struct ending *ending = arg;
  pthread_cleanup_push(note_state, &ending->seen);
  vgc_call_blocking(ending->function, arg);
  pthread_cleanup_pop(0);
  return NULL;
}

static void a_thread_may_end_inside(void **state) {
  (void)state;
  void *(*const functions[])(void *) = {end_here, end_in_active};
  size_t records = thread_records();
  for (unsigned i = 0; i < 2; i++) {
    struct ending ending = {functions[i], THREAD_FREE};
    pthread_t thread;
    void *result;
    assert_int_equal(pthread_create(&thread, NULL, end_in_call, &ending), 0);
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_ptr_equal(result, &ending);
    assert_int_equal(ending.seen, THREAD_RUNNING);
  }
  assert_int_equal(vgc_collect(), 0);
  assert_int_equal(thread_records(), records);
}

UNIT(calls) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, unit_setup, unit_teardown)
  const struct CMUnitTest tests[] = {
      TEST(a_call_is_a_region),
      TEST(calls_nest),
      TEST(what_is_not_in_pairs_is_reported),
      TEST(a_call_holds_what_its_frames_hold),
      TEST(so_does_a_region_that_was_entered),
      TEST(an_active_call_waits_for_a_stop),
      TEST(a_thread_may_end_inside),
  };
  return cmocka_run_group_tests_name("calls", tests, NULL, NULL);
}
