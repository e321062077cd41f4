/* X114: a mark procedure that allocates, or tunes, did so on a helper as any thread does that the library has not seen:
 * it registered it, and waited for a lock that the collecting thread holds until marking is over. The program hung.
 *
 * There an allocation fails; what is for procedures works, also in several of them at a time. The first object's
 * procedure makes sure that the helper is there, and the others' that it gets some of them. */
#include <errno.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "bug.h"
#include "objects.h"

enum { OBJECTS = 100 };

struct first {
  void *others[OBJECTS];
};

static struct first *volatile first;
static pthread_t collector;
static sem_t helper_waits, helper_calls;
static vgc_layout_id kind;

/* ---- What is called on the helper ---- */

static unsigned failures;
static size_t failed_size;
static char spare[4096];
static void *given;

static void *give_spare(void *arg, size_t size) {
  (void)arg;
  failures++;
  failed_size = size;
  return given;
}

#define must_fail(size, call)                                                                                          \
  do {                                                                                                                 \
    errno = 0;                                                                                                         \
    failures = 0;                                                                                                      \
    must((call) == given && failures == 1 && failed_size >= (size));                                                   \
    must(given || errno == ENOMEM);                                                                                    \
  } while (0)

static void allocate(void *object) {
  static const size_t large = 1 << 20;
  must_fail(16, vgc_malloc(16));
  must_fail(large, vgc_malloc(large));
  must_fail(16, vgc_malloc_noscan(16));
  must_fail(large, vgc_malloc_noscan(large));
  must_fail(64, vgc_calloc(8, 8));
  if (!given) must_fail(1000, vgc_realloc(object, 1000)); /* else it moves, and is freed */
  must_fail(64, vgc_aligned_alloc(64, 64));
  must_fail(large, vgc_aligned_alloc(65536, large));
  must_fail(16, vgc_malloc_uncollectable(16));
  must_fail(large, vgc_malloc_uncollectable_noscan(large));
  must_fail(64, vgc_memdup(spare, 64));
  must_fail(6, (void *)vgc_strdup("hello"));
  must_fail(16, vgc_malloc_kind(kind, 16));
  must_fail(large, vgc_malloc_kind(kind, large));
}

static void look(char *object) {
  struct vgc_stats stats = {.struct_size = sizeof stats};
  struct vgc_object known = {.struct_size = sizeof known};
  void *low, *high;
  must(vgc_peek_stats(&stats) == 0 && stats.heap_bytes);
  must(vgc_heap_bytes() && vgc_allocated_bytes());
  must(vgc_base_of(object + 8) == object && vgc_usable_size(object) >= 16);
  must(vgc_inspect(object, &known) == 0 && known.kind == kind && vgc_kind_of(object) == kind);
  must(vgc_is_reached(object));
  vgc_heap_bounds(&low, &high);
  must((void *)object >= low && (void *)object < high);
}

static void steer(void) {
  struct vgc_config wanted;
  vgc_config_default(&wanted);
  wanted.growth_percent = 150;
  must(vgc_tune(&wanted) == 0);
  must(vgc_reserve(1 << 20) == 0);
  vgc_disable();
  vgc_disable();
  vgc_enable();
  must(vgc_shutdown() == -1 && errno == EBUSY);
}

/* ---- One procedure on a helper, and one on the collecting thread ---- */

static void await(sem_t *semaphore) {
  while (sem_wait(semaphore) != 0) continue;
}

static void tell(void *semaphore) { sem_post(semaphore); }

static bool ready; /* written by the collecting thread while no helper marks */
static void (*on_helper)(void *object), (*on_collector)(void);
static atomic_bool helper_has_called, collector_has_called;

static void mark(void *object, size_t size, void *arg, struct vgc_marker *marker) {
  (void)size, (void)arg;
  for (unsigned i = 0; object == first && i < OBJECTS; i++) vgc_mark(marker, first->others[i]);
  if (!ready) return;
  if (!pthread_equal(pthread_self(), collector)) {
    if (!atomic_exchange(&helper_has_called, true)) on_helper(object);
  } else if (object == first) {
    await(&helper_waits); /* so that it gets half of the others when this returns */
  } else if (!atomic_exchange(&collector_has_called, true)) {
    on_collector();
  }
}

static void start(void) {
  sem_init(&helper_waits, 0, 0);
  sem_init(&helper_calls, 0, 0);
  collector = pthread_self();
  struct vgc_config wanted = config_quiet();
  wanted.mark_workers = 2;
  wanted.minimum_heap = 1;
  wanted.check_level = 2;
  assert_int_equal(vgc_init(&wanted), 0);
  const struct vgc_kind given_kind = {.struct_size = sizeof given_kind, .scan = VGC_SCAN_PROCEDURE, .mark = mark};
  kind = vgc_kind_register(&given_kind);
  vgc_disable();
  first = vgc_malloc_kind(kind, sizeof *first);
  for (unsigned i = 0; i < OBJECTS; i++) must(first->others[i] = vgc_malloc_kind(kind, 16));
  vgc_enable();
  assert_int_equal(vgc_collect(), 0);
  assert_int_equal(mark_team_helpers(), 1);
}

static void collect_with(void helper(void *object), void collecting(void)) {
  helper_has_called = collector_has_called = false;
  on_helper = helper;
  on_collector = collecting;
  park_arm_call("mark_team_waits", tell, &helper_waits);
  ready = true;
  assert_int_equal(vgc_collect(), 0);
  ready = false;
  assert_true(helper_has_called);
  for (unsigned i = 0; i < OBJECTS; i++) assert_ptr_equal(vgc_base_of(first->others[i]), first->others[i]);
}

static void expect_disabled(unsigned times) {
  while (times--) {
    assert_int_equal(vgc_collect(), -1);
    assert_int_equal(errno, EBUSY);
    vgc_enable();
  }
  assert_int_equal(vgc_collect(), 0);
}

/* ---- Tests ---- */

static void call_all(void *object) {
  given = NULL;
  allocate(object);
  given = spare;
  allocate(object);
  look(object);
  steer();
  sem_post(&helper_calls);
}

static void await_helper(void) { await(&helper_calls); }

static void it_fails_or_works(void **state) {
  (void)state;
  start();
  const struct vgc_hooks hooks = {.struct_size = sizeof hooks, .out_of_memory = give_spare};
  vgc_set_hooks(&hooks, NULL);
  collect_with(call_all, await_helper);
  assert_int_equal(config.growth_percent, 150);
  assert_true(config.minimum_heap >= 1 << 20);
  expect_disabled(1);
}

static unsigned long locks;
static atomic_bool second_done;

/* Between reading the count and writing it: until the other thread waits for the lock, or has passed. */
static void let_the_other(void *arg) {
  (void)arg;
  locks = fault_count(FAULT_LOCK);
  sem_post(&helper_calls);
  while (fault_count(FAULT_LOCK) == locks && !second_done) sched_yield();
}

static void disable_first(void *object) {
  (void)object;
  vgc_disable();
}

static void disable_second(void) {
  await(&helper_calls);
  vgc_disable();
  second_done = true;
}

static void two_at_a_time(void **state) {
  (void)state;
  assert_int_equal(vgc_shutdown(), 0);
  start();
  park_arm_call("disable_between", let_the_other, NULL);
  collect_with(disable_first, disable_second);
  expect_disabled(2);
}

BUG(X114) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(it_fails_or_works, fault_reset, park_reset),
                                     cmocka_unit_test_setup_teardown(two_at_a_time, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("X114", tests, NULL, NULL);
}
