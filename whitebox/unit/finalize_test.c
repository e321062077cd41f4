/* Finalizers. The roots are the words of `roots` alone, and the second marker agrees at each boundary.
 */
#include "unit.h"

enum { ROOTS = 8, CALLS = 4000 };
static void *roots[ROOTS];
/* Outside of the heap: what the collector does not follow. */
static void *links[ROOTS];
static uintptr_t called[CALLS]; /* hidden, in the order of the calls */
static unsigned calls;

static int start(bool on_demand) {
  struct vgc_config given = unit_config(0);
  given.check_level = 3;
  given.finalize_on_demand = on_demand;
  memset(roots, 0, sizeof roots);
  memset(links, 0, sizeof links);
  calls = 0;
  unit_start(&given);
  unit_roots(roots, ROOTS);
  return 0;
}

static int setup(void **state) { return (void)state, start(false); }
static int setup_on_demand(void **state) { return (void)state, start(true); }

static void note(void *object, void *arg) {
  (void)arg;
  assert_true(unit_alive(object));
  called[calls++] = hide(object);
}

static void must_set(void *object, enum vgc_order order) {
  assert_int_equal(vgc_set_finalizer(object, note, NULL, order), 0);
}

static void expect_called(void *const *objects, size_t count) {
  assert_int_equal(calls, count);
  for (size_t i = 0; i < count; i++) assert_ptr_equal(reveal(called[i]), objects[i]);
  calls = 0;
}

/* As many were called as are given, in that order. */
#define assert_called(...)                                                                                             \
  do {                                                                                                                 \
    void *expected_[] = {NULL, ##__VA_ARGS__};                                                                         \
    expect_called(expected_ + 1, sizeof expected_ / sizeof *expected_ - 1);                                            \
  } while (0)

/* ---- What is set ---- */

static void other(void *object, void *arg) { (void)object, (void)arg; }

static void an_exchange_gives_back_what_was_set(void **state) {
  (void)state;
  int first_arg, second_arg;
  vgc_finalizer *old = note;
  void *old_arg = &first_arg, *object = roots[0] = vgc_malloc(16);
  assert_int_equal(vgc_exchange_finalizer(object, other, &first_arg, VGC_ORDERED, &old, &old_arg), 0);
  assert_null(old);
  assert_null(old_arg);
  assert_int_equal(vgc_exchange_finalizer(object, note, &second_arg, VGC_UNORDERED, &old, &old_arg), 0);
  assert_ptr_equal(old, other);
  assert_ptr_equal(old_arg, &first_arg);
  assert_int_equal(vgc_exchange_finalizer(object, NULL, NULL, VGC_ORDERED, &old, NULL), 0);
  assert_ptr_equal(old, note);
  assert_null(vgc_get_finalizer(object, NULL));
}

static void all_finalizers_can_be_called_though_their_objects_are_reachable(void **state) {
  (void)state;
  for (unsigned i = 0; i < ROOTS; i++) must_set(roots[i] = vgc_malloc(16), i % 2 ? VGC_ORDERED : VGC_UNREACHABLE);
  assert_int_equal(vgc_finalize_all(), ROOTS);
  assert_int_equal(calls, ROOTS);
  for (unsigned i = 0; i < ROOTS; i++) assert_null(vgc_get_finalizer(roots[i], NULL));
  assert_int_equal(vgc_finalize_all(), 0);
}

/* ---- When ---- */

static void a_finalizer_is_called_once_when_the_object_is_unreachable(void **state) {
  (void)state;
  static const size_t sizes[] = {4, 16, 100, 5000, 100000};
  for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    void *object = roots[0] = vgc_malloc(sizes[i]);
    must_set(object, VGC_ORDERED);
    unit_collect();
    assert_called();
    roots[0] = NULL;
    unit_collect();
    assert_called(object);
    assert_null(vgc_get_finalizer(object, NULL));
    unit_collect();
    assert_called();
    assert_false(unit_alive(object));
  }
}

/* L01: none waits for a later allocation. */
static void an_explicit_collection_calls_all_before_it_returns(void **state) {
  (void)state;
  for (unsigned i = 0; i < 1000; i++) must_set(vgc_malloc(16), VGC_ORDERED);
  assert_int_equal(vgc_collect(), 0);
  assert_int_equal(calls, 1000);
  assert_int_equal(vgc_finalizers_due(), 0);
}

static void on_demand_nothing_else_calls(void **state) {
  (void)state;
  for (unsigned i = 0; i < 10; i++) must_set(vgc_malloc(16), VGC_ORDERED);
  assert_int_equal(vgc_collect(), 0);
  for (unsigned i = 0; i < 10000; i++) (void)!vgc_malloc(16);
  assert_int_equal(calls, 0);
  assert_int_equal(vgc_finalizers_due(), 10);
  assert_int_equal(vgc_collect(), 0); /* keeps what is due */
  assert_int_equal(vgc_finalize(), 10);
  assert_int_equal(calls, 10);
  assert_int_equal(vgc_finalize(), 0);
}

static void allocations_call_what_another_collection_left(void **state) {
  (void)state;
  for (unsigned i = 0; i < 10; i++) must_set(vgc_malloc(16), VGC_ORDERED);
  assert_true(collect_now(COLLECT_PACE));
  assert_int_equal(vgc_finalizers_due(), 10);
  for (unsigned i = 0; i < 10000; i++) (void)!vgc_malloc_noscan(16);
  assert_int_equal(calls, 10);
}

static unsigned told;
static void tell(void *arg) { told += arg == &told; }

static void a_hook_tells_that_some_are_due(void **state) {
  (void)state;
  vgc_set_hooks(&(struct vgc_hooks){.struct_size = sizeof(struct vgc_hooks), .arg = &told, .finalizers_due = tell},
                NULL);
  told = 0;
  assert_int_equal(vgc_collect(), 0);
  assert_int_equal(told, 0);
  must_set(vgc_malloc(16), VGC_ORDERED);
  assert_int_equal(vgc_collect(), 0);
  assert_int_equal(told, 1);
  assert_int_equal(vgc_finalizers_due(), 1);
  assert_int_equal(vgc_collect(), 0);
  assert_int_equal(told, 2); /* still */
  assert_int_equal(vgc_finalize(), 1);
  assert_int_equal(vgc_collect(), 0);
  assert_int_equal(told, 2);
}

static void set_in_thread(void *arg) {
  (void)arg;
  for (unsigned i = 0; i < 100; i++) must_set(vgc_malloc(16), VGC_ORDERED);
}

static void finalizers_outlive_the_thread_that_set_them(void **state) {
  (void)state;
  probe_in_thread(set_in_thread, NULL);
  unit_collect();
  assert_int_equal(calls, 100);
}

/* ---- Setting ---- */

static void the_last_finalizer_set_counts(void **state) {
  (void)state;
  int first, second;
  void *arg, *object = vgc_malloc(16);
  assert_int_equal(vgc_set_finalizer(object, note, &first, VGC_ORDERED), 0);
  assert_int_equal(vgc_set_finalizer(object, note, &second, VGC_UNORDERED), 0);
  assert_true(vgc_get_finalizer(object, &arg) == note);
  assert_ptr_equal(arg, &second);
  assert_int_equal(vgc_set_finalizer(object, NULL, NULL, VGC_ORDERED), 0);
  assert_true(vgc_get_finalizer(object, &arg) == NULL);
  assert_null(arg);
  unit_collect();
  assert_called();
  assert_false(unit_alive(object));
}

static void only_live_objects_have_finalizers(void **state) {
  (void)state;
  char *object = vgc_malloc(64), local;
  void *odd[] = {object + 8, &local, NULL, (void *)8, (void *)UINTPTR_MAX};
  for (unsigned i = 0; i < sizeof odd / sizeof *odd; i++) {
    errno = 0;
    assert_int_equal(vgc_set_finalizer(odd[i], note, NULL, VGC_ORDERED), -1);
    assert_int_equal(errno, EINVAL);
  }
  assert_int_equal(vgc_set_finalizer(object, note, NULL, (enum vgc_order)4), -1);
  assert_int_equal(errno, EINVAL);
  vgc_free(object);
  assert_int_equal(vgc_set_finalizer(object, note, NULL, VGC_ORDERED), -1);
}

static void without_memory_nothing_is_set(void **state) {
  void *object = roots[0] = vgc_malloc(16);
  fault_fail(FAULT_RESERVE, 0, ~0ul);
  errno = 0;
  assert_int_equal(vgc_set_finalizer(object, note, NULL, VGC_ORDERED), -1);
  assert_int_equal(errno, ENOMEM);
  assert_int_equal(vgc_weak_add(links, object, VGC_WEAK_SHORT), -1);
  assert_null(links[0]);
  fault_reset(state);
  roots[0] = NULL;
  unit_collect();
  assert_called();
}

/* Whoever frees an object has seen to it; another that comes to lie there has no finalizer. */
static void a_freed_object_is_not_finalized(void **state) {
  (void)state;
  static const size_t sizes[] = {16, 100000};
  for (unsigned i = 0; i < 2; i++) {
    void *object = vgc_malloc(sizes[i]);
    must_set(object, VGC_ORDERED);
    vgc_free(object);
    assert_false(unit_alive(object));
    assert_null(vgc_get_finalizer(object, NULL));
    for (unsigned k = 0; k < 1000; k++) (void)!vgc_malloc(sizes[i]);
    unit_collect();
    assert_called();
  }
}

/* A span in which one object has a finalizer tells its frees apart as any other does. */
static void errors_are_told_beside_finalizers(void **state) {
  (void)state;
  unit_keep_errors();
  char *object = vgc_malloc(48), *other = vgc_malloc(48);
  must_set(object, VGC_ORDERED);
  const struct span *span = unit_span(object);
  unit_expect_error(VGC_ERROR_FREE_INTERIOR, other + 16, vgc_free(other + 16));
  char *tail = (char *)span->base + span->slots * (size_t)48;
  unit_expect_error(VGC_ERROR_FREE_STALE, tail, vgc_free(tail));
  vgc_free(other);
  unit_expect_error(VGC_ERROR_DOUBLE_FREE, other, vgc_free(other));
  vgc_free(object);
  unit_expect_error(VGC_ERROR_DOUBLE_FREE, object, vgc_free(object));
}

/* ---- Order ---- */

static void who_points_to_another_comes_first(void **state) {
  (void)state;
  void **chain[4];
  for (unsigned i = 0; i < 4; i++) {
    chain[i] = vgc_malloc(16);
    must_set(chain[i], i % 2 ? VGC_IGNORE_SELF : VGC_ORDERED);
    if (i) chain[i - 1][0] = chain[i];
  }
  for (unsigned i = 0; i < 4; i++) {
    unit_collect();
    assert_called(chain[i]);
  }
}

static void a_cycle_of_ordered_finalizers_stays(void **state) {
  (void)state;
  void **a = vgc_malloc(16), **b = vgc_malloc(16), **self = vgc_malloc(16);
  a[0] = b;
  b[0] = a;
  self[0] = self;
  must_set(a, VGC_ORDERED);
  must_set(b, VGC_IGNORE_SELF);
  must_set(self, VGC_ORDERED);
  unit_collect();
  assert_called();
  assert_true(unit_alive(a) && unit_alive(b) && unit_alive(self));
  a[0] = NULL; /* broken: now b points to a */
  unit_collect();
  assert_called(b);
  unit_collect();
  assert_called(a);
}

static void own_pointers_may_be_ignored(void **state) {
  (void)state;
  static const size_t sizes[] = {16, 4096, 100000};
  for (unsigned i = 0; i < 3; i++) {
    void **self = vgc_malloc(sizes[i]);
    self[0] = self[sizes[i] / 8 - 1] = (char *)self + 8;
    must_set(self, VGC_IGNORE_SELF);
    unit_collect();
    assert_called(self);
  }
}

static void unordered_ones_do_not_wait_for_each_other(void **state) {
  (void)state;
  void **a = vgc_malloc(16), **b = vgc_malloc(16), **waits = vgc_malloc(16), **first = vgc_malloc(16);
  a[0] = b;
  b[0] = a;
  must_set(a, VGC_UNORDERED);
  must_set(b, VGC_UNORDERED);
  first[0] = waits;
  must_set(waits, VGC_UNORDERED);
  must_set(first, VGC_ORDERED);
  unit_collect();
  assert_int_equal(calls, 3);
  for (unsigned i = 0; i < calls; i++) assert_ptr_not_equal(reveal(called[i]), waits);
  calls = 0;
  unit_collect();
  assert_called(waits);
}

static void an_unreachable_one_waits_for_the_unordered(void **state) {
  (void)state;
  void **a = vgc_malloc(16), **resource = vgc_malloc(16);
  a[0] = resource;
  must_set(resource, VGC_UNREACHABLE);
  must_set(a, VGC_UNORDERED);
  unit_collect();
  assert_called(a);
  unit_collect();
  assert_called(resource);
}

static void an_unreachable_one_makes_what_it_reaches_wait(void **state) {
  (void)state;
  static const enum vgc_order orders[] = {VGC_ORDERED, VGC_IGNORE_SELF, VGC_UNORDERED, VGC_UNREACHABLE};
  for (unsigned i = 0; i < 4; i++) {
    void **a = vgc_malloc(16), **resource = vgc_malloc(16);
    a[0] = resource;
    must_set(a, VGC_UNREACHABLE);
    must_set(resource, orders[i]);
    unit_collect();
    assert_called(a);
    unit_collect();
    assert_called(resource);
  }
  void **self = vgc_malloc(16);
  self[0] = self;
  must_set(self, VGC_UNREACHABLE);
  self = NULL;
  unit_collect();
  assert_int_equal(calls, 0);
}

/* ---- What a finalizer may do ---- */

static void bring_back(void *object, void *arg) {
  note(object, arg);
  roots[1] = object;
}

static void an_object_may_come_back_and_be_finalized_anew(void **state) {
  (void)state;
  void **object = vgc_malloc(16), **content = object[0] = vgc_malloc(16);
  for (unsigned i = 0; i < 3; i++) {
    assert_int_equal(vgc_set_finalizer(object, bring_back, NULL, VGC_ORDERED), 0);
    roots[1] = NULL;
    unit_collect();
    assert_called(object);
    unit_collect();
    assert_called();
    assert_true(unit_alive(object) && unit_alive(content));
  }
  roots[1] = NULL;
  unit_collect();
  assert_false(unit_alive(object));
}

static unsigned depth;

static void allocate_and_collect(void *object, void *arg) {
  assert_int_equal(depth, 0); /* not one in another */
  depth++;
  note(object, arg);
  for (unsigned i = 0; i < 5000; i++) (void)!vgc_malloc(64);
  if (calls < 20) must_set(vgc_malloc(16), VGC_ORDERED);
  assert_int_equal(vgc_collect(), 0);
  depth--;
}

static void a_finalizer_may_allocate_and_collect(void **state) {
  (void)state;
  for (unsigned i = 0; i < 10; i++)
    assert_int_equal(vgc_set_finalizer(vgc_malloc(16), allocate_and_collect, NULL, VGC_ORDERED), 0);
  assert_int_equal(vgc_collect(), 0);
  assert_true(calls >= 20);
  assert_int_equal(vgc_finalizers_due(), 0);
}

static void call_the_others(void *object, void *arg) {
  note(object, arg);
  if (calls == 1) assert_int_equal(vgc_finalize(), 9);
}

static void a_finalizer_may_ask_for_the_others(void **state) {
  (void)state;
  for (unsigned i = 0; i < 10; i++)
    assert_int_equal(vgc_set_finalizer(vgc_malloc(16), call_the_others, NULL, VGC_ORDERED), 0);
  assert_int_equal(vgc_collect(), 0);
  assert_int_equal(calls, 10);
}

static void an_argument_is_kept_until_the_call(void **state) {
  (void)state;
  void *object = roots[0] = vgc_malloc(16), *arg = vgc_malloc(64);
  assert_int_equal(vgc_set_finalizer(object, note, arg, VGC_ORDERED), 0);
  unit_collect();
  assert_true(unit_alive(arg));
  roots[0] = NULL;
  assert_true(collect_now(COLLECT_EXPLICIT));
  assert_true(collect_now(COLLECT_EXPLICIT));
  assert_true(unit_alive(arg) && unit_alive(object));
  assert_int_equal(vgc_finalize(), 1);
  unit_collect();
  assert_false(unit_alive(arg));
}

/* ---- Many ---- */

static void thousands_are_found_again(void **state) {
  (void)state;
  enum { MANY = 3000 };
  void **table = roots[0] = vgc_malloc(MANY * sizeof *table);
  void **weak = roots[1] = vgc_malloc_noscan(MANY * sizeof *weak);
  uint64_t random = 1;
  for (unsigned i = 0; i < MANY; i++) {
    table[i] = vgc_malloc(16 + unit_random(&random) % 100);
    must_set(table[i], VGC_ORDERED);
    assert_int_equal(vgc_weak_add(&weak[i], table[i], VGC_WEAK_SHORT), 0);
  }
  for (unsigned dropped = 0; dropped < MANY;) {
    for (unsigned k = 0; k < 500; k++) {
      unsigned i = (unsigned)(unit_random(&random) % MANY);
      dropped += table[i] != NULL;
      table[i] = NULL;
    }
    if (dropped > MANY - 20) {
      memset(table, 0, MANY * sizeof *table);
      dropped = MANY;
    }
    unit_collect();
    assert_int_equal(calls, dropped);
    for (unsigned i = 0; i < MANY; i++) assert_ptr_equal(weak[i], table[i]);
  }
  assert_int_equal(vgc_shutdown(), 0);
  assert_int_equal(special_bytes(), 0);
}

UNIT(finalize) {
#define TEST(name)      cmocka_unit_test_setup_teardown(name, setup, unit_teardown)
#define ON_DEMAND(name) cmocka_unit_test_setup_teardown(name, setup_on_demand, unit_teardown)
  const struct CMUnitTest tests[] = {
      TEST(an_exchange_gives_back_what_was_set),
      TEST(all_finalizers_can_be_called_though_their_objects_are_reachable),
      TEST(a_finalizer_is_called_once_when_the_object_is_unreachable),
      TEST(an_explicit_collection_calls_all_before_it_returns),
      ON_DEMAND(on_demand_nothing_else_calls),
      TEST(allocations_call_what_another_collection_left),
      ON_DEMAND(a_hook_tells_that_some_are_due),
      TEST(finalizers_outlive_the_thread_that_set_them),
      TEST(the_last_finalizer_set_counts),
      TEST(only_live_objects_have_finalizers),
      TEST(without_memory_nothing_is_set),
      TEST(a_freed_object_is_not_finalized),
      TEST(errors_are_told_beside_finalizers),
      TEST(who_points_to_another_comes_first),
      TEST(a_cycle_of_ordered_finalizers_stays),
      TEST(own_pointers_may_be_ignored),
      TEST(unordered_ones_do_not_wait_for_each_other),
      TEST(an_unreachable_one_waits_for_the_unordered),
      TEST(an_unreachable_one_makes_what_it_reaches_wait),
      TEST(an_object_may_come_back_and_be_finalized_anew),
      TEST(a_finalizer_may_allocate_and_collect),
      TEST(a_finalizer_may_ask_for_the_others),
      ON_DEMAND(an_argument_is_kept_until_the_call),
      TEST(thousands_are_found_again),
  };
  return cmocka_run_group_tests_name("finalize", tests, NULL, NULL);
}
