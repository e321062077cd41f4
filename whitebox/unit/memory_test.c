/* Out of memory at every place: the k-th reservation fails, or all from the k-th on. What fails says so, what was there
 * stays, and the next cycle collects the heap. */
#include <pthread.h>

#include "unit.h"

struct node {
  struct node *next;
  uintptr_t check;
};

static void *roots[3];

static void start(void) {
  struct vgc_config tiny = unit_config(4096);
  tiny.arena_bytes = 256 << 10;
  tiny.mark_stack = 16;
  tiny.thread_table = 1;
  tiny.minimum_heap = 128 << 10;
  memset(roots, 0, sizeof roots);
  unit_start(&tiny);
  unit_roots(roots, 3);
}

/* NULL must be explained. */
static void *allowed(void *object) {
  if (!object) assert_int_equal(errno, ENOMEM);
  return object;
}

static void add_nodes(unsigned count) {
  for (unsigned failed = 0; count-- && failed < 3;) {
    errno = 0;
    struct node *node = allowed(vgc_malloc(sizeof *node + count % 200));
    failed += !node; /* each failure has cost a cycle */
    if (!node) continue;
    *node = (struct node){roots[0], ~(uintptr_t)node};
    roots[0] = node;
  }
}

static void *thread_main(void *arg) {
  errno = 0;
  if (!vgc_malloc(3000)) must(errno == ENOMEM);
  return arg;
}

static void run_thread(void) {
  pthread_t thread;
  int rc = pthread_create(&thread, NULL, thread_main, NULL);
  assert_true(rc == 0 || rc == EAGAIN || rc == ENOMEM);
  if (rc == 0) assert_int_equal(pthread_join(thread, NULL), 0);
}

static void collect(void) {
  errno = 0;
  if (vgc_collect()) assert_int_equal(errno, ENOMEM);
}

static void act(void) {
  static const uint64_t words[] = {1};
  add_nodes(300);
  errno = 0;
  void **array = allowed(vgc_malloc(60000));
  roots[1] = array;
  for (unsigned i = 0; array && i < 1200; i++)
    if (!(array[i] = allowed(vgc_malloc(1000)))) break;
  run_thread();
  collect();
  errno = 0;
  vgc_layout_id layout = vgc_layout_register(&(struct vgc_layout){.size = 16, .pointer_words = words});
  if (layout) roots[2] = allowed(vgc_malloc_typed(layout, 3));
  (void)allowed(vgc_aligned_alloc(65536, 1));
  if (vgc_root_add(roots, sizeof roots)) assert_int_equal(errno, ENOMEM);
  add_nodes(300);
  collect();
  for (unsigned i = 0; i < 20; i++)
    if (!allowed(vgc_malloc_noscan(30000))) break;
  (void)vgc_trim();
}

/* The next cycle finds everything that was linked, and nothing else. */
static void check(void) {
  unit_collect();
  uint64_t live = 0;
  for (const struct node *node = roots[0]; node; node = node->next, live++)
    assert_true(unit_alive(node) && node->check == ~(uintptr_t)node);
  void **array = roots[1];
  if (array) live++;
  for (unsigned i = 0; array && i < 1200; i++)
    if (array[i]) {
      assert_true(unit_alive(array[i]));
      live++;
    }
  if (roots[2]) live++;
  assert_int_equal(stats_now().live_objects, live);
  assert_int_equal(probe_recount().objects, live);
  add_nodes(10);
  assert_int_equal(((struct node *)roots[0])->check, ~(uintptr_t)roots[0]);
  vgc_root_remove(roots, sizeof roots);
}

/* Returns the number of reservations that failed. */
static unsigned long round_of(unsigned k, unsigned long count) {
  start();
  fault_reset(NULL);
  fault_fail(FAULT_RESERVE, k, count);
  act();
  unsigned long failed = fault_failed(FAULT_RESERVE);
  fault_reset(NULL);
  check();
  assert_int_equal(vgc_shutdown(), 0);
  return failed;
}

static void any_single_refusal_is_survived(void **state) {
  (void)state;
  unsigned k = 0;
  while (round_of(k, 1)) k++;
  assert_in_range(k, 16, 1000);
}

static void the_end_of_memory_is_survived_wherever_it_comes(void **state) {
  (void)state;
  unsigned k = 0;
  while (round_of(k, ~0ul)) k++;
  assert_in_range(k, 16, 1000);
}

static void without_a_list_of_objects_no_cycle_runs(void **state) {
  (void)state;
  start();
  add_nodes(50);
  unit_fail_modules(true);
  errno = 0;
  assert_int_equal(vgc_collect(), -1);
  assert_int_equal(errno, ENOMEM);
  assert_int_equal(stats_now().cycles, 0);
  add_nodes(5000); /* the pace asks, in vain */
  unit_fail_modules(false);
  check();
}

UNIT(memory) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_teardown(any_single_refusal_is_survived, unit_teardown),
      cmocka_unit_test_teardown(the_end_of_memory_is_survived_wherever_it_comes, unit_teardown),
      cmocka_unit_test_teardown(without_a_list_of_objects_no_cycle_runs, unit_teardown),
  };
  return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
