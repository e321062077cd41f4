/* Random graphs over every kind of object, with words that look like pointers and are none, marked with stacks of every
 * smallness: what a plain search from the roots reaches lives, the rest dies. */
#include "unit.h"

enum { OBJECTS = 500, ROOTS = 6, WORDS_MAX = 3000 };

struct object {
  void **start;
  size_t words;   /* that the test writes */
  size_t usable;  /* bytes */
  size_t element; /* 0: every word is scanned; else only word 0 of each element of that many words */
  bool scanned, root, reached;
};

static struct object objects[OBJECTS];
static void *roots[ROOTS];
static uint64_t random_state;

static size_t dice(size_t sides) { return (size_t)(unit_random(&random_state) >> 20) % sides; }

static vgc_layout_id layout_of_words(size_t words) {
  static vgc_layout_id ids[WORDS_MAX + 1];
  static uint64_t bits[WORDS_MAX / 64 + 1] = {1};
  if (!ids[words]) ids[words] = vgc_layout_register(&(struct vgc_layout){.size = words * 8, .pointer_words = bits});
  return ids[words];
}

static void make(struct object *object) {
  static const size_t sizes[] = {1, 2, 3, 6, 20, 100, 600, 1500, WORDS_MAX};
  static const size_t elements[] = {1, 2, 5, 40, 512, 513, 700};
  object->words = sizes[dice(dice(4) ? 6 : 9)];
  object->element = 0;
  object->scanned = true;
  object->root = object->reached = false;
  switch (dice(8)) {
  case 0:
    object->scanned = false;
    object->start = vgc_malloc_noscan(object->words * 8);
    memset(object->start, 0, object->words * 8);
    break;
  case 1:
  case 2:
    object->element = elements[dice(7)];
    object->words = (object->words / object->element + 1) * object->element;
    object->start = vgc_malloc_typed(layout_of_words(object->element), object->words / object->element);
    break;
  case 3:
    object->root = dice(10) == 0;
    object->start = (object->root ? vgc_malloc_uncollectable : vgc_malloc)(object->words * 8);
    break;
  default:
    object->start = vgc_malloc(object->words * 8);
  }
  assert_non_null(object->start);
  object->usable = vgc_usable_size(object->start);
}

/* No object is there: free, never used, a span's tail, another arena's end, small numbers, the top of memory. */
static void *decoy(void) {
  static char *freed;
  if (!freed) {
    freed = vgc_malloc(48);
    vgc_free(freed);
  }
  const struct arena *last = &arenas[load_relaxed(&arenas_count) - 1];
  switch (dice(6)) {
  case 0:
    return freed;
  case 1:
    return (void *)(last->base + load_relaxed(&last->bytes) - 8);
  case 2:
    return (void *)(arenas[0].base - 8);
  case 3:
    return (void *)dice(100000);
  case 4:
    return (void *)(UINTPTR_MAX - dice(5000));
  default:
    return (void *)(last->base + load_relaxed(&last->bytes));
  }
}

static void *interior(const struct object *object) { return (char *)object->start + dice(object->words * 8); }

static void link_all(unsigned edges) {
  for (unsigned i = 0; i < edges; i++) {
    const struct object *from = &objects[dice(OBJECTS)];
    size_t word = dice(from->words);
    if (from->element && dice(2)) word -= word % from->element;
    from->start[word] = dice(8) ? interior(&objects[dice(OBJECTS)]) : decoy();
  }
  for (unsigned i = 0; i < ROOTS; i++) roots[i] = dice(5) ? interior(&objects[dice(OBJECTS)]) : decoy();
}

/* ---- The plain search ---- */

static struct object *stack[OBJECTS];
static unsigned depth;

static void reach(const void *word) {
  for (unsigned i = 0; i < OBJECTS; i++) {
    struct object *object = &objects[i];
    if ((uintptr_t)word - (uintptr_t)object->start >= object->usable || object->reached) continue;
    object->reached = true;
    stack[depth++] = object;
  }
}

static void search(void) {
  for (unsigned i = 0; i < ROOTS; i++) reach(roots[i]);
  for (unsigned i = 0; i < OBJECTS; i++)
    if (objects[i].root) reach(objects[i].start);
  while (depth) {
    const struct object *object = stack[--depth];
    for (size_t word = 0; object->scanned && word < object->words; word += object->element ? object->element : 1)
      if (object->start[word]) reach(object->start[word]);
  }
}

static void compare(unsigned round) {
  for (unsigned i = 0; i < OBJECTS; i++)
    if (unit_alive(objects[i].start) != objects[i].reached)
      fail_msg("round %u: object %u of %zu words is %s", round, i, objects[i].words,
               objects[i].reached ? "lost" : "retained");
}

static void round_of(unsigned round, size_t stack_max, unsigned check_level, size_t edges) {
  struct vgc_config shape = unit_config(round % 2 ? 4096 : 8192);
  shape.mark_stack = 16;
  shape.mark_stack_max = stack_max;
  shape.check_level = check_level;
  shape.arena_bytes = 512 << 10;
  unit_start(&shape);
  unit_roots(roots, ROOTS);
  random_state = round * UINT64_C(0x9e3779b97f4a7c15) + 1;
  for (unsigned i = 0; i < OBJECTS; i++) make(&objects[i]);
  link_all((unsigned)edges);
  search();
  unit_collect();
  compare(round);
  assert_int_equal(vgc_shutdown(), 0);
}

static void what_a_plain_search_reaches_lives(void **state) {
  (void)state;
  static const size_t stacks[] = {16, 17, 23, 40, 1000};
  for (unsigned round = 0; round < (UNDER_TSAN ? 5 : 20); round++)
    round_of(round, stacks[round % 5], round % 3 ? 3 : 1, round % 4 ? 4000 : 500);
}

UNIT(graph) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_teardown(what_a_plain_search_reaches_lives, unit_teardown)};
  return cmocka_run_group_tests_name("graph", tests, NULL, NULL);
}
