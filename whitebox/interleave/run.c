/* One run after another in one process. A run starts from the state that constructors and setup have left: what it
 * changed in memory is put back from the undo log, threads and clocks begin anew. */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "apart.h"
#include "atomics.h"
#include "parts.h"
#include "process.h"
#include "record.h"
#include "runtime.h"
#include "sections.h"
#include "shadow.h"

#define CRASH_STACK_BYTES 65536u

struct run_state {
  bool running;
  void (*setup)(void);
};
static struct run_state *state;

_Noreturn void run_leave(void) { fiber_leave(); }

/* ---- Crashes ---- */

static void crashed(int signal, siginfo_t *info, void *context) {
  (void)context;
  if (!state->running) {
    static const char text[] = "interleave: a fatal signal in the runtime itself\n";
    fwrite(text, 1, sizeof text - 1, stderr);
    abort();
  }
  const char *name = sigabbrev_np(signal);
  if (signal == SIGSEGV || signal == SIGBUS) fail(INTERLEAVE_MEMORY, "SIG%s at %p", name, info->si_addr);
  fail(INTERLEAVE_CRASH, "SIG%s", name);
}

static void catch_crashes(void) {
  static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};
  stack_t stack = {.ss_sp = state_allocate(CRASH_STACK_BYTES), .ss_size = CRASH_STACK_BYTES};
  sigaltstack(&stack, NULL);
  /* The handler leaves by switching stacks, so nothing may stay masked. */
  struct sigaction action = {.sa_sigaction = crashed, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
  for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++) sigaction(signals[i], &action, NULL);
}

/* ---- Start-up ---- */

static void find_image(void) {
  RT->image_low = UINTPTR_MAX;
  for (size_t i = 0; i < interleave_sections_count; i++) {
    uintptr_t low = (uintptr_t)interleave_sections[i].low & ~(uintptr_t)7;
    uintptr_t high = ((uintptr_t)interleave_sections[i].high + 7) & ~(uintptr_t)7;
    if (low == high) continue;
    if (low < RT->image_low) RT->image_low = low;
    if (high > RT->image_high) RT->image_high = high;
  }
  if (RT->image_low == UINTPTR_MAX) RT->image_low = RT->image_high = 0;
}

void run_initialize(void) {
  world_initialize();
  RT->current = &RT->fiber[0];
  RT->setting_up = true;
  state = state_allocate(sizeof *state);
  find_image();
  apart_initialize();
  fiber_initialize();
  RT->fibers = FIBERS_MAX;
  world_keep();
  shadow_initialize();
  atomics_initialize();
  thread_initialize();
  parts_initialize();
  catch_crashes();
}

/* ---- Runs ---- */

static void begin_fibers(void) {
  for (unsigned i = 0; i < RT->fibers; i++) fiber_reset(&RT->fiber[i], 0);
  RT->fibers = 0;
  RT->enabled = RT->spinners = RT->switches = 0;
}

static void begin(const struct interleave_model *model) {
  if (++RT->run == 0) RT->run = 1;
  RT->step = RT->preemptions = RT->signals = RT->forks = 0;
  RT->hash = 0;
  RT->now = UINT64_C(1000000000);
  RT->model = model;
  RT->failure = (struct failure){0};
  RT->discarded = RT->told = false;
  RT->outcome[0] = '\0';
  RT->fence_view = (struct clock){0};
  RT->pending_signals = 0;
  RT->plain_points = model->plain_points;
  begin_fibers();
  shadow_begin();
  world_begin();
  atomics_begin();
  thread_begin();
  parts_begin();
  if (RT->recording) record_clear();
}

static void enter(void (*body)(void)) {
  struct fiber *main = &RT->fiber[0];
  fiber_prepare(main, body);
  schedule_ready(main);
  state->running = true;
  fiber_enter(main);
  state->running = false;
  RT->current = main;
}

enum verdict run_once(void) {
  begin(RT->model);
  enter(thread_main);
  shadow_undo();
  uninstrumented_put_back();
  return RT->failure.kind != INTERLEAVE_CLEAN ? RUN_FAILED : RT->discarded ? RUN_DISCARDED : RUN_CLEAN;
}

/* ---- Set-up ---- */

static void construct(void) {
  for (size_t i = 0; i < interleave_constructors_count; i++)
    for (char *at = interleave_constructors[i].low; at < interleave_constructors[i].high;
         at += sizeof(void (*)(void))) {
      void (*constructor)(void);
      memcpy(&constructor, at, sizeof constructor);
      constructor();
    }
  thread_note_values();
  run_leave();
}

static void set_up(void) {
  state->setup();
  thread_note_values();
  run_leave();
}

static void set_up_with(const struct interleave_model *model, void (*body)(void)) {
  RT->setting_up = true;
  begin(model);
  enter(body);
  RT->setting_up = false;
  if (RT->failure.kind == INTERLEAVE_CLEAN) return;
  fprintf(stderr, "interleave: model %s fails in its setup: %s\n", model->name, RT->failure.text);
  exit(3);
}

static void keep(void) {
  fiber_storage_keep();
  world_keep();
  thread_keep();
  parts_keep();
}

void run_set_up(const struct interleave_model *model) {
  shadow_forget_setup();
  world_forget_setup();
  thread_forget_setup();
  parts_forget_setup();
  fiber_storage_forget_setup();
  set_up_with(model, construct);
  shadow_keep();
  keep();
  if (model->setup) {
    state->setup = model->setup;
    set_up_with(model, set_up);
    shadow_keep();
    keep();
  }
  RT->model = model;
  snapshot_take();
}

/* ---- What a model may ask ---- */

void interleave_assume(bool condition) {
  if (condition) return;
  RT->discarded = true;
  run_leave();
}

unsigned interleave_choose(unsigned n) {
  if (n == 0) fail(INTERLEAVE_UNSUPPORTED, "interleave_choose(0): a choice among nothing");
  unsigned taken = choose(CHOICE_MODEL, n);
  schedule_executed(OP_CHOICE, 0, 0, taken);
  return taken;
}

void interleave_outcome(const char *format, ...) {
  if (RT->told) fail(INTERLEAVE_UNSUPPORTED, "interleave_outcome was called twice in one run");
  RT->told = true;
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(RT->outcome, sizeof RT->outcome, format, arguments);
  va_end(arguments);
}

struct interleave_counts interleave_get_counts(void) {
  return (struct interleave_counts){RT->step, RT->preemptions, RT->signals, RT->forks};
}
