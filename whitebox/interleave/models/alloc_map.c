/* Looking an address up, by a thread that nothing orders after the one which makes or ends what is there. */
#include <errno.h>
#include <unistd.h>

#include "alloc.h"

static void *ghost, *fresh, *seen;

static void look_up(void) { seen = vgc_base_of(ghost); }

/* ---- A span comes where none was ---- */

/* Where the next large object will be. */
static void foresee(void) {
  heap_start();
  ghost = (void *)(arenas[0].base + (arenas[0].used_pages << arenas[0].page_shift));
}

static void make_large(void) { interleave_assert(fresh = vgc_malloc_noscan(LARGE)); }

static void carve(void) {
  actors_run((struct actor[]){{.act = make_large}, {.act = look_up}}, 2);
  interleave_assert(fresh == ghost && (seen == ghost || !seen));

  expect_live(&fresh, 1);
}
ALLOC_MODEL(carve, .setup = foresee, .run = carve,
            .title = "an address is looked up while a span is carved there: none, or all of it");

static void make_small(void) { fresh = take(); }

static void carve_small(void) {
  actors_run((struct actor[]){{.act = make_small}, {.act = look_up}}, 2);
  interleave_assert(fresh == ghost && (seen == ghost || !seen));

  expect_live(&fresh, 1);
}
INTERLEAVE_MODEL(
    carve_small, .setup = foresee, .run = carve_small, .preemptions = 2, .learn = 1000,
    .title = "an address is looked up while a span of small objects is carved there, and its first one issued");

/* Beside the slot that is issued. */
static void free_wildly(void) { vgc_free((char *)ghost + SLOT); }

static void nothing(void) {}

static void wild_free(void) {
  actors_run((struct actor[]){{.act = nothing}, {.act = make_small}, {.act = free_wildly}}, 3);
  interleave_assert(errors() == 1);
  interleave_assert(last_error() == VGC_ERROR_FREE_STALE || last_error() == VGC_ERROR_DOUBLE_FREE);
  expect_live(&fresh, 1);
}
INTERLEAVE_MODEL(wild_free, .setup = foresee, .run = wild_free, .preemptions = 2, .learn = 1000,
                 .title = "what was never issued is freed while a span is carved there: told once");

/* ---- An arena ---- */

#define MORE ((size_t)400 * 1024)

static _Atomic(void *) told;

static void grow(void) {
  interleave_assert(fresh = vgc_malloc_noscan(MORE));
  store_relaxed(&told, fresh); /* orders nothing: the reader may know the address and not the arena */
}

static void look_up_told(void) {
  void *address = load_relaxed(&told);
  seen = vgc_base_of(address ? address : &told);
  interleave_assert(!seen || seen == address);
}

static void arena(void) {
  actors_run((struct actor[]){{.act = grow}, {.act = look_up_told}}, 2);
  interleave_assert(load_relaxed(&arenas_count) == 2);
  interleave_assert(vgc_base_of(fresh) == fresh);
  expect_live(&fresh, 1);
}
ALLOC_MODEL(arena, .setup = heap_start, .run = arena,
            .title = "an address is looked up while an arena is added: the reader sees none or a whole one");

/* ---- The first arena ---- */

static void small_environment(void) {
  static char page[] = "VGC_PAGE_BYTES=1024", arena_bytes[] = "VGC_ARENA_BYTES=262144", stack[] = "VGC_MARK_STACK=256";
  static char *small[] = {page, arena_bytes, stack, NULL};
  environ = small;
}

static void come_up_beside(void *(*other)(void *)) {
  pthread_t thread;
  interleave_meet(1, false);
  interleave_assert(pthread_create(&thread, NULL, other, NULL) == 0);
  interleave_meet(2, true);
  interleave_assert(fresh = vgc_malloc(24));
  store_relaxed(&told, fresh);
  interleave_meet(2, false);
  interleave_assert(pthread_join(thread, NULL) == 0);
}

static void *look_up_early(void *unused) {
  (void)unused;
  interleave_meet(2, true);
  look_up_told();
  interleave_meet(2, false);
  return NULL;
}

static void first_arena(void) {
  come_up_beside(look_up_early);
  interleave_assert(vgc_base_of(fresh) == fresh);
}
INTERLEAVE_MODEL(
    first_arena, .setup = small_environment, .run = first_arena, .preemptions = 3, .learn = 4000,
    .title = "an address is looked up while the library comes up: the reader sees no arena or a whole one");

/* Beside the object, or outside the heap. */
static void *free_wildly_early(void *unused) {
  (void)unused;
  interleave_meet(2, true);
  char *address = load_relaxed(&told);
  vgc_free(address ? address + 8 : (char *)&told);
  interleave_meet(2, false);
  return NULL;
}

static void early_with_errors(void) {
  small_environment();
  errors_expect();
}

static void first_free(void) {
  come_up_beside(free_wildly_early);
  interleave_assert(errors() == 1);
  interleave_assert(vgc_base_of(fresh) == fresh);
}
INTERLEAVE_MODEL(first_free, .setup = early_with_errors, .run = first_free, .preemptions = 3, .learn = 1000,
                 .title = "a pointer to no object is freed while the library comes up: it is told, and nothing else");

/* Nothing is there yet, and the address space may be refused and given back. */
static void *look_up_reserved(void *unused) {
  (void)unused;
  interleave_meet(2, true);
  uintptr_t base = load_relaxed(&arenas[0].base);
  interleave_assert(!vgc_base_of((void *)(base + SLOT)));
  interleave_meet(2, false);
  return NULL;
}

static void refused_arena(void) {
  pthread_t thread;
  interleave_meet(1, false);
  interleave_assert(pthread_create(&thread, NULL, look_up_reserved, NULL) == 0);
  interleave_meet(2, true);
  int result = vgc_init(NULL);
  interleave_meet(2, false);
  interleave_assert(result == 0 || errno == ENOMEM);
  interleave_assert(pthread_join(thread, NULL) == 0);
  interleave_assert(fresh = vgc_malloc(24));
  interleave_assert(vgc_base_of(fresh) == fresh);
}
INTERLEAVE_MODEL(refused_arena, .setup = small_environment, .run = refused_arena, .failing_maps = true, .learn = 1000,
                 .title = "an address is looked up while the library comes up or fails to: there is nothing");
