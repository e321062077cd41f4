/* The checks, each against damage that it must see: a check that cannot fail tells nothing. */
#include "unit.h"

static void *roots[4];

static void start(unsigned level) {
  struct vgc_config given = unit_config(0);
  given.check_level = level;
  given.arena_bytes = (size_t)16 << 20;
  unit_start(&given);
  memset(roots, 0, sizeof roots);
  unit_roots(roots, 4);
}

static int setup_2(void **state) { return (void)state, start(2), 0; }
static int setup_3(void **state) { return (void)state, start(3), 0; }

/* ---- Damage ---- */

static void kind(struct span *span) { span->kind = KIND_COUNT; }
static void class_index(struct span *span) { span->class_index = SIZECLASS_COUNT; }
static void size(struct span *span) { span->size += 16; }
static void slots(struct span *span) { span->slots--; }
static void active_beyond(struct span *span) { store_relaxed(&span->active, span->words); }
static void available_without_word(struct span *span) {
  store_relaxed(&span->avail, 1);
  store_relaxed(&span->active, SPAN_NO_WORD);
}
static void available_elsewhere(struct span *span) {
  store_relaxed(&span->avail, 1);
  span->avail_base = span->base + 8;
}
static void available_beyond(struct span *span) {
  store_relaxed(&span->active, span->words - 1u);
  span->avail_base = span->base + (span->words - 1u) * 64u * span->size;
  store_relaxed(&span->avail, UINT64_C(1) << 63);
}
static void free_beyond(struct span *span) { store_relaxed(&span->bits[span->words - 1].free, UINT64_C(1) << 63); }
static void first_page_lost(struct span *span) {
  store_relaxed(&arenas[0].map[(span->base - arenas[0].base) / 8192], 0);
}
static void last_page_lost(struct span *span) {
  store_relaxed(&arenas[0].map[(span->base - arenas[0].base) / 8192 + span->pages - 1], 0);
}
static void owner_lost(struct span *span) { store_relaxed(&span->owner, NULL); }
static void owner_of_partial(struct span *span) { store_relaxed(&span->state, SPAN_PARTIAL); }
static void no_state(struct span *span) { store_relaxed(&span->state, SPAN_NONE); }
static void marked_free_slot(struct span *span) {
  uint64_t free = load_relaxed(&span->bits[0].free);
  must(free != 0);
  span->bits[0].mark |= free & -free;
}

static void plant_marked_free_slot(void *span) { marked_free_slot(span); }

struct damage {
  void (*plant)(struct span *);
  const char *expected;
};

/* What is wrong with one span shows when its owner refills from it at level 2, and in the walk at level 3. */
static const struct damage span_damage[] = {
    {kind, "span->kind < KIND_COUNT"},
    {class_index, " < SIZECLASS_COUNT"},
    {size, "span->size == "},
    {slots, "span->slots == "},
    {active_beyond, "active < span->words"},
    {available_without_word, "active != SPAN_NO_WORD"},
    {available_elsewhere, "span->avail_base == "},
    {available_beyond, "bitmap_valid(span->slots, active)"},
    {free_beyond, "bitmap_valid(span->slots, w)"},
    {first_page_lost, "span_of(span->base) == span"},
};

/* What only the walk over the heap sees. */
static const struct damage heap_damage[] = {
    {last_page_lost, "config.page_bytes) == span"},
    {owner_lost, "check failed: owner"},
    {owner_of_partial, "check failed: !owner"},
    {no_state, "a span in the page map has a state"},
};

/* A size whose spans have several pages, and bits in the last word that stand for no slot. */
enum { SIZE = 288 };

static struct span *victim(void) {
  struct span *span = span_of((uintptr_t)vgc_malloc(SIZE));
  must(span && span->slots % 64 != 0 && span->pages > 1);
  return span;
}

static void check_one_span(void *arg) {
  const struct damage *damage = arg;
  struct span *span = victim();
  check_span(span);
  damage->plant(span);
  check_span(span);
}

static void each_damage_of_a_span_is_seen(void **state) {
  (void)state;
  for (unsigned i = 0; i < sizeof span_damage / sizeof *span_damage; i++) {
    struct damage damage = span_damage[i];
    struct child_result result;
    child_run(check_one_span, &damage, 10, &result);
    unit_assert_aborted(&result, damage.expected);
  }
}

static void damage_and_allocate(void *arg) {
  const struct damage *damage = arg;
  damage->plant(victim());
  (void)!vgc_malloc(SIZE);
}

static void level_2_looks_at_each_refill(void **state) {
  (void)state;
  struct damage damage = {size, "span->size == "};
  struct child_result result;
  child_run(damage_and_allocate, &damage, 10, &result);
  unit_assert_aborted(&result, damage.expected);
}

static void damage_and_collect(void *arg) {
  const struct damage *damage = arg;
  struct span *span = victim();
  must(vgc_collect() == 0);
  span = victim();
  damage->plant(span);
  (void)!vgc_collect();
}

static void level_3_walks_the_heap(void **state) {
  (void)state;
  for (unsigned i = 0; i < sizeof heap_damage / sizeof *heap_damage; i++) {
    struct damage damage = heap_damage[i];
    struct child_result result;
    child_run(damage_and_collect, &damage, 10, &result);
    unit_assert_aborted(&result, damage.expected);
  }
}

/* ---- The second marker: marks changed behind the first one's back ---- */

static struct {
  struct span *span;
  uint32_t slot;
} changed;

static void change_mark(void *arg) {
  (void)arg;
  changed.span->bits[changed.slot / 64].mark ^= UINT64_C(1) << changed.slot % 64;
}

static void change_and_collect(void *object) {
  changed.span = span_of((uintptr_t)object);
  changed.slot = span_slot(changed.span, (uintptr_t)object);
  park_arm_call("mark_after_roots", change_mark, NULL);
  (void)!vgc_collect();
}

static void a_wrong_mark_is_seen_in_both_directions(void **state) {
  (void)state;
  static const size_t sizes[] = {48, 5120, 100000};
  for (unsigned i = 0; i < 3; i++)
    for (unsigned reachable = 0; reachable < 2; reachable++) {
      void *object = vgc_malloc(sizes[i]);
      roots[0] = reachable ? object : NULL;
      struct child_result result;
      child_run(change_and_collect, object, 10, &result);
      unit_assert_aborted(&result, reachable ? "check level 3: reachable for the second marker, but not marked"
                                             : "check level 3: marked, but the second marker does not reach it");
    }
}

static void mark_a_free_slot(void *object) {
  changed.span = span_of((uintptr_t)object);
  park_arm_call("mark_after_roots", plant_marked_free_slot, changed.span);
  (void)!vgc_collect();
}

static void a_mark_on_a_free_slot_is_seen(void **state) {
  (void)state;
  void *object = vgc_malloc(48);
  struct child_result result;
  child_run(mark_a_free_slot, object, 10, &result);
  unit_assert_aborted(&result, "span->bits[w].mark & ");
}

/* Where the two markers agree nothing is said: every kind, interior pointers, typed and large objects. */
static void a_sound_heap_passes(void **state) {
  (void)state;
  const uint64_t words[] = {1};
  vgc_layout_id layout = vgc_layout_register(&(struct vgc_layout){.size = 24, .pointer_words = words});
  void **array = vgc_malloc(70000);
  roots[0] = (char *)array + 33333;
  for (unsigned i = 0; i < 1000; i++) {
    void **typed = vgc_malloc_typed(layout, 1 + i % 40);
    typed[0] = vgc_malloc_noscan(i);
    typed[1] = (void *)typed[0];
    array[i] = (char *)typed + i % 8;
    void **kept = i % 100 ? NULL : vgc_malloc_uncollectable(64);
    if (kept) kept[3] = vgc_malloc(1 + i * 50);
  }
  void *unknown = vgc_malloc_typed(layout, 4000);
  array[1001] = unknown;
  for (unsigned cycle = 0; cycle < 3; cycle++) unit_collect();
  assert_int_equal(stats_now().live_objects, 1 + 2000 + 20 + 1);
}

static void collect_without_memory(void *arg) {
  fault_fail(FAULT_RESERVE, *(unsigned *)arg, ~0ul);
  (void)!vgc_collect();
}

static void without_memory_the_second_marker_says_so(void **state) {
  (void)state;
  for (unsigned skip = 0; skip < 2; skip++) {
    roots[0] = vgc_malloc(16);
    struct child_result result;
    child_run(collect_without_memory, &skip, 10, &result);
    unit_assert_aborted(&result, "no memory for the second marker; lower VGC_CHECK_LEVEL");
  }
}

UNIT(check) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(each_damage_of_a_span_is_seen, setup_2, unit_teardown),
      cmocka_unit_test_setup_teardown(level_2_looks_at_each_refill, setup_2, unit_teardown),
      cmocka_unit_test_setup_teardown(level_3_walks_the_heap, setup_3, unit_teardown),
      cmocka_unit_test_setup_teardown(a_wrong_mark_is_seen_in_both_directions, setup_3, unit_teardown),
      cmocka_unit_test_setup_teardown(a_mark_on_a_free_slot_is_seen, setup_3, unit_teardown),
      cmocka_unit_test_setup_teardown(a_sound_heap_passes, setup_3, unit_teardown),
      cmocka_unit_test_setup_teardown(without_memory_the_second_marker_says_so, setup_3, unit_teardown),
  };
  return cmocka_run_group_tests_name("check", tests, NULL, NULL);
}
