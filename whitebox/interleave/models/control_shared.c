/* What the threads of a program set up together: layouts, hooks, and whose cycle it is. */
#include <errno.h>
#include <semaphore.h>
#include <time.h>

#include "stopping.h"

#define AT_ONCE .preemptions = UINT32_MAX, .learn = 1000

/* ---- Layouts ---- */

static const uint64_t first_word = 1;
static const struct vgc_layout pair = {.size = 16, .pointer_words = &first_word, .name = "pair"};

/* The next layout needs a new part of the directory. */
static void layouts_start(void) {
  stopping_start();
  for (unsigned i = 0; i < 64; i++) interleave_assert(vgc_layout_register(&pair) == i + 1);
}

static _Atomic vgc_layout_id handed;

static void registers(void) { store_relaxed(&handed, vgc_layout_register(&pair)); }

static bool makes_pairs(vgc_layout_id id) {
  void *object = vgc_malloc_typed(id, 2);
  return object && vgc_usable_size(object) >= 32;
}

/* The id has come to it unordered: it may not know the layout yet. */
static void uses_id(void) {
  vgc_layout_id id = load_relaxed(&handed);
  if (id) interleave_assert(makes_pairs(id) || errno == EINVAL);
}

static void layout_use(void) {
  static void (*const parts[])(void) = {uses_id, registers};
  together(2, parts);
}
INTERLEAVE_MODEL(layout_use, .setup = layouts_start, .run = layout_use, AT_ONCE,
                 .title = "a layout's id is used by a thread that nothing orders after its registration");

static vgc_layout_id ids[2];

static void registers_one(void) { ids[0] = vgc_layout_register(&pair); }
static void registers_another(void) { ids[1] = vgc_layout_register(&pair); }

static void layouts_together(void) {
  static void (*const parts[])(void) = {registers_one, registers_another};
  together(2, parts);
  interleave_assert(ids[0] && ids[1] && ids[0] != ids[1]);
  for (unsigned i = 0; i < 2; i++) interleave_assert(makes_pairs(ids[i]));
}
INTERLEAVE_MODEL(layouts_together, .setup = layouts_start, .run = layouts_together, AT_ONCE,
                 .title = "two threads register layouts: each gets its own");

/* ---- Hooks ---- */

static unsigned told[3];

static void tell(void *arg, enum vgc_error error, const void *ptr, const char *message) {
  (void)ptr, (void)message;
  interleave_assert(error == VGC_ERROR_FREE_FOREIGN);
  unsigned *count = arg;
  ++*count;
}

static void set_hook(unsigned which, struct vgc_hooks *old) {
  vgc_set_hooks(&(struct vgc_hooks){.struct_size = sizeof(struct vgc_hooks), .arg = &told[which], .error = tell}, old);
}

static void hooks_start(void) {
  stopping_start();
  set_hook(0, NULL);
}

static void sets_hook(void) {
  struct vgc_hooks old;
  set_hook(1, &old);
  interleave_assert(old.arg == &told[0] && old.error == tell);
}

static void frees_foreign(void) {
  int local;
  vgc_free(&local);
}

static void hooks(void) {
  static void (*const parts[])(void) = {sets_hook, frees_foreign};
  together(2, parts);
  interleave_assert(told[0] + told[1] == 1);
}
INTERLEAVE_MODEL(hooks, .setup = hooks_start, .run = hooks, AT_ONCE,
                 .title = "a hook is set while another thread runs into an error: the old one is told or the new one");

static void sets_twice(void) {
  set_hook(1, NULL);
  set_hook(2, NULL);
}

static void hooks_in_turn(void) {
  static void (*const parts[])(void) = {sets_twice, frees_foreign};
  together(2, parts);
  interleave_assert(told[0] + told[1] + told[2] == 1);
}
INTERLEAVE_MODEL(hooks_in_turn, .setup = hooks_start, .run = hooks_in_turn, AT_ONCE,
                 .title = "hooks are set twice while another thread runs into an error: one of them is told, whole");

/* What each thread found in force, if it was its own. */
static const struct vgc_hooks *own[3];
static struct vgc_hooks old_ones[3];

static void sets(unsigned which) {
  set_hook(which, &old_ones[which]);
  const struct vgc_hooks *current = hooks_get();
  own[which] = current->arg == &told[which] ? current : NULL;
}
static void sets_one(void) { sets(1); }
static void sets_another(void) { sets(2); }

static void hooks_together(void) {
  static void (*const parts[])(void) = {sets_one, sets_another};
  together(2, parts);
  interleave_assert((old_ones[1].arg == &told[0]) != (old_ones[2].arg == &told[0]));
  for (unsigned which = 1; which < 3; which++) {
    set_hook(which, NULL);
    interleave_assert(hooks_get()->arg == &told[which] && (!own[which] || hooks_get() == own[which]));
  }
}
INTERLEAVE_MODEL(hooks_together, .setup = hooks_start, .run = hooks_together, AT_ONCE,
                 .title = "two threads set hooks: each is given what it replaces, and both sets are kept");

static void sets_the_same(void) { set_hook(1, NULL); }

static void hooks_alike(void) {
  static void (*const parts[])(void) = {sets_the_same, sets_the_same};
  together(2, parts);
  interleave_assert(hooks_get()->arg == &told[1]);
}
INTERLEAVE_MODEL(hooks_alike, .setup = hooks_start, .run = hooks_alike, AT_ONCE,
                 .title = "two threads set the same hooks, which one finds kept by the other");

/* ---- Roots ---- */

/* Two roots in the system's memory; an object hangs from the one that stays. */
static uintptr_t *removed, *kept;

static __attribute__((noinline)) void hang(void) { *kept = (uintptr_t)vgc_malloc(32); }

static void two_roots_start(void) {
  stopping_start();
  interleave_assert(roots_list_modules());
  removed = platform_reserve(4096, 4096);
  kept = removed + 256;
  interleave_assert(vgc_root_add(removed, 64) == 0 && vgc_root_add(kept, 64) == 0);
  hang();
}

static void removes(void) { interleave_assert(vgc_root_remove(removed, 64) == 0); }

static void collects_and_sweeps(void) {
  interleave_assert(vgc_collect() == 0);
  central_finish_sweep();
}

static void root_stays(void) {
  static void (*const parts[])(void) = {collects_and_sweeps, removes};
  together(2, parts);
  interleave_assert(vgc_base_of((void *)*kept) == (void *)*kept);
}
INTERLEAVE_MODEL(root_stays, .setup = two_roots_start, .run = root_stays, .preemptions = 1, .learn = 200,
                 .title = "a root that stays is scanned while another is removed");

static void adds(void) { interleave_assert(vgc_root_add(&told[1], 8) == 0); }

static void counts(void) {
  size_t bytes = roots_bytes();
  interleave_assert(bytes == 0 || bytes == 4096);
}

static void roots_counted(void) {
  static void (*const parts[])(void) = {adds, counts};
  together_bare(2, parts);
}
INTERLEAVE_MODEL(roots_counted, .setup = stopping_start, .run = roots_counted, AT_ONCE,
                 .title = "the table of roots is counted while it grows");

/* ---- Loaded objects ---- */

static void lists_modules(void) { interleave_assert(roots_list_modules()); }

static void modules(void) {
  static void (*const parts[])(void) = {lists_modules, lists_modules};
  together_bare(2, parts);
}
INTERLEAVE_MODEL(modules, .setup = stopping_start, .run = modules, AT_ONCE,
                 .title = "two threads list the loaded objects: one list remains");

/* The collector's own data is watched: nothing here marks. */
static void bare_start(void) {
  struct vgc_config tiny = tiny_config();
  interleave_assert(vgc_init(&tiny) == 0);
}

static int refuse(void *arg, const char *name, const void *start, size_t size) {
  (void)name, (void)start;
  return !arg || !size;
}

static void sets_filter(void) { vgc_root_set_filter(refuse, told); }

static void filter_and_list(void) {
  static void (*const parts[])(void) = {lists_modules, sets_filter};
  together_bare(2, parts);
}
INTERLEAVE_MODEL(filter_and_list, .setup = bare_start, .run = filter_and_list, AT_ONCE,
                 .title = "the loaded objects are listed by one filter while another is set");

static void filters(void) {
  static void (*const parts[])(void) = {sets_filter, sets_filter};
  together_bare(2, parts);
}
INTERLEAVE_MODEL(filters, .setup = bare_start, .run = filters, AT_ONCE, .title = "two threads set a filter");

static void excludes(void) { interleave_assert(vgc_root_exclude(&told[0], 8) == 0); }
static void excludes_other(void) { interleave_assert(vgc_root_exclude(&told[1], 8) == 0); }
static void excludes_and_includes(void) {
  excludes_other();
  interleave_assert(vgc_root_include(&told[1], 8) == 0);
}

static void exclusions(void) {
  static void (*const parts[])(void) = {excludes, excludes_and_includes};
  together_bare(2, parts);
  interleave_assert(vgc_root_include(&told[0], 8) == 0);
}
INTERLEAVE_MODEL(exclusions, .setup = bare_start, .run = exclusions, AT_ONCE,
                 .title = "two threads exclude, and one takes back what it has excluded");

/* ---- The program's own stop ---- */

static void stops_the_world(void) {
  vgc_stop_world();
  vgc_resume_world();
}

static void reads_totals(void) { interleave_assert(collect_totals().stops <= 1); }

static void own_stop_counted(void) {
  static void (*const parts[])(void) = {stops_the_world, reads_totals};
  together_bare(2, parts);
  interleave_assert(collect_totals().stops == 1);
}
INTERLEAVE_MODEL(own_stop_counted, .setup = bare_start, .run = own_stop_counted, .preemptions = 1,
                 .prompt_signals = true, .title = "a stop of the program's is counted while another thread reads");

/* ---- Whose cycle ---- */

static _Atomic bool forbidden;

/* What a cycle does that may start is of no interest here. */
static void starts(void *arg) {
  (void)arg;
  interleave_assert(!load_relaxed(&forbidden));
  interleave_assume(false);
}

static void watched_start(void) {
  stopping_start();
  vgc_set_hooks(&(struct vgc_hooks){.struct_size = sizeof(struct vgc_hooks), .cycle_start = starts}, NULL);
}

static void forbids(void) {
  vgc_disable();
  store_relaxed(&forbidden, true);
}

static void may_collect(void) { interleave_assert(vgc_collect() == -1 && errno == EBUSY); }

static void disabled(void) {
  static void (*const parts[])(void) = {may_collect, forbids};
  together(2, parts);
}
INTERLEAVE_MODEL(disabled, .setup = watched_start, .run = disabled, AT_ONCE,
                 .title = "no cycle starts once vgc_disable has returned");

static sem_t begins;
static unsigned cycles;

/* Virtual time passes when nobody can go on: the other waits for the cycle that begins here. */
static void begins_while_other_asks(void *arg) {
  (void)arg;
  cycles++;
  sem_post(&begins);
  nanosleep(&(struct timespec){.tv_nsec = 1}, NULL);
}

static void cycles_start(void) {
  stopping_start();
  interleave_assert(vgc_collect() == 0); /* lists the loaded objects */
  vgc_set_hooks(&(struct vgc_hooks){.struct_size = sizeof(struct vgc_hooks), .cycle_start = begins_while_other_asks},
                NULL);
}

static void asks_first(void) { interleave_assert(vgc_collect() == 0); }

static void asks_meanwhile(void) {
  sem_wait(&begins);
  interleave_assert(vgc_collect() == 0);
}

static void served(void) {
  static void (*const parts[])(void) = {asks_first, asks_meanwhile};
  together(2, parts);
  interleave_assert(cycles == 1);
}
INTERLEAVE_MODEL(served, .setup = cycles_start, .run = served, .preemptions = 1, .prompt_signals = true,
                 .title = "who waits for a cycle that begins after the call does not run another");
