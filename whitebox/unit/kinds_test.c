/* Kinds and their mark procedures. Where `roots` are the roots, the second marker agrees at each boundary. */
#include "unit.h"

enum { ROOTS = 4, NODES = 20000, MARKERS = 4 };
static void *roots[ROOTS];

static void start(unsigned check_level) {
  struct vgc_config given = unit_config(0);
  given.check_level = check_level;
  memset(roots, 0, sizeof roots);
  unit_start(&given);
  unit_roots(roots, ROOTS);
}

static int setup(void **state) {
  (void)state;
  start(3);
  return 0;
}

/* With all roots that there are. */
static int setup_threads(void **state) {
  (void)state;
  struct vgc_config given = unit_config(0);
  given.mark_workers = MARKERS;
  given.minimum_heap = 1;
  unit_start(&given);
  return 0;
}

static vgc_layout_id add(struct vgc_kind kind) {
  kind.struct_size = sizeof kind;
  vgc_layout_id id = vgc_kind_register(&kind);
  assert_int_not_equal(id, 0);
  return id;
}

/* ---- A kind whose pointers no scan recognizes ---- */

struct node {
  uintptr_t hidden[2];
  void *plain; /* keeps nothing */
};

static _Atomic unsigned asked;
static _Atomic size_t asked_bytes;
static void *asked_with;

static void show_node(void *object, size_t size, void *arg, struct vgc_marker *marker) {
  const struct node *node = object;
  atomic_fetch_add(&asked, 1);
  atomic_store(&asked_bytes, size);
  must(arg == &asked_with);
  for (unsigned i = 0; i < 2; i++)
    if (node->hidden[i]) vgc_mark(marker, reveal(node->hidden[i]));
}

static vgc_layout_id node_kind(void) {
  static vgc_layout_id id;
  if (!id)
    id = add((struct vgc_kind){.name = "node", .scan = VGC_SCAN_PROCEDURE, .mark = show_node, .arg = &asked_with});
  return id;
}

static struct node *new_node(size_t size) {
  struct node *node = vgc_malloc_kind(node_kind(), size);
  assert_non_null(node);
  return node;
}

/* ---- Registering ---- */

static void bad_kinds_are_refused(void **state) {
  (void)state;
  const size_t size = sizeof(struct vgc_kind);
  const struct vgc_kind rows[] = {{.struct_size = 0},
                                  {.struct_size = 8},
                                  {.struct_size = size + 1},
                                  {.struct_size = size, .scan = (enum vgc_scan)3},
                                  {.struct_size = size, .scan = (enum vgc_scan) - 1},
                                  {.struct_size = size, .scan = VGC_SCAN_PROCEDURE}};
  for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
    errno = 0;
    assert_int_equal(vgc_kind_register(&rows[i]), 0);
    assert_int_equal(errno, EINVAL);
  }
  errno = 0;
  assert_int_equal(vgc_kind_register(NULL), 0);
  assert_int_equal(errno, EINVAL);
}

static void expect_refused(vgc_layout_id id) {
  errno = 0;
  assert_null(vgc_malloc_kind(id, 16));
  assert_int_equal(errno, EINVAL);
}

static void layouts_are_no_kinds_nor_kinds_layouts(void **state) {
  (void)state;
  const uint64_t words[] = {1};
  vgc_layout_id layout = vgc_layout_register(&(struct vgc_layout){.size = 8, .pointer_words = words});
  vgc_layout_id kind = add((struct vgc_kind){.scan = VGC_SCAN_ALL});
  expect_refused(layout);
  expect_refused(0);
  expect_refused(kind + 1);
  errno = 0;
  assert_null(vgc_malloc_typed(kind, 2));
  assert_int_equal(errno, EINVAL);
  assert_non_null(vgc_malloc_kind(kind, 16));
}

static void what_is_registered_is_a_copy(void **state) {
  (void)state;
  char name[] = "thing";
  const struct layout *kind = layout_of(add((struct vgc_kind){.name = name, .scan = VGC_SCAN_NONE}));
  name[0] = 0;
  assert_string_equal(kind->name, "thing");
}

static void an_object_tells_its_kind(void **state) {
  (void)state;
  static const size_t sizes[] = {0, 8, 24, 1000, 32760, 32768, 200000};
  const uint64_t words[] = {1};
  vgc_layout_id layout = vgc_layout_register(&(struct vgc_layout){.size = 8, .pointer_words = words});
  vgc_layout_id kind = add((struct vgc_kind){.scan = VGC_SCAN_NONE});
  for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    char *object = vgc_malloc_kind(kind, sizes[i]);
    assert_true(vgc_usable_size(object) >= sizes[i]);
    memset(object, 0xff, vgc_usable_size(object));
    assert_int_equal(vgc_kind_of(object), kind);
    assert_int_equal(vgc_kind_of(object + 1), 0);
    vgc_free(object);
    assert_int_equal(vgc_kind_of(object), 0);
  }
  assert_int_equal(vgc_kind_of(vgc_malloc(16)), 0);
  assert_int_equal(vgc_kind_of(vgc_malloc_typed(layout, 2)), 0);
  assert_int_equal(vgc_kind_of(NULL), 0);
  assert_int_equal(vgc_kind_of(roots), 0);
}

static void sizes_that_overflow_are_refused(void **state) {
  (void)state;
  static const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 7, SIZE_MAX - 8, SIZE_MAX - 4096};
  vgc_layout_id kinds[] = {node_kind(), add((struct vgc_kind){.scan = VGC_SCAN_NONE})};
  for (unsigned i = 0; i < 8; i++) {
    errno = 0;
    assert_null(vgc_malloc_kind(kinds[i % 2], sizes[i / 2]));
    assert_int_equal(errno, ENOMEM);
  }
}

/* ---- What is scanned ---- */

static void objects_are_zero(void **state) {
  (void)state;
  static const size_t sizes[] = {8, 40, 3000, 32768, 100000};
  vgc_layout_id all = add((struct vgc_kind){.scan = VGC_SCAN_ALL});
  for (unsigned i = 0; i < 10; i++) {
    size_t size = sizes[i / 2];
    for (unsigned round = 0; round < 20; round++) {
      unsigned char *object = vgc_malloc_kind(i % 2 ? node_kind() : all, size);
      for (size_t at = 0; at < size; at++) assert_int_equal(object[at], 0);
      memset(object, 0xff, vgc_usable_size(object));
      vgc_free(object);
    }
  }
}

static void every_word_may_be_a_pointer(void **state) {
  (void)state;
  static const size_t sizes[] = {24, 5000, 100000};
  vgc_layout_id all = add((struct vgc_kind){.scan = VGC_SCAN_ALL});
  for (unsigned i = 0; i < 3; i++) {
    void **object = roots[0] = vgc_malloc_kind(all, sizes[i]);
    size_t last = vgc_usable_size(object) / 8 - 1;
    void *first = object[0] = vgc_malloc_noscan(16);
    void *end = object[last] = vgc_malloc_noscan(16);
    unit_collect();
    assert_true(unit_alive(object) && unit_alive(first) && unit_alive(end));
    assert_int_equal(vgc_kind_of(object), all);
    roots[0] = NULL;
    unit_collect();
    assert_false(unit_alive(object) || unit_alive(first));
  }
}

static void no_word_is_a_pointer(void **state) {
  (void)state;
  static const size_t sizes[] = {24, 5000, 100000};
  vgc_layout_id none = add((struct vgc_kind){.scan = VGC_SCAN_NONE});
  for (unsigned i = 0; i < 3; i++) {
    void **object = roots[0] = vgc_malloc_kind(none, sizes[i]);
    void *first = object[0] = vgc_malloc_noscan(16);
    void *end = object[vgc_usable_size(object) / 8 - 1] = vgc_malloc_noscan(16);
    unit_collect();
    assert_true(unit_alive(object));
    assert_false(unit_alive(first) || unit_alive(end));
    assert_ptr_equal(object[0], first);
  }
}

/* Once for each object, whole however large, and nothing else keeps anything. */
static void a_procedure_shows_the_pointers(void **state) {
  (void)state;
  static const size_t sizes[] = {sizeof(struct node), 4200, 32768, 300000};
  vgc_shutdown();
  start(1);
  for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    struct node *node = roots[0] = new_node(sizes[i]), *child = new_node(sizes[i]);
    void *leaf = vgc_malloc(16), *plain = vgc_malloc(16);
    node->hidden[1] = hide(child);
    child->hidden[0] = hide((char *)leaf + 8); /* wherever into it */
    node->plain = plain;
    asked = 0;
    unit_collect();
    assert_int_equal(asked, 2);
    assert_int_equal(asked_bytes, vgc_usable_size(node));
    assert_true(unit_alive(node) && unit_alive(child) && unit_alive(leaf));
    assert_false(unit_alive(plain));
  }
  roots[0] = NULL;
  asked = 0;
  unit_collect();
  assert_int_equal(asked, 0);
}

static void any_value_may_be_marked(void **state) {
  (void)state;
  struct node *node = roots[0] = new_node(sizeof *node);
  char *freed = vgc_malloc(64);
  vgc_free(freed);
  void *values[] = {(void *)1, (void *)UINTPTR_MAX, &node, freed, node, (char *)node + (1 << 20), roots};
  for (unsigned i = 0; i < sizeof values / sizeof *values; i++) {
    node->hidden[0] = hide(values[i]);
    unit_collect();
    assert_true(unit_alive(node));
  }
}

static void a_resized_object_keeps_its_kind(void **state) {
  (void)state;
  static const size_t sizes[] = {5000, 100000, 200000, 64, sizeof(struct node)};
  struct node *node = new_node(32);
  void *leaf = vgc_malloc(16);
  node->hidden[0] = hide(leaf);
  for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    roots[0] = node = vgc_realloc(node, sizes[i]);
    assert_int_equal(vgc_kind_of(node), node_kind());
    unit_collect();
    assert_true(unit_alive(node) && unit_alive(leaf));
  }
}

static void note(void *object, void *arg) {
  (void)object;
  ++*(unsigned *)arg;
}

static void ordered_finalizers_wait_for_what_procedures_show(void **state) {
  (void)state;
  static unsigned order[2];
  struct node *first = new_node(sizeof *first), *second = new_node(sizeof *second);
  first->hidden[0] = hide(second);
  order[0] = order[1] = 0;
  vgc_set_finalizer(second, note, &order[1], VGC_ORDERED);
  vgc_set_finalizer(first, note, &order[0], VGC_IGNORE_SELF);
  unit_collect();
  assert_int_equal(order[0], 1);
  assert_int_equal(order[1], 0);
  unit_collect();
  assert_int_equal(order[1], 1);
}

/* ---- Many ---- */

/* A tree whose links are hidden; only `roots[0]` holds it. */
static void build_tree(struct node **nodes, size_t size) {
  vgc_disable();
  for (unsigned i = 0; i < NODES; i++) nodes[i] = new_node(size);
  for (unsigned i = 0; i < NODES; i++)
    for (unsigned side = 0; side < 2; side++)
      if (2 * i + 1 + side < NODES) nodes[i]->hidden[side] = hide(nodes[2 * i + 1 + side]);
  roots[0] = nodes[0];
  vgc_enable();
}

static struct node *nodes[NODES]; /* no root: `roots` alone are */

static void expect_tree(void) {
  for (unsigned i = 0; i < NODES; i++) assert_true(unit_alive(nodes[i]));
  assert_int_equal(stats_now().live_objects, NODES);
}

static void several_markers_ask_for_each_object_once(void **state) {
  (void)state;
  vgc_shutdown();
  struct vgc_config given = unit_config(0);
  given.mark_workers = MARKERS;
  given.minimum_heap = 1;
  unit_start(&given);
  unit_roots(roots, ROOTS);
  build_tree(nodes, sizeof(struct node));
  for (unsigned round = 0; round < 20; round++) {
    asked = 0;
    unit_collect();
    assert_int_equal(asked, NODES);
    expect_tree();
  }
  assert_int_equal(mark_team_helpers(), MARKERS - 1);
}

/* Once with the second marker, and as often as it takes on the smallest stack. */
static void overflows_lose_nothing(void **state) {
  (void)state;
  vgc_shutdown();
  struct vgc_config given = unit_config(0);
  given.mark_stack = given.mark_stack_max = 16;
  given.check_level = 3;
  unit_start(&given);
  unit_roots(roots, ROOTS);
  build_tree(nodes, sizeof(struct node));
  unit_collect();
  assert_true(mark_overflows() > 0);
  expect_tree();
}

/* A procedure that shows more than the stack holds makes it grow under the loop that calls it. */
static void show_many(void *object, size_t size, void *arg, struct vgc_marker *marker) {
  (void)arg;
  for (size_t i = 0; i < size / sizeof(uintptr_t); i++)
    if (((uintptr_t *)object)[i]) vgc_mark(marker, reveal(((uintptr_t *)object)[i]));
}

static void a_procedure_may_show_very_many(void **state) {
  (void)state;
  enum { MANY = 100000 };
  vgc_shutdown();
  struct vgc_config given = unit_config(0);
  given.mark_stack = 16;
  unit_start(&given);
  unit_roots(roots, ROOTS);
  vgc_layout_id many = add((struct vgc_kind){.scan = VGC_SCAN_PROCEDURE, .mark = show_many});
  uintptr_t *table = roots[0] = vgc_malloc_kind(many, MANY * sizeof *table);
  roots[1] = vgc_malloc_kind(many, 16);
  ((uintptr_t *)roots[1])[0] = hide(table);
  vgc_disable();
  for (unsigned i = 0; i < MANY; i++) table[i] = hide(vgc_malloc(16));
  vgc_enable();
  unit_collect();
  assert_int_equal(mark_overflows(), 0);
  for (unsigned i = 0; i < MANY; i++) assert_true(unit_alive(reveal(table[i])));
}

/* ---- Threads ---- */

static _Atomic size_t dirty;

static void count_dirt(void *object, size_t size, void *arg, struct vgc_marker *marker) {
  (void)arg;
  (void)marker;
  for (size_t i = 0; i < size / sizeof(uintptr_t); i++) atomic_fetch_add(&dirty, ((uintptr_t *)object)[i] != 0);
}

struct made {
  vgc_layout_id kind;
  size_t size;
  unsigned char *volatile object;
};

static void make(void *arg) {
  struct made *made = arg;
  made->object = vgc_malloc_kind(made->kind, made->size);
}

static void collect(void *arg) {
  (void)arg;
  must(vgc_collect() == 0);
}

/* Its procedure is asked for no object whose words are still those of one that lay there before. */
static void a_procedure_meets_no_remains(void **state) {
  (void)state;
  static const struct {
    const char *point;
    size_t size;
  } rows[] = {{"large_after_issue", 100000}, {"large_after_commit", 100000}, {"allocate_after_commit", 64}};
  (void)state;
  static struct made made;
  struct worker worker;
  worker_start(&worker);
  made.kind = add((struct vgc_kind){.scan = VGC_SCAN_PROCEDURE, .mark = count_dirt});
  for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
    made.size = rows[i].size;
    worker_do(&worker, make, &made);
    memset(made.object, 0xff, vgc_usable_size(made.object));
    vgc_free(made.object);
    made.object = NULL;
    dirty = 0;
    worker_do_meanwhile(&worker, make, &made, rows[i].point, collect, NULL);
    assert_int_equal(dirty, 0);
    assert_true(unit_alive(made.object));
    assert_int_equal(vgc_kind_of(made.object), made.kind);
    for (size_t at = 0; at < made.size; at++) assert_int_equal(made.object[at], 0);
  }
  worker_stop(&worker);
}

/* A word is left that points to it, and its slot is not free yet: another thread's, or named by a link. */
static void a_freed_object_shows_nothing(void **state) {
  (void)state;
  static void *link; /* outside of the heap */
  struct worker worker;
  worker_start(&worker);
  static struct made made;
  made.kind = node_kind();
  for (unsigned i = 0; i < 4; i++) {
    made.size = i < 2 ? sizeof(struct node) : 100000;
    struct node *node = (worker_do(&worker, make, &made), (void *)made.object);
    made.object = NULL;
    void *leaf = vgc_malloc(16);
    node->hidden[0] = hide(leaf);
    roots[0] = node;
    if (i % 2) assert_int_equal(vgc_weak_add(&link, node, VGC_WEAK_SHORT), 0);
    vgc_free(node);
    asked = 0;
    unit_collect();
    assert_int_equal(asked, 0);
    assert_false(unit_alive(leaf));
    roots[0] = NULL;
    unit_collect();
    assert_null(link);
  }
  worker_stop(&worker);
}

enum { LENGTH = 30000, THREADS = 3 };
static _Atomic unsigned building, cycles;

/* A list that only hidden links hold together, a part of it freed at once. */
static void build_list(void) {
  struct node *volatile first = NULL;
  for (unsigned i = 0; i < LENGTH; i++) {
    struct node *node = vgc_malloc_kind(node_kind(), i % 1000 ? sizeof *node : 40000);
    must(node && !node->hidden[0] && !node->hidden[1]);
    if (first) node->hidden[0] = hide(first);
    node->hidden[1] = hide(vgc_malloc(16));
    first = node;
    if (i % 3 == 0) vgc_free(new_node(sizeof *node));
  }
  unsigned length = 0;
  for (const struct node *node = first; node; node = node->hidden[0] ? reveal(node->hidden[0]) : NULL, length++)
    must(vgc_kind_of(node) == node_kind() && unit_alive(reveal(node->hidden[1])));
  must(length == LENGTH);
}

static void build_through_cycles(void *arg) {
  do build_list();
  while (cycles < 3);
  atomic_fetch_sub((_Atomic unsigned *)arg, 1);
}

static void threads_allocate_while_another_collects(void **state) {
  (void)state;
  struct worker workers[THREADS];
  building = THREADS;
  for (unsigned i = 0; i < THREADS; i++) {
    worker_start(&workers[i]);
    worker_begin(&workers[i], build_through_cycles, &building);
  }
  for (; building; cycles++) assert_int_equal(vgc_collect(), 0);
  for (unsigned i = 0; i < THREADS; i++) {
    worker_finish(&workers[i]);
    worker_stop(&workers[i]);
  }
}

UNIT(kinds) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, unit_teardown)
  const struct CMUnitTest tests[] = {
      TEST(bad_kinds_are_refused),
      TEST(layouts_are_no_kinds_nor_kinds_layouts),
      TEST(what_is_registered_is_a_copy),
      TEST(an_object_tells_its_kind),
      TEST(sizes_that_overflow_are_refused),
      TEST(objects_are_zero),
      TEST(every_word_may_be_a_pointer),
      TEST(no_word_is_a_pointer),
      TEST(a_procedure_shows_the_pointers),
      TEST(any_value_may_be_marked),
      TEST(a_resized_object_keeps_its_kind),
      TEST(ordered_finalizers_wait_for_what_procedures_show),
      TEST(several_markers_ask_for_each_object_once),
      TEST(overflows_lose_nothing),
      TEST(a_procedure_may_show_very_many),
      TEST(a_freed_object_shows_nothing),
      cmocka_unit_test_setup_teardown(a_procedure_meets_no_remains, unit_setup, unit_teardown),
      cmocka_unit_test_setup_teardown(threads_allocate_while_another_collects, setup_threads, unit_teardown),
  };
  return cmocka_run_group_tests_name("kinds", tests, NULL, NULL);
}
