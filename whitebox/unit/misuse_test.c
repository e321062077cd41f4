/* Every public function, wrongly used: each error that vgc.h documents, and that the call has had no effect. */
#include <pthread.h>
#include <sys/mman.h>

#include "unit.h"

static char *small, *freed, *large, *unmapped;
static void *from_libc;
static int global;

static int setup(void **state) {
  int result = unit_setup(state);
  unit_keep_errors();
  small = vgc_malloc(64);
  freed = vgc_malloc(64);
  vgc_free(freed);
  large = vgc_malloc(100000);
  from_libc = malloc(64);
  unmapped = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  must(unmapped != MAP_FAILED && munmap(unmapped, 4096) == 0);
  return result;
}

static int teardown(void **state) {
  free(from_libc);
  return unit_teardown(state);
}

/* ---- Pointers ---- */

struct bad_pointer {
  const char *name;
  void *ptr;
  enum vgc_error error;
};

enum { BAD_POINTERS = 20 };

static unsigned bad_pointers(struct bad_pointer *rows, void *local) {
  const struct span *span = unit_span(small);
  char *end = (char *)span->base + span->pages * config.page_bytes;
  const struct bad_pointer all[] = {
      {"stack", local, VGC_ERROR_FREE_FOREIGN},
      {"global", &global, VGC_ERROR_FREE_FOREIGN},
      {"constant", (void *)(uintptr_t) "text", VGC_ERROR_FREE_FOREIGN},
      {"function", (void *)(uintptr_t)bad_pointers, VGC_ERROR_FREE_FOREIGN},
      {"libc", from_libc, VGC_ERROR_FREE_FOREIGN},
      {"unmapped", unmapped, VGC_ERROR_FREE_FOREIGN},
      {"1", (void *)1, VGC_ERROR_FREE_FOREIGN},
      {"null page", (void *)4095, VGC_ERROR_FREE_FOREIGN},
      {"last", (void *)UINTPTR_MAX, VGC_ERROR_FREE_FOREIGN},
      {"kernel", (void *)(UINTPTR_MAX << 47), VGC_ERROR_FREE_FOREIGN},
      {"before the heap", (void *)(arenas[0].base - 8), VGC_ERROR_FREE_FOREIGN},
      {"free", freed, VGC_ERROR_DOUBLE_FREE},
      {"not yet issued", freed + 64, VGC_ERROR_DOUBLE_FREE},
      {"interior", small + 16, VGC_ERROR_FREE_INTERIOR},
      {"odd", small + 1, VGC_ERROR_FREE_INTERIOR},
      {"large interior", large + 50000, VGC_ERROR_FREE_INTERIOR},
      {"last byte", large + 100000 - 1, VGC_ERROR_FREE_INTERIOR},
      {"unused pages", end + (64 << 20), VGC_ERROR_FREE_STALE},
      {"heap's end", (char *)arenas[0].base + load_relaxed(&arenas[0].bytes) - 1, VGC_ERROR_FREE_STALE},
  };
  memcpy(rows, all, sizeof all);
  return sizeof all / sizeof *all;
}

static uint64_t live(void) { return stats_now().live_objects; }

static void each_bad_pointer_is_told_apart(void **state) {
  (void)state;
  int local;
  struct bad_pointer rows[BAD_POINTERS];
  unsigned count = bad_pointers(rows, &local);
  for (unsigned i = 0; i < count; i++) {
    unit_errors = (struct unit_errors){0};
    errno = 0;
    vgc_free(rows[i].ptr);
    if (unit_errors.count != 1 || unit_errors.last != rows[i].error || unit_errors.ptr != rows[i].ptr)
      fail_msg("free of %s: %u errors, the last %d about %p", rows[i].name, unit_errors.count, unit_errors.last,
               unit_errors.ptr);
    assert_int_equal(errno, EINVAL);
    assert_true(strlen(unit_errors.message) > 20);
    unit_expect_error(rows[i].error, rows[i].ptr, assert_null(vgc_realloc(rows[i].ptr, 100)));
    assert_int_equal(errno, EINVAL);
    unit_expect_error(rows[i].error, rows[i].ptr, assert_null(vgc_realloc(rows[i].ptr, 0)));
  }
  assert_int_equal(live(), 2);
  assert_true(unit_alive(small) && unit_alive(large));
}

static void looking_up_is_allowed_for_any_address(void **state) {
  (void)state;
  int local;
  struct bad_pointer rows[BAD_POINTERS];
  unsigned count = bad_pointers(rows, &local);
  for (unsigned i = 0; i < count; i++) {
    assert_int_equal(vgc_usable_size(rows[i].ptr), 0);
    void *expected = rows[i].error != VGC_ERROR_FREE_INTERIOR ? NULL : (char *)rows[i].ptr < small + 64 ? small : large;
    if ((char *)rows[i].ptr >= large && (char *)rows[i].ptr < large + 100000) expected = large;
    assert_ptr_equal(vgc_base_of(rows[i].ptr), expected);
  }
  assert_int_equal(vgc_usable_size(NULL), 0);
  assert_null(vgc_base_of(NULL));
  assert_int_equal(unit_errors.count, 0);
}

static void a_null_pointer_is_freed_in_silence(void **state) {
  (void)state;
  vgc_free(NULL);
  assert_int_equal(unit_errors.count, 0);
}

static void free_in_child(void *ptr) {
  vgc_set_hooks(NULL, NULL);
  vgc_free(ptr);
}

static void without_a_hook_each_aborts_with_its_message(void **state) {
  (void)state;
  int local;
  struct bad_pointer rows[BAD_POINTERS];
  (void)bad_pointers(rows, &local);
  static const struct {
    unsigned row;
    const char *text;
  } expected[] = {{0, "outside the heap"}, {11, "double free"}, {13, "into an object"}, {17, "to no object"}};
  for (unsigned i = 0; i < 4; i++) {
    struct child_result result;
    child_run(free_in_child, rows[expected[i].row].ptr, 10, &result);
    unit_assert_aborted(&result, expected[i].text);
  }
}

/* ---- Sizes ---- */

static void impossible_sizes_give_null_and_enomem(void **state) {
  (void)state;
  static const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 7, SIZE_MAX - 4096, SIZE_MAX / 2, (size_t)1 << 60};
  static const uint64_t words[] = {1};
  vgc_layout_id layout = vgc_layout_register(&(struct vgc_layout){.size = 8, .pointer_words = words});
  for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    volatile size_t size = sizes[i];
#define EXPECT_NULL(call)                                                                                              \
  do {                                                                                                                 \
    errno = 0;                                                                                                         \
    assert_null(call);                                                                                                 \
    assert_int_equal(errno, ENOMEM);                                                                                   \
  } while (0)
    EXPECT_NULL(vgc_malloc(size));
    EXPECT_NULL(vgc_malloc_noscan(size));
    EXPECT_NULL(vgc_malloc_uncollectable(size));
    EXPECT_NULL(vgc_calloc(1, size));
    EXPECT_NULL(vgc_calloc(size, 1));
    EXPECT_NULL(vgc_calloc(size, size));
    EXPECT_NULL(vgc_calloc(size / 2 + 1, 4));
    EXPECT_NULL(vgc_aligned_alloc(16, size));
    EXPECT_NULL(vgc_aligned_alloc((size_t)1 << 40, size));
    EXPECT_NULL(vgc_memdup(small, size));
    EXPECT_NULL(vgc_malloc_typed(layout, size));
    EXPECT_NULL(vgc_realloc(small, size));
    EXPECT_NULL(vgc_realloc(large, size));
    EXPECT_NULL(vgc_realloc(NULL, size));
  }
  assert_int_equal(live(), 2);
  assert_int_equal(unit_errors.count, 0);
}

static void objects_of_no_size_are_unique(void **state) {
  (void)state;
  volatile size_t huge = SIZE_MAX;
  void *objects[] = {vgc_malloc(0),
                     vgc_malloc(0),
                     vgc_malloc_noscan(0),
                     vgc_calloc(0, 8),
                     vgc_calloc(huge, 0),
                     vgc_aligned_alloc(8, 0),
                     vgc_aligned_alloc(4096, 0),
                     vgc_memdup(small, 0),
                     vgc_realloc(NULL, 0),
                     vgc_malloc_uncollectable(0),
                     vgc_strdup("")};
  enum { COUNT = sizeof objects / sizeof *objects };
  assert_true(all_distinct(objects, COUNT));
  for (unsigned i = 0; i < COUNT; i++) {
    assert_non_null(objects[i]);
    vgc_free(objects[i]);
  }
  assert_int_equal(live(), 2);
}

static void alignments_are_powers_of_two(void **state) {
  (void)state;
  static const size_t bad[] = {0, 3, 6, 24, 4097, SIZE_MAX};
  for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
    volatile size_t alignment = bad[i];
    errno = 0;
    assert_null(vgc_aligned_alloc(alignment, 8));
    assert_int_equal(errno, EINVAL);
  }
}

/* ---- Pairs ---- */

static void enable_needs_a_disable(void **state) {
  (void)state;
  unit_expect_error(VGC_ERROR_UNBALANCED, NULL, vgc_enable());
  vgc_disable();
  vgc_disable();
  vgc_enable();
  errno = 0;
  assert_int_equal(vgc_collect(), -1);
  assert_int_equal(errno, EBUSY);
  vgc_enable();
  assert_int_equal(vgc_collect(), 0);
  unit_expect_error(VGC_ERROR_UNBALANCED, NULL, vgc_enable());
  assert_int_equal(vgc_collect(), 0);
}

static void blocking_regions_do_not_nest(void **state) {
  (void)state;
  unit_expect_error(VGC_ERROR_UNBALANCED, NULL, vgc_blocking_leave());
  vgc_blocking_enter();
  unit_expect_error(VGC_ERROR_UNBALANCED, NULL, vgc_blocking_enter());
  vgc_blocking_leave();
  unit_expect_error(VGC_ERROR_UNBALANCED, NULL, vgc_blocking_leave());
  vgc_blocking_enter();
  vgc_blocking_leave();
}

static void push_nothing(void *arg, vgc_root_push *push, void *sink) { (void)arg, (void)push, (void)sink; }

static void roots_are_added_once_and_removed_once(void **state) {
  (void)state;
  static void *range[4];
#define EXPECT_ERROR(expected, call)                                                                                   \
  do {                                                                                                                 \
    errno = 0;                                                                                                         \
    assert_int_equal(call, -1);                                                                                        \
    assert_int_equal(errno, expected);                                                                                 \
  } while (0)
  EXPECT_ERROR(ENOENT, vgc_root_remove(range, sizeof range));
  EXPECT_ERROR(EINVAL, vgc_root_add(NULL, 8));
  EXPECT_ERROR(EINVAL, vgc_root_add(range, SIZE_MAX));
  assert_int_equal(vgc_root_add(range, sizeof range), 0);
  EXPECT_ERROR(EEXIST, vgc_root_add(range, sizeof range));
  EXPECT_ERROR(ENOENT, vgc_root_remove(range, sizeof range - 8));
  EXPECT_ERROR(ENOENT, vgc_root_remove(range + 1, sizeof range));
  assert_int_equal(vgc_root_remove(range, sizeof range), 0);
  EXPECT_ERROR(ENOENT, vgc_root_remove(range, sizeof range));
  EXPECT_ERROR(EINVAL, vgc_root_add_callback(NULL, range));
  EXPECT_ERROR(ENOENT, vgc_root_remove_callback(push_nothing, range));
  assert_int_equal(vgc_root_add_callback(push_nothing, range), 0);
  EXPECT_ERROR(EEXIST, vgc_root_add_callback(push_nothing, range));
  assert_int_equal(vgc_root_add_callback(push_nothing, NULL), 0);
  EXPECT_ERROR(ENOENT, vgc_root_remove_callback(push_nothing, range + 1));
  assert_int_equal(vgc_root_remove_callback(push_nothing, range), 0);
  assert_int_equal(vgc_root_remove_callback(push_nothing, NULL), 0);
  fault_fail(FAULT_RESERVE, 0, ~0ul);
  int error = 0;
  for (size_t i = 1; i < 10000 && !error; i++) error = vgc_root_add(range, i);
  assert_int_equal(error, -1);
  assert_int_equal(errno, ENOMEM);
}

/* ---- Threads ---- */

static void registered_threads_cannot_attach(void **state) {
  (void)state;
  EXPECT_ERROR(EALREADY, vgc_thread_attach());
  assert_int_equal(vgc_thread_detach(), 0);
  EXPECT_ERROR(EPERM, vgc_thread_detach());
  assert_int_equal(vgc_thread_attach(), 0);
  EXPECT_ERROR(EALREADY, vgc_thread_attach());
}

/* Each call by a thread that has left: those that need a registered thread register it, the others do without. */
static void unregistered(void *arg) {
  char **objects = arg;
#define DETACHED(call)                                                                                                 \
  do {                                                                                                                 \
    if (thread_self()) must(vgc_thread_detach() == 0);                                                                 \
    must(call);                                                                                                        \
  } while (0)
  static void *range[1];
  struct vgc_stats stats = {.struct_size = sizeof stats};
  DETACHED((objects[0] = vgc_malloc(16)) != NULL);
  must(thread_self() != NULL);
  DETACHED((objects[1] = vgc_malloc(100000)) != NULL);
  DETACHED((objects[0] = vgc_realloc(objects[0], 1000)) != NULL);
  DETACHED(vgc_usable_size(objects[0]) >= 1000);
  DETACHED(vgc_base_of(objects[1] + 5000) == objects[1]);
  DETACHED((vgc_free(objects[0]), vgc_base_of(objects[0]) == NULL));
  DETACHED((vgc_free(objects[1]), vgc_base_of(objects[1]) == NULL));
  DETACHED(vgc_collect() == 0);
  DETACHED((vgc_disable(), vgc_collect() == -1 && errno == EBUSY));
  DETACHED((vgc_enable(), vgc_collect() == 0));
  DETACHED((vgc_trim(), true));
  DETACHED(vgc_get_stats(&stats) == 0);
  DETACHED(vgc_root_add(range, sizeof range) == 0);
  DETACHED(vgc_root_remove(range, sizeof range) == 0);
  DETACHED((vgc_poll(), true));
  DETACHED((vgc_blocking_enter(), true));
  vgc_blocking_leave();
  DETACHED((objects[2] = vgc_aligned_alloc(4096, 5000)) != NULL);
}

static void a_thread_that_left_may_come_back_by_any_call(void **state) {
  (void)state;
  char *objects[3];
  uint64_t before = live();
  probe_in_thread(unregistered, objects);
  assert_int_equal(unit_errors.count, 0);
  assert_true(unit_alive(objects[2]));
  vgc_free(objects[2]);
  assert_int_equal(live(), before);
  assert_int_equal(thread_count(), 1);
}

/* ---- A library that cannot come up ---- */

static void without_initialisation_each_call_fails(void **state) {
  (void)state;
  static void *range[1];
  struct vgc_stats stats = {.struct_size = sizeof stats};
  assert_int_equal(vgc_shutdown(), 0);
  setenv("VGC_LOG", "loud", 1);
  fault_capture_print(true);
  EXPECT_ERROR(EINVAL, vgc_init(NULL));
  EXPECT_ERROR(EINVAL, vgc_collect());
  EXPECT_ERROR(EINVAL, vgc_get_stats(&stats));
  EXPECT_ERROR(EINVAL, vgc_thread_attach());
  EXPECT_ERROR(EINVAL, vgc_root_add(range, sizeof range));
  EXPECT_ERROR(ENOENT, vgc_root_remove(range, sizeof range));
  EXPECT_ERROR(EINVAL, vgc_root_add_callback(push_nothing, NULL));
  EXPECT_ERROR(EPERM, vgc_shutdown());
  assert_null(vgc_malloc(16));
  assert_null(vgc_malloc(100000));
  assert_null(vgc_aligned_alloc(4096, 16));
  assert_int_equal(vgc_trim(), 0);
  vgc_disable();
  vgc_blocking_enter();
  vgc_enable(); /* vgc_disable needs no library that is up (X77) */
  assert_int_equal(unit_errors.count, 0);
  unit_expect_error(VGC_ERROR_UNBALANCED, NULL, vgc_enable());
  unit_expect_error(VGC_ERROR_UNBALANCED, NULL, vgc_blocking_leave());
  unit_expect_error(VGC_ERROR_FREE_FOREIGN, small, vgc_free(small)); /* its heap is no more */
  unsetenv("VGC_LOG");
  assert_non_null(vgc_malloc(16));
}

UNIT(misuse) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {
      TEST(each_bad_pointer_is_told_apart),         TEST(looking_up_is_allowed_for_any_address),
      TEST(a_null_pointer_is_freed_in_silence),     TEST(without_a_hook_each_aborts_with_its_message),
      TEST(impossible_sizes_give_null_and_enomem),  TEST(objects_of_no_size_are_unique),
      TEST(alignments_are_powers_of_two),           TEST(enable_needs_a_disable),
      TEST(blocking_regions_do_not_nest),           TEST(roots_are_added_once_and_removed_once),
      TEST(registered_threads_cannot_attach),       TEST(a_thread_that_left_may_come_back_by_any_call),
      TEST(without_initialisation_each_call_fails),
  };
  return cmocka_run_group_tests_name("misuse", tests, NULL, NULL);
}
