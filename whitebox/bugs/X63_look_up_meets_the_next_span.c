/* X63: a look-up mixes a span with the next one of its descriptor.
 *
 * Any thread may ask for the object at any address. While it looks, that object is freed, its span ends, and the
 * descriptor serves another: from the size of the one and the bits of the other it makes an object that never was. */
#include "bug.h"

/* Two slots a span, of as many pages as the large object. The descriptors of both have one size, those of tiny objects
 * another. */
enum { SIZE = 20480, LARGE = 2 * SIZE, TINY = 16 };

static struct worker owner, reader;
static void *pair[2], *large, *tiny, *seen;

static void look_up(void *address) { seen = vgc_base_of(address); }

static void free_first(void *unused) {
  (void)unused;
  vgc_free(pair[0]);
}

static void start(void) {
  struct vgc_config wanted = config_quiet();
  assert_int_equal(vgc_init(&wanted), 0);
  must(vgc_malloc(8)); /* this thread has a cache before the owner's becomes free */
  worker_start(&owner);
  worker_start(&reader);
}

static void end_and_reuse(void *unused) {
  (void)unused;
  const struct span *span = span_of((uintptr_t)pair[0]);
  worker_do(&owner, free_first, NULL);
  worker_stop(&owner);
  large = vgc_malloc_noscan(LARGE);
  assert_ptr_equal(large, pair[0]);
  assert_ptr_equal(span_of((uintptr_t)large), span);
}

/* The second slot is free before and after; the bits of a large object have no second slot. */
static void reused_in_place(void **state) {
  (void)state;
  start();
  struct batch both = {vgc_malloc_noscan, SIZE, 2, pair};
  worker_do(&owner, batch_allocate, &both);
  worker_do(&owner, free_hidden, &(uintptr_t){hide(pair[1])});
  worker_do_meanwhile(&reader, look_up, (char *)pair[1] + 8, "span_issued_looking", end_and_reuse, NULL);
  assert_true(!seen || seen == large);
  look_up((char *)pair[1] + 8);
  assert_ptr_equal(seen, large);
  worker_stop(&reader);
}

static void end_and_go(void *unused) {
  (void)unused;
  const struct span *span = span_of((uintptr_t)large);
  void *was = large;
  vgc_free(large);
  tiny = vgc_malloc_noscan(TINY);
  assert_ptr_equal(tiny, was);
  large = vgc_malloc_noscan(LARGE);
  assert_ptr_not_equal(large, was);
  assert_ptr_equal(span_of((uintptr_t)large), span);
}

static void reused_elsewhere(void **state) {
  (void)state;
  start();
  large = vgc_malloc_noscan(LARGE);
  worker_do_meanwhile(&reader, look_up, large, "span_object_found", end_and_go, NULL);
  assert_true(!seen || seen == tiny);
  worker_stop(&owner);
  worker_stop(&reader);
}

static int shut_down(void **state) {
  int result = park_reset(state);
  return vgc_shutdown() || result;
}

BUG(X63) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(reused_in_place, fault_reset, shut_down),
                                     cmocka_unit_test_setup_teardown(reused_elsewhere, fault_reset, shut_down)};
  return cmocka_run_group_tests_name("X63", tests, NULL, NULL);
}
