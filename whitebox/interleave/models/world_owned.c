/* What a stopped world changes of a thread's own: slots that it found dead, the pages of a copied stack. */
#include <pthread.h>

#include "stopping.h"

/* Few slots a span, so few steps. */
#define SLOT  8192u
#define SLOTS 4u

static void prepare(void (*what)(void)) {
  interleave_meet(2, false);
  if (what) what();
  interleave_meet(2, true);
}

/* ---- Dead slots of a span that a thread owns ---- */

static uint64_t *object[SLOTS], *fresh;
static _Atomic(struct span *) owned;

static uint64_t *take(void) {
  uint64_t *taken = vgc_malloc_noscan(SLOT);
  interleave_assert(taken);
  return taken;
}

/* One of the slots is free: the owner need not look elsewhere. */
static void own_span(void) {
  for (unsigned i = 0; i < SLOTS; i++) object[i] = take();
  vgc_free(object[SLOTS - 1]);
  atomic_store(&owned, span_of((uintptr_t)object[0]));
}

/* As at the end of a mark that found the first object, and what the free slot may hold by now. */
static void sweep(void) {
  struct span *span = atomic_load(&owned);
  span->bits[0].mark = 1 | 1u << (SLOTS - 1);
  interleave_assert(sweep_owned_span(span) == SLOTS - 2);
}

/* Wherever its owner is by then; how it is stopped is the subject of other models. */
static void stops_and_sweeps(void) {
  prepare(NULL);
  interleave_point();
  interleave_meet(1, false);
  world_stops(1);
  sweep();
  interleave_meet(1, true);
  world_goes_on();
}

/* The thread's own free slot, or one that was swept. */
static void allocates(void) {
  prepare(own_span);
  fresh = take();
  interleave_assert(fresh == object[SLOTS - 1] || fresh == object[1]);
}

static void sweep_beside_owner(void) {
  static void (*const parts[])(void) = {stops_and_sweeps, allocates};
  together(2, parts);
}
INTERLEAVE_MODEL(sweep_beside_owner, .setup = stopping_start, .run = sweep_beside_owner, .preemptions = UINT32_MAX,
                 .prompt_signals = true,
                 .title = "a thread that is let go on finds the slots that were swept in its span");

/* ---- The same by a whole cycle, when the span is about to be full ---- */

static uintptr_t gone[SLOTS]; /* as no root tells it */

/* One span has room for the next object, so that no lock is needed; the current one is full of dead objects. */
static __attribute__((noinline)) void fill_and_forget(void) {
  for (unsigned i = 0; i < SLOTS; i++) object[i] = take();
  for (unsigned i = 0; i < SLOTS; i++) gone[i] = ~(uintptr_t)take();
  vgc_free(object[0]);
}

static unsigned is_back(const void *taken) {
  unsigned found = 0;
  for (unsigned i = 0; i < SLOTS; i++) found += gone[i] == ~(uintptr_t)taken;
  return found;
}

static void finds_it_full(void) {
  prepare(fill_and_forget);
  fresh = take();
}

static void collects(void) {
  prepare(NULL);
  interleave_assert(vgc_collect() == 0);
}

static void swept_while_it_fills_up(void) {
  static void (*const parts[])(void) = {finds_it_full, collects};
  together(2, parts);
  struct vgc_stats stats = {.struct_size = sizeof stats};
  interleave_assert(vgc_get_stats(&stats) == 0);
  unsigned found = is_back(fresh);
  for (unsigned i = 0; i < 3 * SLOTS && found < stats.objects_swept; i++) found += is_back(take());
  interleave_assert(found == stats.objects_swept);
}
INTERLEAVE_MODEL(swept_while_it_fills_up, .setup = stopping_start, .run = swept_while_it_fills_up, .preemptions = 1,
                 .prompt_signals = true,
                 .title = "slots are swept in a span that its owner finds full: it hears of them");

/* ---- The same slots, while a thread returns one that no stop stops: there was no memory to register it ---- */

static pthread_t stranger;

static void one_entry_start(void) {
  struct vgc_config tiny = tiny_config();
  tiny.thread_table = 1;
  strict_start(&tiny);
  own_span();
}

/* The stranger's record goes to another, and there is no second one. */
static void take_its_record(void) {
  uint64_t birth;
  struct thread *record = thread_find(stranger, &birth);
  thread_forget(record, birth);
  interleave_assert(thread_birth(NULL, NULL, true) == record);
}

static bool alone(void) {
  for (const struct thread *thread = thread_first(); thread; thread = thread->next)
    if (thread != thread_self() && load_relaxed(&thread->state) == THREAD_RUNNING) return false;
  return true;
}

static void sweeps_own(void) {
  interleave_meet(2, false);
  take_its_record();
  interleave_meet(2, true);
  thread_registry_lock();
  interleave_assume(alone());
  interleave_assert(world_stop() == 0);
  sweep();
  world_goes_on();
}

static void returns_one(void) {
  stranger = pthread_self();
  interleave_assert(vgc_thread_detach() == 0);
  interleave_meet(2, false);
  interleave_meet(2, true);
  vgc_free(object[0]);
}

static void sweep_beside_stranger(void) {
  static void (*const parts[])(void) = {sweeps_own, returns_one};
  together_bare(2, parts);
  struct span *span = atomic_load(&owned);
  span_fold_all(span);
  interleave_assert(span_free_count(span) == SLOTS);
}
INTERLEAVE_MODEL(sweep_beside_stranger, .setup = one_entry_start, .run = sweep_beside_stranger, .preemptions = 2,
                 .failing_maps = true, .learn = 200, .prompt_signals = true,
                 .title = "slots that are swept and one that a thread returns meanwhile all come free");

/* ---- The copy of the creator's stack ---- */

static uint64_t seen;

static void inherits(void) {
  thread_self()->inherited = platform_reserve(THREAD_INHERITED_BYTES, 4096);
  interleave_assert(thread_self()->inherited);
}

static void drops(void) {
  prepare(inherits);
  interleave_assert(thread_ensure() == thread_self());
}

static void stops_and_scans(void) {
  prepare(NULL);
  world_stops(1);
  for (const struct thread *thread = thread_first(); thread; thread = thread->next)
    if (thread->inherited) seen += *(const uint64_t *)thread->inherited;
  world_goes_on();
}

static void inherited(void) {
  static void (*const parts[])(void) = {stops_and_scans, drops};
  together_bare(2, parts);
}
INTERLEAVE_MODEL(inherited, .setup = stopping_start, .run = inherited, .preemptions = 2,
                 .title = "a copied stack is given up: a stop meanwhile scans all of it, or nothing");
