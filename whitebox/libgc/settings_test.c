/* gc.h: settings, and what follows from them. */
#include "client.h"

#include <dlfcn.h>
#include <gc/gc_mark.h>
#include <sched.h>
#include <stdatomic.h>

/* ---- What is set is given back ---- */

#define GIVEN_BACK(name, value)                                                                                        \
  do {                                                                                                                 \
    GC_set_##name(value);                                                                                              \
    must(GC_get_##name() == (value));                                                                                  \
  } while (0)
#define GIVEN_BACK_AND_VARIABLE(name, value)                                                                           \
  do {                                                                                                                 \
    GIVEN_BACK(name, value);                                                                                           \
    must(GC_##name == (value));                                                                                        \
    __typeof__(GC_##name) before = GC_##name;                                                                          \
    GC_##name = 0;                                                                                                     \
    must(GC_get_##name() == 0);                                                                                        \
    GC_##name = before;                                                                                                \
  } while (0)

static void *oom(size_t bytes) { return (void)bytes, NULL; }
static void resized(GC_word bytes) { (void)bytes; }
static void notify(void) {}
static void event(GC_EventType type);
static void thread_event(GC_EventType type, void *thread);
static void warn(char *message, GC_word arg) { (void)message, (void)arg; }
static void aborted(const char *message) { (void)message; }
static int never(void) { return 0; }
static void began(void);

TEST(numbers) {
  GC_INIT();
  GIVEN_BACK_AND_VARIABLE(finalize_on_demand, 1);
  GIVEN_BACK_AND_VARIABLE(java_finalization, 1);
  GIVEN_BACK_AND_VARIABLE(dont_expand, 1);
  GIVEN_BACK_AND_VARIABLE(full_freq, 7);
  GIVEN_BACK_AND_VARIABLE(non_gc_bytes, 12345u);
  GIVEN_BACK_AND_VARIABLE(no_dls, 1);
  GIVEN_BACK_AND_VARIABLE(free_space_divisor, 5u);
  GIVEN_BACK_AND_VARIABLE(max_retries, 3u);
  GIVEN_BACK_AND_VARIABLE(dont_precollect, 1);
  GIVEN_BACK_AND_VARIABLE(time_limit, 50u);
  GIVEN_BACK_AND_VARIABLE(find_leak, 0);
  GIVEN_BACK(allocd_bytes_per_finalizer, 500u);
  GIVEN_BACK(rate, 3);
  GIVEN_BACK(max_prior_attempts, 2);
  GIVEN_BACK(force_unmap_on_gcollect, 1);
  GIVEN_BACK(manual_vdb_allowed, 1);
  GIVEN_BACK(min_bytes_allocd, 777u);
  GIVEN_BACK(disable_automatic_collection, 1);
  GIVEN_BACK(disable_automatic_collection, 0);
}

TEST(numbers_before_init) {
  GIVEN_BACK_AND_VARIABLE(all_interior_pointers, 0);
  GIVEN_BACK_AND_VARIABLE(all_interior_pointers, 1);
  GIVEN_BACK_AND_VARIABLE(find_leak, 1);
  GIVEN_BACK_AND_VARIABLE(find_leak, 0);
  must(GC_get_allocd_bytes_per_finalizer() == 10000 && GC_get_min_bytes_allocd() == 1 && !GC_get_manual_vdb_allowed());
  must(GC_get_max_retries() == 0 && !GC_get_no_dls() && !GC_get_dont_precollect() && !GC_get_finalize_on_demand());
  GC_set_pages_executable(0);
  must(!GC_get_pages_executable());
  must(!GC_is_init_called());
  GC_INIT();
  must(GC_is_init_called());
  GC_INIT(); /* is harmless */
}

TEST(procedures) {
  GC_INIT();
  GIVEN_BACK(oom_fn, oom);
  must(GC_oom_fn == oom);
  GIVEN_BACK(on_heap_resize, resized);
  must(GC_on_heap_resize == resized);
  GIVEN_BACK(finalizer_notifier, notify);
  must(GC_finalizer_notifier == notify);
  GIVEN_BACK(on_collection_event, event);
  GIVEN_BACK(on_thread_event, thread_event);
  GIVEN_BACK(warn_proc, warn);
  GIVEN_BACK(warn_proc, GC_ignore_warn_proc);
  GIVEN_BACK(abort_func, aborted);
  GIVEN_BACK(stop_func, never);
  GIVEN_BACK(start_callback, began);
  GIVEN_BACK(on_heap_resize, NULL);
  GIVEN_BACK(on_collection_event, NULL);
  GIVEN_BACK(on_thread_event, NULL);
  GIVEN_BACK(start_callback, NULL);
}

TEST(time_limits) {
  GC_INIT();
  struct GC_timeval_s limit = {20, 300};
  must(GC_get_time_limit_tv().tv_nsec == 0);
  GC_set_time_limit_tv(limit);
  must(GC_get_time_limit_tv().tv_ms == 20 && GC_get_time_limit_tv().tv_nsec == 300 && GC_get_time_limit() == 20);
  GC_set_time_limit(30); /* leaves the nanoseconds */
  must(GC_get_time_limit_tv().tv_ms == 30 && GC_get_time_limit_tv().tv_nsec == 300);
}

TEST(version) {
  must(GC_get_version() >> 16 == GC_VERSION_MAJOR && (GC_get_version() >> 8 & 0xff) == GC_VERSION_MINOR);
}

/* ---- Incremental collection ---- */

TEST(incremental_is_not_required) {
  GC_INIT();
  must(!GC_is_incremental_mode());
  must(!(GC_incremental_protection_needs() & ~15));
  GC_start_incremental_collection(); /* nothing, unless it is on */
  for (int i = 0; i < 1000 && GC_collect_a_little(); i++) {
  }
  must(!GC_collect_a_little());
  GC_end_stubborn_change(GC_malloc(8));
}

TEST(incremental_initialises) {
  GC_enable_incremental();
  must(GC_is_init_called());
  for (int i = 0; i < 100000; i++) GC_reachable_here(GC_malloc(100));
  GC_gcollect();
}

/* ---- Not now ---- */

static int collects(void) {
  GC_word before = GC_get_gc_no();
  GC_gcollect();
  return GC_get_gc_no() != before;
}

TEST(disabled_by_count) {
  GC_INIT();
  must(collects() && !GC_is_disabled());
  GC_disable();
  GC_disable();
  must(GC_is_disabled() && GC_dont_gc && !collects() && !GC_try_to_collect(never));
  for (int i = 0; i < 300000; i++) GC_reachable_here(GC_malloc(100));
  GC_enable();
  must(GC_is_disabled() && !collects());
  GC_enable();
  must(!GC_is_disabled() && !GC_dont_gc && collects() && GC_try_to_collect(never) == 1);
}

TEST(disabled_by_variable) {
  GC_INIT();
  GC_dont_gc = 1;
  must(GC_is_disabled() && !collects());
  GC_word before = GC_get_gc_no();
  for (int i = 0; i < 300000; i++) GC_reachable_here(GC_malloc(100));
  must(GC_get_gc_no() == before);
  GC_dont_gc = 0;
  must(collects());
}

TEST(disabled_before_init) {
  GC_disable();
  GC_INIT();
  must(!collects());
  GC_enable();
  must(collects());
}

/* "Garbage collection is enabled if the number of calls to both functions is equal." */
TEST(enabled_before_disabled) {
  GC_INIT();
  for (int i = 0; i < 3; i++) GC_enable();
  must(GC_is_disabled());
  for (int i = 0; i < 3; i++) GC_disable();
  must(!GC_is_disabled() && collects());
  GC_disable();
  must(!collects());
  GC_enable();
  must(collects());
}

TEST(no_automatic_collection) {
  GC_INIT();
  GC_set_disable_automatic_collection(1);
  GC_word before = GC_get_gc_no();
  for (int i = 0; i < 300000; i++) GC_reachable_here(GC_malloc(100));
  must(GC_get_gc_no() == before && collects());
}

static unsigned stops_asked;
static int always(void) { return stops_asked++, 1; }

TEST(stopped_collections) {
  GC_INIT();
  GC_word before = GC_get_gc_no();
  must(!GC_try_to_collect(always) && stops_asked);
  must(GC_try_to_collect(never) == 1);
  must(GC_get_gc_no() > before);
}

static unsigned patience;
static int when_patience_ends(void) { return ++stops_asked >= patience; }

/* Marked in part, at whichever question: afterwards it is as if there had been no collection. */
TEST(stopped_in_the_middle) {
  enum { CELLS = 200000 };
  GC_INIT();
  void **list = NULL;
  for (unsigned i = 0; i < CELLS; i++) {
    void **cell = GC_malloc(32);
    *cell = list;
    list = cell;
  }
  unsigned stopped = 0;
  for (patience = 1; patience < 4096; patience *= 2) {
    stops_asked = 0;
    int done = GC_try_to_collect(when_patience_ends);
    must(done == (stops_asked < patience));
    stopped += !done;
    if (!done) must(GC_try_to_collect(never) == 1);
  }
  must(stopped >= 5);
  unsigned count = 0;
  for (void **cell = list; cell; cell = *cell) must(++count <= CELLS && GC_base(cell) == cell);
  must(count == CELLS);
}

static void dropped(void *arg) {
  (void)arg;
  for (unsigned i = 0; i < MANY; i++) client_watch(i, GC_malloc(16));
}

/* The default one is asked by GC_gcollect and by the collections of allocations, not by GC_gcollect_and_unmap. */
TEST(default_stop_func) {
  GC_INIT();
  GC_set_stop_func(always);
  client_below(dropped, NULL);
  client_collect();
  must(stops_asked && client_gone(MANY) == 0);
  stops_asked = 0;
  for (int i = 0; i < 100000; i++) GC_reachable_here(GC_malloc(100));
  must(stops_asked && client_gone(MANY) == 0);
  client_scrub();
  GC_gcollect_and_unmap();
  must(client_gone(MANY) >= MOST);
}

/* ---- Around a collection ---- */

static GC_EventType events[64];
static unsigned count;
static void event(GC_EventType type) {
  if (count < 64) events[count++] = type;
}
static unsigned starts;
static void began(void) { starts++; }

static unsigned place(GC_EventType type) {
  unsigned found = 64, times = 0;
  for (unsigned i = 0; i < count; i++)
    if (events[i] == type) found = i, times++;
  must(times == 1);
  return found;
}

TEST(events_in_order) {
  GC_INIT();
  GC_set_on_collection_event(event);
  GC_set_start_callback(began);
  GC_gcollect();
  GC_set_on_collection_event(NULL);
  must(starts == 1);
  must(place(GC_EVENT_START) == 0 && place(GC_EVENT_END) == count - 1);
  must(place(GC_EVENT_MARK_START) < place(GC_EVENT_MARK_END));
  must(place(GC_EVENT_RECLAIM_START) < place(GC_EVENT_RECLAIM_END));
  must(place(GC_EVENT_MARK_END) < place(GC_EVENT_RECLAIM_START));
  must(place(GC_EVENT_PRE_STOP_WORLD) < place(GC_EVENT_POST_STOP_WORLD));
  must(place(GC_EVENT_POST_STOP_WORLD) < place(GC_EVENT_PRE_START_WORLD));
  must(place(GC_EVENT_PRE_START_WORLD) < place(GC_EVENT_POST_START_WORLD));
  must(place(GC_EVENT_POST_STOP_WORLD) < place(GC_EVENT_MARK_END));
  GC_set_start_callback(NULL);
  GC_gcollect();
  must(starts == 1);
}

static unsigned suspended, unsuspended;
static void *event_thread;
static void thread_event(GC_EventType type, void *thread) {
  suspended += type == GC_EVENT_THREAD_SUSPENDED;
  unsuspended += type == GC_EVENT_THREAD_UNSUSPENDED;
  event_thread = thread;
}

static atomic_int running, done;
static void *spin(void *arg) {
  running = 1;
  while (!done) GC_reachable_here(GC_malloc(16));
  return arg;
}

TEST(thread_events) {
  GC_INIT();
  pthread_t thread;
  must(!pthread_create(&thread, NULL, spin, NULL));
  while (!running) sched_yield();
  GC_set_disable_automatic_collection(1);
  GC_gcollect();
  GC_set_on_thread_event(thread_event);
  GC_gcollect();
  GC_set_on_thread_event(NULL);
  must(suspended == 1 && unsuspended == 1 && (pthread_t)event_thread == thread);
  done = 1;
  must(!pthread_join(thread, NULL));
}

/* ---- The end ---- */

static void say(const char *message) { /* NULL: exit(1) follows */
  printf("[%s]\n", message ? message : "none");
  fflush(stdout);
}

/* ---- A program that links vgc, too ---- */

static unsigned finalized;
static void count_call(void *object, void *data) {
  (void)object, (void)data;
  finalized++;
}

static void *(*its_malloc)(size_t);

/* As if GC_INIT had begun it. */
TEST_UNLESS(vgc_was_there_before, !(its_malloc = (void *(*)(size_t))dlsym(RTLD_DEFAULT, "vgc_malloc")), "no vgc") {
  must(its_malloc(100) != NULL);
  GC_INIT();
  GC_set_finalize_on_demand(1);
  for (unsigned i = 0; i < MANY; i++) GC_register_finalizer(GC_malloc(16), count_call, NULL, NULL, NULL);
  client_collect();
  must(finalized == 0 && GC_should_invoke_finalizers());
  must(GC_invoke_finalizers() >= (int)MOST && finalized >= MOST);
}

static void out_of_memory(void) {
  GC_INIT();
  GC_set_abort_func(say);
  GC_abort_on_oom();
}

static void shut_down(void) {
  GC_INIT();
  GC_deinit();
  GC_deinit();
}

static void ends(void **state) {
  (void)state;
  const struct client_end *end = client_run(out_of_memory, NULL);
  assert_true(client_exited(end, 1) && client_count(end, "[none]") == 1 && client_count(end, "memory") == 1);
  assert_true(client_exited(client_run(shut_down, NULL), 0));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(numbers),
      cmocka_unit_test(numbers_before_init),
      cmocka_unit_test(procedures),
      cmocka_unit_test(time_limits),
      cmocka_unit_test(version),
      cmocka_unit_test(incremental_is_not_required),
      cmocka_unit_test(incremental_initialises),
      cmocka_unit_test(disabled_by_count),
      cmocka_unit_test(disabled_by_variable),
      cmocka_unit_test(disabled_before_init),
      cmocka_unit_test(enabled_before_disabled),
      cmocka_unit_test(no_automatic_collection),
      cmocka_unit_test(stopped_collections),
      cmocka_unit_test(stopped_in_the_middle),
      cmocka_unit_test(default_stop_func),
      cmocka_unit_test(events_in_order),
      cmocka_unit_test(thread_events),
      cmocka_unit_test(vgc_was_there_before),
      cmocka_unit_test(ends),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
