/* What the threads of a program set at once, and what one does while no cycle may run. */
#include <pthread.h>

#include "stopping.h"

#define AT_ONCE .preemptions = UINT32_MAX, .learn = 1000
#define MARK    UINT64_C(0x0ddba11c0ffee000)

/* ---- Settings ---- */

enum { SMALL = 1 << 20, BIG = 1 << 24 };

static void tunes_to(uint64_t minimum_heap) {
  const struct vgc_config given = {.struct_size = sizeof given, .minimum_heap = minimum_heap};
  interleave_assert(vgc_tune(&given) == 0);
}

static void tunes_to_small(void) { tunes_to(SMALL); }
static void tunes_to_big(void) { tunes_to(BIG); }

/* The goal is that of the settings in force. */
static void expect_goal(void) { interleave_assert(pace_goal() == CONFIG(minimum_heap)); }

static void tuned_by_two(void) {
  static void (*const parts[])(void) = {tunes_to_small, tunes_to_big};
  together(2, parts);
  expect_goal();
}
INTERLEAVE_MODEL(tuned_by_two, .setup = stopping_start, .run = tuned_by_two, AT_ONCE,
                 .title = "two threads tune: the goal follows the settings that remain");

static void settings_small(void) {
  stopping_start();
  tunes_to_small();
}

static void reserves(void) { interleave_assert(vgc_reserve(BIG) == 0); }
static void reserves_more(void) { interleave_assert(vgc_reserve(2 * BIG) == 0); }

static void reserved_by_two(void) {
  static void (*const parts[])(void) = {reserves, reserves_more};
  together(2, parts);
  interleave_assert(CONFIG(minimum_heap) >= 2 * BIG);
  expect_goal();
}
INTERLEAVE_MODEL(reserved_by_two, .setup = settings_small, .run = reserved_by_two, AT_ONCE,
                 .title = "two threads reserve memory: there is room for what the greedier one wants");

/* ---- Kinds and displacements ---- */

static vgc_layout_id kind;

static int disclaims(void *object, size_t size, void *arg) { return arg && !object && !size; }

static void kind_start(void) {
  stopping_start();
  const struct vgc_kind given = {.struct_size = sizeof given, .name = "kind", .scan = VGC_SCAN_NONE};
  interleave_assert(kind = vgc_kind_register(&given));
}

static void sets_disclaim(void) { interleave_assert(vgc_kind_set_disclaim(kind, disclaims, 0) == 0); }

static void disclaim_by_two(void) {
  static void (*const parts[])(void) = {sets_disclaim, sets_disclaim};
  together(2, parts);
  interleave_assert(layout_any_disclaims(false) && !layout_any_disclaims(true));
}
INTERLEAVE_MODEL(disclaim_by_two, .setup = kind_start, .run = disclaim_by_two, AT_ONCE,
                 .title = "two threads set the procedure that a kind's objects are shown to");

static void displaces_by_8(void) { interleave_assert(vgc_displacement_add(8) == 0); }
static void displaces_by_16(void) { interleave_assert(vgc_displacement_add(16) == 0); }

static void displacements(void) {
  static void (*const parts[])(void) = {displaces_by_8, displaces_by_16};
  together_bare(2, parts);
  interleave_assert(load_relaxed(&marker_displacements[0]) == (1u | 1u << 8 | 1u << 16));
}
INTERLEAVE_MODEL(displacements, .setup = stopping_start, .run = displacements, AT_ONCE,
                 .title = "two threads add displacements: both are kept");

/* ---- The bounds ---- */

static void *fresh;

static void grows(void) { interleave_assert(fresh = vgc_malloc_noscan(400 * 1024)); }

static void asks_bounds(void) {
  void *low, *high;
  vgc_heap_bounds(&low, &high);
  interleave_assert(low && low < high);
}

static void bounds(void) {
  static void (*const parts[])(void) = {asks_bounds, grows};
  together(2, parts);
}
INTERLEAVE_MODEL(bounds, .setup = stopping_start, .run = bounds, .preemptions = 2, .learn = 1000,
                 .title = "the heap's bounds are asked for while an arena is added: it is whole, or not there");

/* ---- While no cycle may run ---- */

static uintptr_t disguised; /* ~the object */
static void **link_;        /* in an object without pointers: NULL once the object is no more */
static uint64_t *plain;

static __attribute__((noinline)) void disguise(void) {
  uint64_t *object = vgc_malloc(16);
  *object = MARK;
  disguised = ~(uintptr_t)object;
  interleave_assert(vgc_weak_add(link_, object, VGC_WEAK_SHORT) == 0);
}

static void *disguises(void *arg) {
  disguise();
  return arg;
}

static void disguised_start(void) {
  stopping_start();
  link_ = vgc_malloc_noscan(16);
  interleave_assert(link_ && vgc_root_add(&link_, sizeof link_) == 0 && vgc_root_add(&plain, sizeof plain) == 0);
}

static __attribute__((noinline)) bool lives(void) { return load_loose(link_); }

static void makes_plain(void) {
  vgc_lock();
  if (lives()) {
    interleave_point();
    plain = (uint64_t *)~disguised;
  }
  vgc_unlock();
}

static void collects(void) {
  interleave_assert(vgc_collect() == 0);
  central_finish_sweep();
}

static void locked(void) {
  static void (*const parts[])(void) = {collects, makes_plain};
  pthread_t thread;
  interleave_meet(1, false);
  interleave_assert(pthread_create(&thread, NULL, disguises, NULL) == 0);
  interleave_assert(pthread_join(thread, NULL) == 0);
  together(2, parts);
  interleave_assert(!plain || (vgc_base_of(plain) == plain && *plain == MARK));
}
INTERLEAVE_MODEL(locked, .setup = disguised_start, .run = locked, .preemptions = 1, .learn = 200,
                 .prompt_signals = true, .title = "no cycle comes between a look at a disguised pointer and its use");

static unsigned counted; /* with vgc_lock */

static void counts(void) {
  vgc_lock();
  counted++;
  vgc_unlock();
}

static void locked_by_two(void) {
  static void (*const parts[])(void) = {counts, counts};
  together(2, parts);
  interleave_assert(counted == 2);
}
INTERLEAVE_MODEL(locked_by_two, .setup = stopping_start, .run = locked_by_two, AT_ONCE,
                 .title = "two threads lock the collector: one at a time");
