/* The forked child: one thread, the whole heap, and the right to go on. */
#include "unit.h"

enum { SIZE = 5120, SLOTS = 6 };

static void *roots[64];

static int setup(void **state) {
  memset(roots, 0, sizeof roots);
  int result = unit_setup(state);
  unit_roots(roots, 64);
  return result;
}

static void assert_ended_well(const struct child_result *result) {
  if (result->exit_code || result->timed_out)
    fail_msg("exit code %d, signal %d, timed out %d:\n%s", result->exit_code, result->signal, result->timed_out,
             result->text);
}

static void must_be_exact(void) {
  struct vgc_stats stats = stats_now();
  struct probe_count count = probe_recount();
  must(stats.live_objects == count.objects);
  must(stats.live_bytes == count.bytes);
}

static void go_on(void *arg) {
  (void)arg;
  must(thread_count() == 1);
  must_be_exact();
  for (unsigned i = 0; i < 30; i++) {
    must(*(unsigned *)roots[i] == i);
    vgc_free(roots[i]);
    roots[i] = NULL;
  }
  for (unsigned i = 0; i < 1000; i++) must(vgc_malloc(i * 10) != NULL);
  must(vgc_collect() == 0);
  for (unsigned i = 30; i < 64; i++) must(*(unsigned *)roots[i] == i);
  must(stats_now().live_objects == 34);
  must_be_exact();
}

static void fill_roots(void) {
  for (unsigned i = 0; i < 64; i++) {
    roots[i] = vgc_malloc(16 + i * 700);
    *(unsigned *)roots[i] = i;
  }
}

static void the_child_goes_on_and_the_parent_does_not_notice(void **state) {
  (void)state;
  fill_roots();
  struct child_result result;
  child_run(go_on, NULL, 10, &result);
  assert_ended_well(&result);
  for (unsigned i = 0; i < 64; i++) assert_int_equal(*(unsigned *)roots[i], i);
  assert_int_equal(stats_now().live_objects, 64);
  assert_int_equal(vgc_collect(), 0);
}

/* ---- In a hook ---- */

static struct child_result in_hook;

static void allocate_and_collect(void *arg) {
  (void)arg;
  vgc_set_hooks(NULL, NULL);
  must(vgc_malloc(100) && vgc_collect() == 0);
}

static void *fork_without_memory(void *arg, size_t size) {
  (void)size;
  child_run(allocate_and_collect, arg, 10, &in_hook);
  return NULL;
}

static void fork_at_end(void *arg, const struct vgc_stats *stats) {
  (void)stats;
  child_run(allocate_and_collect, arg, 10, &in_hook);
}

static void hooks_without_locks_may_fork(void **state) {
  (void)state;
  volatile size_t huge = SIZE_MAX;
  in_hook.exit_code = -1;
  vgc_set_hooks(&(struct vgc_hooks){.struct_size = sizeof(struct vgc_hooks), .out_of_memory = fork_without_memory},
                NULL);
  assert_null(vgc_calloc(huge, 2));
  assert_ended_well(&in_hook);
  in_hook.exit_code = -1;
  vgc_set_hooks(&(struct vgc_hooks){.struct_size = sizeof(struct vgc_hooks), .cycle_end = fork_at_end}, NULL);
  assert_int_equal(vgc_collect(), 0);
  assert_ended_well(&in_hook);
}

/* ---- What other threads had ---- */

static char *theirs[SLOTS + 3];

static void allocate_theirs(void *arg) {
  (void)arg;
  for (unsigned i = 0; i < SLOTS + 3; i++) roots[i] = theirs[i] = vgc_malloc(SIZE);
}

/* In the child the other thread's full span and its current one belong to nobody and can be used up. */
static void use_theirs(void *arg) {
  (void)arg;
  must(thread_count() == 1 && thread_records() == 1);
  must_be_exact();
  must(load_relaxed(&span_of((uintptr_t)theirs[0])->owner) == NULL);
  must(load_relaxed(&span_of((uintptr_t)theirs[SLOTS])->owner) == NULL);
  must(!unit_alive(theirs[1])); /* freed in the parent, on its way to the owner */
  vgc_free(theirs[2]);
  const void *expected[] = {theirs[1], theirs[2], theirs[SLOTS] + 3 * SIZE, theirs[SLOTS] + 4 * SIZE,
                            theirs[SLOTS] + 5 * SIZE};
  for (unsigned i = 0; i < 5; i++) {
    void *object = vgc_malloc(SIZE);
    must(among(object, (void *const *)expected, 5));
    roots[32 + i] = object;
  }
  must(all_distinct(roots + 32, 5));
  must_be_exact();
  roots[1] = roots[2] = NULL;
  must(vgc_collect() == 0);
  must(stats_now().live_objects == SLOTS + 3 - 2 + 5);
}

static void spans_of_lost_threads_are_used_up(void **state) {
  (void)state;
  struct worker worker;
  worker_start(&worker);
  worker_do(&worker, allocate_theirs, NULL);
  vgc_free(theirs[1]);
  roots[1] = NULL;
  struct child_result result;
  child_run(use_theirs, NULL, 10, &result);
  assert_ended_well(&result);
  worker_stop(&worker);
}

static void start_thread(void *arg) {
  char *object = NULL;
  (void)arg;
  probe_in_thread(allocate_theirs, NULL);
  must(theirs[SLOTS + 2] != object);
  unsigned caches = 0;
  for (const struct cache *cache = cache_all(); cache; cache = cache->next) caches++;
  must(caches == 2); /* the lost thread's cache serves the new one */
  must(vgc_collect() == 0);
  must(vgc_shutdown() == 0);
}

static void the_child_starts_threads_of_its_own(void **state) {
  (void)state;
  if (UNDER_TSAN) not_applicable("ThreadSanitizer lets no child of several threads start one");
  (void)!vgc_malloc(16);
  struct worker worker;
  worker_start(&worker);
  worker_do(&worker, allocate_theirs, NULL);
  struct child_result result;
  child_run(start_thread, NULL, 10, &result);
  assert_ended_well(&result);
  worker_stop(&worker);
}

static void fork_again(void *arg) {
  struct child_result result;
  child_run(go_on, arg, 10, &result);
  must(result.exit_code == 0);
}

static void a_grandchild_goes_on_as_well(void **state) {
  (void)state;
  fill_roots();
  struct child_result result;
  child_run(fork_again, NULL, 10, &result);
  assert_ended_well(&result);
}

static void allocate_unregistered(void *arg) {
  (void)arg;
  must(thread_count() == 0);
  must(vgc_malloc(100) != NULL);
  must(thread_count() == 1);
  must(vgc_collect() == 0);
  must_be_exact();
}

static void fork_unregistered(void *arg) {
  must(vgc_malloc(SIZE) != NULL);
  must(vgc_thread_detach() == 0);
  child_run(allocate_unregistered, NULL, 10, arg);
}

static void an_unregistered_thread_may_fork(void **state) {
  (void)state;
  fill_roots();
  struct child_result result;
  probe_in_thread(fork_unregistered, &result);
  assert_ended_well(&result);
}

static void initialise(void *arg) {
  (void)arg;
  must(vgc_init(NULL) == 0);
  must(vgc_malloc(10) != NULL);
}

static void a_child_may_initialise_what_the_parent_shut_down(void **state) {
  (void)state;
  assert_int_equal(vgc_shutdown(), 0);
  struct child_result result;
  child_run(initialise, NULL, 10, &result);
  assert_ended_well(&result);
}

UNIT(fork) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, unit_teardown)
  const struct CMUnitTest tests[] = {
      TEST(hooks_without_locks_may_fork),
      TEST(the_child_goes_on_and_the_parent_does_not_notice),
      TEST(spans_of_lost_threads_are_used_up),
      TEST(the_child_starts_threads_of_its_own),
      TEST(a_grandchild_goes_on_as_well),
      TEST(an_unregistered_thread_may_fork),
      TEST(a_child_may_initialise_what_the_parent_shut_down),
  };
  return cmocka_run_group_tests_name("fork", tests, NULL, NULL);
}
