/* What a program may ask of objects, of threads and of the heap, and the lock that keeps collections away. */
#include <pthread.h>
#include <sched.h>

#include "unit.h"

static void *roots[4];

static int setup(void **state) {
  (void)state;
  struct vgc_config given = unit_config(0);
  memset(roots, 0, sizeof roots);
  unit_start(&given);
  unit_roots(roots, 4);
  return 0;
}

static struct vgc_object known_of(const void *object) {
  struct vgc_object known = {.struct_size = sizeof known};
  assert_int_equal(vgc_inspect(object, &known), 0);
  return known;
}

static vgc_layout_id kind_of(enum vgc_scan scan) {
  vgc_layout_id id = vgc_kind_register(&(struct vgc_kind){.struct_size = sizeof(struct vgc_kind), .scan = scan});
  assert_int_not_equal(id, 0);
  return id;
}

static void an_object_is_what_it_was_asked_for_as(void **state) {
  (void)state;
  vgc_layout_id all = kind_of(VGC_SCAN_ALL), none = kind_of(VGC_SCAN_NONE);
  const struct {
    void *object;
    vgc_layout_id kind;
    unsigned scanned, uncollectable;
  } rows[] = {
      {vgc_malloc(100), 0, 1, 0},
      {vgc_malloc_noscan(100), 0, 0, 0},
      {vgc_malloc_uncollectable(100), 0, 1, 1},
      {vgc_malloc_uncollectable_noscan(100), 0, 0, 1},
      {vgc_malloc_kind(all, 100), all, 1, 0},
      {vgc_malloc_kind(none, 100), none, 0, 0},
      {vgc_malloc(100000), 0, 1, 0},
      {vgc_malloc_kind(none, 100000), none, 0, 0},
  };
  for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
    struct vgc_object known = known_of(rows[i].object);
    assert_int_equal(known.size, vgc_usable_size(rows[i].object));
    assert_int_equal(known.kind, rows[i].kind);
    assert_int_equal(known.scanned, rows[i].scanned);
    assert_int_equal(known.uncollectable, rows[i].uncollectable);
  }
  struct vgc_object known = {.struct_size = sizeof known};
  assert_int_equal(vgc_inspect((char *)rows[0].object + 8, &known), -1);
  assert_int_equal(errno, EINVAL);
  assert_int_equal(vgc_inspect(&known, &known), -1);
}

static void compare(void *object, size_t size, int reached, void *count) {
  (void)size;
  must(vgc_is_reached(object) == reached);
  must(!vgc_is_reached((char *)object + 8));
  ++*(unsigned *)count;
}

static void in_a_collection_it_is_known_what_is_kept(void **state) {
  (void)state;
  roots[0] = vgc_malloc(64);
  *(void **)roots[0] = vgc_malloc(64);
  void *dropped = vgc_malloc(64);
  unsigned count = 0;
  assert_int_equal(vgc_is_reached(dropped), 1); /* alive */
  assert_int_equal(vgc_collect_and_visit(compare, &count), 0);
  assert_int_equal(count, 3);
  assert_int_equal(vgc_is_reached(&count), 0);
}

static unsigned disclaimed;

static int disclaim(void *object, size_t size, void *arg) {
  (void)object, (void)size, (void)arg;
  disclaimed++;
  return 0;
}

static void a_kind_s_disclaim_procedure_may_come_later(void **state) {
  (void)state;
  vgc_layout_id kind = kind_of(VGC_SCAN_ALL);
  disclaimed = 0;
  assert_non_null(vgc_malloc_kind(kind, 64));
  unit_collect();
  assert_int_equal(disclaimed, 0);
  assert_non_null(vgc_malloc_kind(kind, 64));
  assert_int_equal(vgc_kind_set_disclaim(kind, disclaim, 0), 0);
  unit_collect();
  assert_int_equal(disclaimed, 1);
  assert_non_null(vgc_malloc_kind(kind, 64));
  assert_int_equal(vgc_kind_set_disclaim(kind, NULL, 0), 0);
  unit_collect();
  assert_int_equal(disclaimed, 1);
  assert_int_equal(vgc_kind_set_disclaim(UINT32_MAX, disclaim, 0), -1);
  assert_int_equal(errno, EINVAL);
}

static void objects_lie_within_the_bounds(void **state) {
  (void)state;
  void *low, *high;
  vgc_heap_bounds(&low, &high);
  size_t before = vgc_heap_bytes();
  for (size_t size = 16; size < 4 << 20; size *= 4) {
    char *object = vgc_malloc(size);
    assert_true((void *)object >= low && (void *)(object + size) <= high);
  }
  assert_true(vgc_heap_bytes() >= before + (1 << 20));
  assert_false((void *)&low >= low && (void *)&low < high);
}

/* ---- The lock ---- */

static _Atomic int collector;
static _Atomic bool done;

static void *collect(void *arg) {
  (void)arg;
  atomic_store(&collector, gettid());
  must(vgc_collect() == 0);
  atomic_store(&done, true);
  return NULL;
}

static void while_it_is_locked_no_collection_runs(void **state) {
  (void)state;
  pthread_t thread;
  struct vgc_stats stats = {.struct_size = sizeof stats};
  atomic_store(&collector, 0);
  atomic_store(&done, false);
  assert_int_equal(vgc_get_stats(&stats), 0);
  uint64_t before = stats.cycles;
  vgc_lock();
  assert_int_equal(pthread_create(&thread, NULL, collect, NULL), 0);
  probe_await_sleep(&collector, &done);
  assert_int_equal(vgc_collect(), -1); /* by whoever has it */
  assert_int_equal(errno, EBUSY);
  assert_non_null(vgc_malloc(8 << 20));
  assert_false(atomic_load(&done));
  vgc_unlock();
  assert_int_equal(pthread_join(thread, NULL), 0);
  assert_int_equal(vgc_get_stats(&stats), 0);
  assert_int_equal(stats.cycles, before + 1);
}

static void it_is_given_back_by_who_has_it(void **state) {
  (void)state;
  unit_keep_errors();
  unit_expect_error(VGC_ERROR_UNBALANCED, NULL, vgc_unlock());
  vgc_lock();
  unit_expect_error(VGC_ERROR_UNBALANCED, NULL, vgc_lock());
  vgc_unlock();
  unit_expect_error(VGC_ERROR_UNBALANCED, NULL, vgc_unlock());
}

/* ---- Threads ---- */

static void *attached(void *arg) {
  (void)arg;
  atomic_store(&done, true);
  return (void *)(uintptr_t)vgc_thread_attached();
}

static void *leave(void *arg) {
  vgc_pthread_exit(arg);
  return NULL;
}

static void threads_go_by_our_own_names_too(void **state) {
  (void)state;
  pthread_t thread;
  void *result;
  assert_int_equal(vgc_pthread_create(&thread, NULL, attached, NULL), 0);
  assert_int_equal(vgc_pthread_join(thread, &result), 0);
  assert_ptr_equal(result, (void *)1);
  assert_int_equal(vgc_pthread_create(&thread, NULL, leave, roots), 0);
  assert_int_equal(vgc_pthread_join(thread, &result), 0);
  assert_ptr_equal(result, roots);
  atomic_store(&done, false);
  assert_int_equal(vgc_pthread_create(&thread, NULL, attached, NULL), 0);
  assert_int_equal(vgc_pthread_detach(thread), 0);
  struct vgc_stats stats = {.struct_size = sizeof stats};
  do assert_int_equal(vgc_get_stats(&stats), 0);
  while (!atomic_load(&done) || stats.threads > 1);
  assert_int_equal(vgc_suspend_signal(), SIGPWR);
  assert_int_equal(vgc_thread_detach(), 0);
  assert_int_equal(vgc_thread_attached(), 0);
  assert_int_equal(vgc_thread_attach(), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, unit_teardown)

UNIT(inspect) {
  const struct CMUnitTest tests[] = {
      TEST(an_object_is_what_it_was_asked_for_as),
      TEST(in_a_collection_it_is_known_what_is_kept),
      TEST(a_kind_s_disclaim_procedure_may_come_later),
      TEST(objects_lie_within_the_bounds),
      TEST(while_it_is_locked_no_collection_runs),
      TEST(it_is_given_back_by_who_has_it),
      TEST(threads_go_by_our_own_names_too),
  };
  return cmocka_run_group_tests_name("inspect", tests, NULL, NULL);
}
