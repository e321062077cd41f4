#include "unit.h"

#define KIB ((size_t)1024)

static int setup(void **state) {
  (void)state;
  struct vgc_config small = unit_config(4096);
  small.arena_bytes = 256 * KIB;
  unit_start(&small);
  return 0;
}

static struct arena *add(size_t wish, size_t least) {
  lock_acquire(&heap_lock);
  struct arena *arena = arena_add(wish, least);
  lock_release(&heap_lock);
  return arena;
}

static uintptr_t end_of(const struct arena *arena) { return arena->base + load_relaxed(&arena->bytes); }

static void nothing_is_found_before_initialisation(void **state) {
  (void)state;
  int local;
  const uintptr_t addresses[] = {0, 1, 4096, (uintptr_t)&local, UINTPTR_MAX};
  for (unsigned i = 0; i < sizeof addresses / sizeof *addresses; i++) {
    assert_null(arena_of(addresses[i]));
    assert_null(vgc_base_of((void *)addresses[i]));
  }
}

static void each_address_belongs_to_its_arena(void **state) {
  (void)state;
  for (unsigned i = 1; i < 6; i++) assert_ptr_equal(add((256 * KIB) << i, 64 * KIB), &arenas[i]);
  assert_int_equal(load_relaxed(&arenas_count), 6);
  for (unsigned i = 0; i < 6; i++) {
    assert_int_equal(load_relaxed(&arenas[i].bytes), (256 * KIB) << i);
    assert_ptr_equal(arena_of(arenas[i].base), &arenas[i]);
    assert_ptr_equal(arena_of(end_of(&arenas[i]) - 1), &arenas[i]);
    assert_ptr_not_equal(arena_of(end_of(&arenas[i])), &arenas[i]);
    assert_ptr_not_equal(arena_of(arenas[i].base - 1), &arenas[i]);
    assert_null(span_of(arenas[i].base));
    assert_null(span_of(end_of(&arenas[i]) - 1));
  }
}

static void any_other_address_belongs_to_none(void **state) {
  (void)state;
  assert_non_null(add(512 * KIB, 64 * KIB));
  static int global;
  int local;
  void *foreign = malloc(1);
  const uintptr_t addresses[] = {0,
                                 1,
                                 8,
                                 4095,
                                 4096,
                                 (uintptr_t)&global,
                                 (uintptr_t)&local,
                                 (uintptr_t)foreign,
                                 UINTPTR_MAX,
                                 UINTPTR_MAX - 4095,
                                 (uintptr_t)1 << 63,
                                 (uintptr_t)1 << 47};
  for (unsigned i = 0; i < sizeof addresses / sizeof *addresses; i++) {
    assert_null(arena_of(addresses[i]));
    assert_null(span_of(addresses[i]));
  }
  free(foreign);
}

/* An arena asks for its pages, its map, its tags and its descriptors. */
static void a_refused_wish_is_halved(void **state) {
  (void)state;
  for (unsigned refused = 0; refused < 4; refused++) {
    unsigned long released = fault_count(FAULT_RELEASE);
    fault_fail(FAULT_RESERVE, refused, 1);
    const struct arena *arena = add(1024 * KIB, 256 * KIB);
    assert_non_null(arena);
    assert_int_equal(load_relaxed(&arena->bytes), 512 * KIB);
    assert_int_equal(fault_count(FAULT_RELEASE) - released, 3);
  }
}

static void no_less_than_the_least_is_taken(void **state) {
  (void)state;
  fault_fail(FAULT_RESERVE, 0, 9); /* 1024, 512 and 256 KiB */
  const struct arena *arena = add(1024 * KIB, 300 * KIB);
  assert_null(arena);
  assert_int_equal(load_relaxed(&arenas_count), 1);
  fault_reset(state);
  fault_fail(FAULT_RESERVE, 0, 8);
  arena = add(1024 * KIB, 300 * KIB);
  assert_non_null(arena);
  assert_int_equal(load_relaxed(&arena->bytes), 300 * KIB);
}

static void a_refused_arena_leaves_nothing_behind(void **state) {
  (void)state;
  unsigned mappings = unit_mappings();
  fault_fail(FAULT_RESERVE, 0, ~0ul);
  assert_null(add(1024 * KIB, 64 * KIB));
  assert_int_equal(load_relaxed(&arenas_count), 1);
  assert_int_equal(load_relaxed(&arenas[1].bytes), 0);
  assert_int_equal(unit_mappings(), mappings);
  fault_reset(state);
  assert_non_null(add(1024 * KIB, 64 * KIB));
}

static void the_heap_goes_on_in_further_arenas(void **state) {
  (void)state;
  char *objects[64];
  for (unsigned i = 0; i < 64; i++) {
    objects[i] = vgc_malloc_noscan(40 * KIB);
    assert_non_null(objects[i]);
    objects[i][40 * KIB - 1] = (char)i;
  }
  uint32_t count = load_relaxed(&arenas_count);
  assert_true(count > 2);
  for (uint32_t i = 1; i < count; i++)
    assert_int_equal(load_relaxed(&arenas[i].bytes), 2 * load_relaxed(&arenas[i - 1].bytes));
  for (unsigned i = 0; i < 64; i++) {
    assert_ptr_equal(vgc_base_of(objects[i] + 40 * KIB - 1), objects[i]);
    assert_int_equal(objects[i][40 * KIB - 1], i);
    vgc_free(objects[i]);
  }
  assert_int_equal(stats_now().live_objects, 0);
}

/* Whether the kernel was asked for huge pages where the address lies, as /proc/self/smaps tells. */
static bool is_huge(uintptr_t address) {
  FILE *smaps = fopen("/proc/self/smaps", "r");
  char line[512];
  bool inside = false, huge = false;
  assert_non_null(smaps);
  while (fgets(line, sizeof line, smaps)) {
    unsigned long low, high;
    if (sscanf(line, "%lx-%lx ", &low, &high) == 2) inside = address - low < high - low;
    if (inside && strncmp(line, "VmFlags:", 8) == 0) huge = strstr(line, " hg") != NULL;
  }
  fclose(smaps);
  return huge;
}

static void *roots[2];

static void what_follows_a_cycle_that_marked_much_is_in_huge_pages(void **state) {
  (void)state;
  if (access("/sys/kernel/mm/transparent_hugepage", F_OK)) not_applicable("the kernel has no huge pages to ask for");
  struct vgc_config large = unit_config(0);
  large.arena_bytes = 256 * 1024 * KIB;
  unit_start(&large);
  unit_roots(roots, 2);
  enum { BYTES = 40 * 1024 * KIB };
  roots[0] = vgc_malloc_noscan(1024 * KIB);
  uintptr_t unreached = (uintptr_t)vgc_malloc_noscan(BYTES);
  unit_collect();
  assert_false(is_huge(unreached));
  roots[1] = vgc_malloc_noscan(BYTES);
  unit_collect();
  char *next = vgc_malloc_noscan(BYTES);
  assert_true(is_huge((uintptr_t)roots[1]));
  assert_true(is_huge((uintptr_t)next + BYTES - 1));
}

static void a_full_table_is_a_clean_failure(void **state) {
  (void)state;
  while (load_relaxed(&arenas_count) < ARENA_MAX) assert_non_null(add(64 * KIB, 64 * KIB));
  assert_null(add(64 * KIB, 64 * KIB));
  assert_int_equal(load_relaxed(&arenas_count), ARENA_MAX);
  assert_ptr_equal(arena_of(arenas[ARENA_MAX - 1].base), &arenas[ARENA_MAX - 1]);
  errno = 0;
  assert_null(vgc_malloc_noscan(1024 * KIB));
  assert_int_equal(errno, ENOMEM);
  void *small = vgc_malloc(64 * KIB);
  assert_non_null(small);
  assert_int_equal(vgc_collect(), 0);
  vgc_free(small);
}

/* A page smaller than the system's: reservations are rounded to the system's. */
static void tiny_pages_have_whole_arenas(void **state) {
  (void)state;
  struct vgc_config tiny = unit_config(1024);
  tiny.arena_bytes = 256 * KIB;
  unit_start(&tiny);
  const struct arena *arena = add(1024, 1024);
  assert_non_null(arena);
  assert_int_equal(load_relaxed(&arena->bytes), 4096);
  assert_ptr_equal(arena_of(arena->base + 4095), arena);
}

static void metadata_is_counted_as_it_is_used(void **state) {
  (void)state;
  size_t before = arena_metadata_bytes();
  const struct sizeclass *class = &sizeclass_table[sizeclass_of(100)];
  assert_non_null(vgc_malloc(100));
  size_t used = class->lines * PLATFORM_CACHE_LINE + class->pages * (sizeof(uint32_t) + sizeof(struct run_tag));
  assert_int_equal(arena_metadata_bytes() - before, used);
}

UNIT(arena) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(nothing_is_found_before_initialisation),
      cmocka_unit_test_setup_teardown(each_address_belongs_to_its_arena, setup, unit_teardown),
      cmocka_unit_test_setup_teardown(any_other_address_belongs_to_none, setup, unit_teardown),
      cmocka_unit_test_setup_teardown(a_refused_wish_is_halved, setup, unit_teardown),
      cmocka_unit_test_setup_teardown(no_less_than_the_least_is_taken, setup, unit_teardown),
      cmocka_unit_test_setup_teardown(a_refused_arena_leaves_nothing_behind, setup, unit_teardown),
      cmocka_unit_test_setup_teardown(the_heap_goes_on_in_further_arenas, setup, unit_teardown),
      cmocka_unit_test_teardown(what_follows_a_cycle_that_marked_much_is_in_huge_pages, unit_teardown),
      cmocka_unit_test_setup_teardown(a_full_table_is_a_clean_failure, setup, unit_teardown),
      cmocka_unit_test_teardown(tiny_pages_have_whole_arenas, unit_teardown),
      cmocka_unit_test_setup_teardown(metadata_is_counted_as_it_is_used, setup, unit_teardown),
  };
  return cmocka_run_group_tests_name("arena", tests, NULL, NULL);
}
