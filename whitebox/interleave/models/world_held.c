/* A thread that another one suspends, and lets go. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>

#include "stopping.h"

static pthread_t worker;

static void works(void) {
  worker = pthread_self();
  interleave_meet(2, true);
  work();
}

/* Between the two calls the other does nothing. */
static void holds(void) {
  interleave_meet(2, true);
  interleave_assert(vgc_thread_suspend(worker) == 0);
  work_look();
  interleave_assert(vgc_thread_suspended(worker));
  interleave_assert(vgc_thread_resume(worker) == 0);
}

static void held(void) {
  static void (*const parts[])(void) = {holds, works};
  together_bare(2, parts);
  work_expect_whole();
}
INTERLEAVE_MODEL(held, .setup = stopping_start, .run = held, .preemptions = 1, .learn = 1000, .prompt_signals = true,
                 .title = "who suspends a thread sees all that it did, and it sees all that was done meanwhile");

/* ---- While it enters a region ---- */

static void enters(void) {
  worker = pthread_self();
  const struct thread *self = thread_self();
  vgc_blocking_enter();
  uintptr_t sp = self->blocked.sp;
  vgc_blocking_leave();
  interleave_meet(2, true);
  vgc_blocking_enter();
  interleave_assert(self->blocked.sp == sp);
  vgc_blocking_leave();
}

static void lets_go(void) {
  interleave_meet(2, true);
  interleave_assert(vgc_thread_suspend(worker) == 0);
  interleave_assert(vgc_thread_resume(worker) == 0);
}

static void held_in_entry(void) {
  static void (*const parts[])(void) = {lets_go, enters};
  together_bare(2, parts);
}
INTERLEAVE_MODEL(held_in_entry, .setup = stopping_start, .run = held_in_entry, .preemptions = 1, .learn = 2000,
                 .prompt_signals = true,
                 .title = "a region is scanned from where it was entered, though a suspension came meanwhile");

/* ---- Other stops ---- */

static void nothing(void) {
  worker = pthread_self();
  interleave_meet(2, true);
}

static void stops_while_held(void) {
  interleave_meet(2, true);
  interleave_assert(vgc_thread_suspend(worker) == 0);
  world_stops_for_a_moment(1);
  interleave_assert(vgc_thread_resume(worker) == 0);
}

static void held_in_stop(void) {
  static void (*const parts[])(void) = {stops_while_held, nothing};
  together_bare(2, parts);
}
INTERLEAVE_MODEL(held_in_stop, .setup = stopping_start, .run = held_in_stop, .preemptions = 1, .learn = 1000,
                 .prompt_signals = true, .title = "a thread that is held holds up no stop");

/* Time passes by a microsecond with each look at a clock, and else only when nobody can go on. */
static void stops_promptly_while_held(void) {
  interleave_meet(2, true);
  interleave_assert(vgc_thread_suspend(worker) == 0);
  uint64_t before = platform_now_ns();
  world_stops_for_a_moment(1);
  interleave_assert(platform_now_ns() - before < UINT64_C(1000000));
  interleave_meet(1, false);
  interleave_assert(vgc_thread_resume(worker) == 0);
}

static void wake_from_hold(void) {
  static void (*const parts[])(void) = {stops_promptly_while_held, nothing};
  together_bare(2, parts);
}
INTERLEAVE_MODEL(wake_from_hold, .setup = stopping_start, .run = wake_from_hold, .preemptions = 1, .learn = 1000,
                 .prompt_signals = true, .title = "a thread that becomes held while it is asked wakes the stopper");

static void stops_promptly_after(void) {
  interleave_meet(2, false);
  interleave_assert(vgc_thread_suspend(worker) == 0);
  world_stops_for_a_moment(1);
  interleave_meet(1, true);
  interleave_assert(vgc_thread_resume(worker) == 0);
  thread_registry_lock();
  uint64_t before = platform_now_ns();
  interleave_assert(world_stop() == 1);
  interleave_assert(platform_now_ns() - before < UINT64_C(1000000));
  world_goes_on();
}

static void nothing_more(void) {
  worker = pthread_self();
  interleave_meet(2, false);
}

static void wake_after_hold(void) {
  static void (*const parts[])(void) = {stops_promptly_after, nothing_more};
  together_bare(2, parts);
}
INTERLEAVE_MODEL(wake_after_hold, .setup = stopping_start, .run = wake_after_hold, .preemptions = 2, .learn = 1000,
                 .prompt_signals = true, .title = "a thread that is let go while it is asked wakes the stopper");

/* The record of the worker. */
static struct thread *leaver;

static void leaves(void) {
  worker = pthread_self();
  leaver = thread_self();
  interleave_meet(2, false);
  vgc_blocking_enter();
  interleave_meet(2, false);
  interleave_meet(2, true);
  vgc_blocking_leave();
}

/* The first stop finds it blocking and reads no answer; it gives one all the same, to a signal of somebody else's that
 * comes while it tries to leave. What the second stop reads it knows from HELD alone. */
static void holds_who_leaves(void) {
  interleave_meet(2, false);
  interleave_meet(2, false);
  thread_registry_lock();
  interleave_assert(world_stop() == 1);
  interleave_meet(2, true);
  store_relaxed(&leaver->held, 1);
  interleave_assert(pthread_kill(worker, (int)thread_signal()) == 0);
  world_resume();
  interleave_assert(world_stop() == 1);
  interleave_meet(1, false);
  world_look();
  world_let_go(leaver);
  world_goes_on();
}

static void held_unasked(void) {
  static void (*const parts[])(void) = {holds_who_leaves, leaves};
  together_bare(2, parts);
}
INTERLEAVE_MODEL(held_unasked, .setup = stopping_start, .run = held_unasked, .preemptions = 2, .learn = 1000,
                 .prompt_signals = true, .title = "a stop sees where a thread is held that answered no stop before");

/* ---- While it comes back ---- */

static void leaves_and_works(void) {
  worker = pthread_self();
  vgc_blocking_enter();
  interleave_meet(2, true);
  vgc_blocking_leave();
  work();
}

static void held_at_end(void) {
  static void (*const parts[])(void) = {holds, leaves_and_works};
  together_bare(2, parts);
  work_expect_whole();
}
INTERLEAVE_MODEL(held_at_end, .setup = stopping_start, .run = held_at_end, .preemptions = 1, .learn = 1000,
                 .prompt_signals = true, .title = "a thread that is suspended as its region ends does not go on");

static void holds_again(void) {
  interleave_meet(2, false);
  interleave_assert(vgc_thread_suspend(worker) == 0);
  interleave_meet(1, true);
  interleave_assert(vgc_thread_resume(worker) == 0);
  interleave_assert(vgc_thread_suspend(worker) == 0);
  work_look();
  interleave_assert(vgc_thread_resume(worker) == 0);
}

static void works_later(void) {
  worker = pthread_self();
  interleave_meet(2, false);
  work();
}

static void held_again(void) {
  static void (*const parts[])(void) = {holds_again, works_later};
  together_bare(2, parts);
  work_expect_whole();
}
INTERLEAVE_MODEL(held_again, .setup = stopping_start, .run = held_again, .preemptions = 1, .learn = 1000,
                 .prompt_signals = true, .title = "a thread that is let go and suspended again does not go on");

/* ---- Where others would wait for it ---- */

static void lists(void) {
  worker = pthread_self();
  leaver = thread_self();
  interleave_meet(2, true);
  interleave_assert(roots_list_modules());
}

static void holds_lister(void) {
  interleave_meet(2, true);
  interleave_assert(vgc_thread_suspend(worker) == 0);
  interleave_assert(!load_relaxed(&leaver->listing));
  roots_before_fork();
  roots_after_fork();
  interleave_assert(vgc_thread_resume(worker) == 0);
}

static void held_lister(void) {
  static void (*const parts[])(void) = {holds_lister, lists};
  together_bare(2, parts);
}
INTERLEAVE_MODEL(held_lister, .setup = stopping_start, .run = held_lister, .preemptions = 1, .learn = 1000,
                 .prompt_signals = true, .title = "a thread that lists the loaded objects is held afterwards");

/* ---- Found by its handle ---- */

static void leaves_and_returns(void) {
  interleave_assert(vgc_thread_detach() == 0);
  interleave_assert(vgc_thread_attach() == 0);
}

static void suspends_nobody(void) { interleave_assert(vgc_thread_suspend((pthread_t)1) == -1 && errno == ESRCH); }
static void resumes_itself(void) { interleave_assert(vgc_thread_resume(pthread_self()) == 0); }
static void asks_for_itself(void) { interleave_assert(!vgc_thread_suspended(pthread_self())); }

static void beside_return(void (*part)(void)) {
  void (*const parts[])(void) = {part, leaves_and_returns};
  together_bare(2, parts);
}

static void suspend_and_return(void) { beside_return(suspends_nobody); }
INTERLEAVE_MODEL(suspend_and_return, .setup = stopping_start, .run = suspend_and_return, .preemptions = 2,
                 .learn = 1000, .title = "a thread to suspend is looked up while another detaches and attaches");

static void *do_nothing(void *arg) { return arg; }

static void starts_another(void) {
  pthread_t thread;
  interleave_assert(pthread_create(&thread, NULL, do_nothing, NULL) == 0);
  interleave_assert(pthread_join(thread, NULL) == 0);
}

static void suspend_and_start(void) {
  void (*const parts[])(void) = {suspends_nobody, starts_another};
  together_bare(2, parts);
}
INTERLEAVE_MODEL(suspend_and_start, .setup = stopping_start, .run = suspend_and_start, .preemptions = 2, .learn = 1000,
                 .title = "a thread to suspend is looked up while another starts one");

static void resume_and_return(void) { beside_return(resumes_itself); }
INTERLEAVE_MODEL(resume_and_return, .setup = stopping_start, .run = resume_and_return, .preemptions = 2, .learn = 1000,
                 .title = "a thread to let go is looked up while another detaches and attaches");

static void asked_and_return(void) { beside_return(asks_for_itself); }
INTERLEAVE_MODEL(asked_and_return, .setup = stopping_start, .run = asked_and_return, .preemptions = 2, .learn = 1000,
                 .title = "whether a thread is suspended is asked while another detaches and attaches");
