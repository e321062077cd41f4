/* gc.h: figures about the heap, and dumps. */
#include "client.h"

#include <gc/gc_mark.h>
#include <time.h>

static void *held[1000];

static void *hold_and_free(void *arg) {
  for (unsigned i = 0; i < 1000; i++) held[i] = GC_malloc(10000);
  return arg;
}

TEST(bytes_of_the_heap) {
  GC_INIT();
  hold_and_free(NULL);
  size_t heap = GC_get_heap_size();
  must(heap >= 10000000 && heap < 100000000);
  must(GC_get_free_bytes() <= GC_get_heap_size());
  must(GC_get_memory_use() >= 10000000);
  must(GC_get_obtained_from_os_bytes() >= GC_get_heap_size());
  memset(held, 0, sizeof held);
  client_collect();
  must(GC_get_free_bytes() + GC_get_unmapped_bytes() >= 5000000);
}

TEST(bytes_of_a_cycle) {
  GC_INIT();
  GC_set_disable_automatic_collection(1);
  GC_gcollect();
  size_t total = GC_get_total_bytes();
  must(GC_get_bytes_since_gc() < 1000000 && GC_get_expl_freed_bytes_since_gc() == 0);
  hold_and_free(NULL);
  must(GC_get_bytes_since_gc() >= 10000000 && GC_get_total_bytes() >= total + 10000000);
  for (unsigned i = 0; i < 500; i++) GC_free(held[i]);
  must(GC_get_expl_freed_bytes_since_gc() >= 5000000 && GC_get_expl_freed_bytes_since_gc() < 20000000);
  must(GC_get_bytes_since_gc() >= 10000000);
  memset(held, 0, 500 * sizeof *held);
  total = GC_get_total_bytes();
  must(total >= GC_get_bytes_since_gc());
  GC_gcollect();
  must(GC_get_total_bytes() >= total);
  must(GC_get_bytes_since_gc() < 1000000 && GC_get_expl_freed_bytes_since_gc() == 0);
}

TEST(all_at_once) {
  GC_INIT();
  hold_and_free(NULL);
  GC_word heap = 0, free_bytes = 0, unmapped = 1, since = 0, total = 0;
  GC_get_heap_usage_safe(&heap, &free_bytes, &unmapped, &since, &total);
  must(heap == GC_get_heap_size() && unmapped == GC_get_unmapped_bytes());
  must(free_bytes <= heap && total >= 10000000 && since <= total);
  GC_get_heap_usage_safe(NULL, NULL, NULL, NULL, NULL);
}

TEST(profile) {
  GC_INIT();
  hold_and_free(NULL);
  GC_gcollect();
  GC_free(held[0]);
  held[0] = NULL;
  GC_set_non_gc_bytes(4321);
  struct GC_prof_stats_s all;
  must(GC_get_prof_stats(&all, sizeof all) == sizeof all);
  must(all.heapsize_full == GC_get_heap_size() + GC_get_unmapped_bytes());
  must(all.free_bytes_full == GC_get_free_bytes() + GC_get_unmapped_bytes());
  must(all.unmapped_bytes == GC_get_unmapped_bytes());
  must(all.bytes_allocd_since_gc == GC_get_bytes_since_gc());
  must(all.allocd_bytes_before_gc == GC_get_total_bytes() - GC_get_bytes_since_gc());
  must(all.non_gc_bytes == 4321 && all.gc_no == GC_get_gc_no() && all.markers_m1 == (GC_word)GC_get_parallel());
  must(all.expl_freed_bytes_since_gc == GC_get_expl_freed_bytes_since_gc());
  must(all.expl_freed_bytes_since_gc >= 10000);
  must(all.obtained_from_os_bytes == GC_get_obtained_from_os_bytes());
  struct GC_prof_stats_s again;
  must(GC_get_prof_stats_unsafe(&again, sizeof again) == sizeof again && again.gc_no == all.gc_no);
}

static void drop_many(void *arg) {
  (void)arg;
  for (unsigned i = 0; i < 2000; i++) GC_reachable_here(GC_malloc(10000));
}

TEST(profile_of_reclaimed) {
  GC_INIT();
  GC_set_disable_automatic_collection(1);
  client_below(drop_many, NULL);
  client_scrub();
  GC_gcollect();
  for (unsigned i = 0; i < 1000; i++) held[i] = GC_malloc(10000); /* sweeps */
  struct GC_prof_stats_s all;
  GC_get_prof_stats(&all, sizeof all);
  must(all.bytes_reclaimed_since_gc + all.reclaimed_bytes_before_gc >= 9000000);
}

/* An old client knows fewer fields, a new one more. */
TEST(profile_of_other_sizes) {
  GC_INIT();
  struct {
    struct GC_prof_stats_s known;
    GC_word more[4];
  } larger;
  memset(&larger, 0x55, sizeof larger);
  must(GC_get_prof_stats(&larger.known, sizeof larger) == sizeof larger.known);
  must(larger.known.gc_no == GC_get_gc_no());
  for (int i = 0; i < 4; i++) must(larger.more[i] == (GC_word)-1);
  memset(&larger, 0x55, sizeof larger);
  size_t three = 3 * sizeof(GC_word);
  must(GC_get_prof_stats(&larger.known, three) == three);
  must(larger.known.heapsize_full == GC_get_heap_size() + GC_get_unmapped_bytes());
  must(larger.known.bytes_allocd_since_gc == (GC_word)0x5555555555555555);
}

TEST(number_of_collections) {
  GC_INIT();
  GC_word before = GC_get_gc_no();
  must(before == GC_gc_no);
  GC_gcollect();
  must(GC_get_gc_no() > before);
}

/* From a procedure that is called in a collection. */
static size_t asked_within;
static void ask(void) {
  asked_within =
      GC_get_heap_size() + GC_get_free_bytes() + GC_get_total_bytes() + GC_get_bytes_since_gc() + GC_get_gc_no();
}

TEST(asked_in_a_collection) {
  GC_INIT();
  hold_and_free(NULL);
  GC_set_start_callback(ask);
  GC_gcollect();
  must(asked_within > 10000000);
}

/* ---- With the allocation lock, and in events: what is so now, not what was so when somebody asked last ---- */

static struct {
  size_t heap, free_bytes, since, total;
  struct GC_prof_stats_s profile;
} asked;

static void *ask_all(void *arg) {
  asked.heap = GC_get_heap_size();
  asked.free_bytes = GC_get_free_bytes();
  asked.since = GC_get_bytes_since_gc();
  asked.total = GC_get_total_bytes();
  must(GC_get_prof_stats_unsafe(&asked.profile, sizeof asked.profile) == sizeof asked.profile);
  return arg;
}

static void must_be_of_100_mb(void) {
  must(asked.heap >= 100000000 && asked.free_bytes < 50000000 && asked.free_bytes <= asked.heap);
  must(asked.since >= 90000000 && asked.total >= 100000000);
  must(asked.profile.heapsize_full >= 100000000 && asked.profile.free_bytes_full < 50000000);
  must(asked.profile.bytes_allocd_since_gc >= 90000000);
}

static void hold_100_mb(void *arg) {
  (void)arg;
  for (unsigned i = 0; i < 1000; i++) held[i] = GC_malloc(100000);
}

TEST(asked_with_the_lock) {
  GC_INIT();
  GC_set_disable_automatic_collection(1);
  GC_gcollect();
  client_below(hold_100_mb, NULL);
  GC_call_with_alloc_lock(ask_all, NULL);
  must_be_of_100_mb();
  memset(held, 0, sizeof held);
  client_collect();
  GC_call_with_alloc_lock(ask_all, NULL);
  must(asked.since < 1000000 && asked.total >= 100000000 && asked.free_bytes + GC_get_unmapped_bytes() >= 50000000);
  must(asked.profile.bytes_allocd_since_gc < 1000000 && asked.profile.allocd_bytes_before_gc >= 90000000);
}

static GC_EventType asking;
static unsigned answers;
static void ask_in_event(GC_EventType type) {
  if (type != asking || answers) return;
  ask_all(NULL);
  answers++;
}

static void ask_when(GC_EventType type) {
  asking = type;
  answers = 0;
  GC_set_on_collection_event(ask_in_event);
  GC_gcollect();
  GC_set_on_collection_event(NULL);
  must(answers == 1);
}

TEST(asked_when_a_collection_starts) {
  GC_INIT();
  GC_set_disable_automatic_collection(1);
  GC_gcollect();
  hold_100_mb(NULL);
  ask_when(GC_EVENT_START);
  must_be_of_100_mb();
}

TEST(asked_when_a_collection_has_ended) {
  GC_INIT();
  GC_set_disable_automatic_collection(1);
  hold_100_mb(NULL);
  ask_when(GC_EVENT_END);
  must(asked.heap >= 100000000 && asked.total >= 100000000 && asked.since < 1000000);
  must(asked.profile.heapsize_full >= 100000000 && asked.profile.allocd_bytes_before_gc >= 90000000);
}

static void *dump_locked(void *arg) {
  GC_dump_named("with the lock");
  return arg;
}

static void dump_with_lock(void) {
  GC_INIT();
  hold_100_mb(NULL);
  GC_call_with_alloc_lock(dump_locked, NULL);
}

static void dumps_with_the_lock(void **state) {
  (void)state;
  const struct client_end *end = client_run(dump_with_lock, NULL);
  assert_true(client_exited(end, 0) && client_count(end, "with the lock") == 1);
  assert_true(client_count(end, "heap 0 ") == 0);
}

static double seconds_of_getters(void) {
  struct timespec begin, end;
  size_t sum = 0;
  clock_gettime(CLOCK_MONOTONIC, &begin);
  for (int i = 0; i < 2000; i++)
    sum += GC_get_total_bytes() + GC_get_bytes_since_gc() + GC_get_free_bytes() + GC_get_heap_size();
  clock_gettime(CLOCK_MONOTONIC, &end);
  must(sum);
  return (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9;
}

/* "This getter remains lock-free": it does not look at the heap. */
TEST(getters_are_cheap) {
  GC_INIT();
  GC_reachable_here(GC_malloc(100));
  double small = seconds_of_getters();
  for (unsigned i = 0; i < 1000000; i++) {
    void **cell = GC_malloc(100);
    *cell = client_roots[0];
    client_roots[0] = cell;
  }
  must(seconds_of_getters() < small * 5 + 0.02);
}

TEST(time_of_collections) {
  GC_INIT();
  GC_start_performance_measurement();
  unsigned long before = GC_get_full_gc_total_time();
  hold_and_free(NULL);
  for (int i = 0; i < 2000 && GC_get_full_gc_total_time() == before; i++) GC_gcollect();
  must(GC_get_full_gc_total_time() > before);
}

static void dump(void) {
  GC_INIT();
  GC_REGISTER_FINALIZER(GC_malloc(10), (GC_finalization_proc)(uintptr_t)1, NULL, NULL, NULL);
  GC_dump();
  GC_dump_named("called so");
  GC_dump_regions();
  GC_dump_finalization();
}

static void dumps(void **state) {
  (void)state;
  const struct client_end *end = client_run(dump, NULL);
  assert_true(client_exited(end, 0));
  assert_true(client_count(end, "called so") == 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(bytes_of_the_heap),
      cmocka_unit_test(bytes_of_a_cycle),
      cmocka_unit_test(all_at_once),
      cmocka_unit_test(profile),
      cmocka_unit_test(profile_of_reclaimed),
      cmocka_unit_test(profile_of_other_sizes),
      cmocka_unit_test(number_of_collections),
      cmocka_unit_test(asked_in_a_collection),
      cmocka_unit_test(asked_with_the_lock),
      cmocka_unit_test(asked_when_a_collection_starts),
      cmocka_unit_test(asked_when_a_collection_has_ended),
      cmocka_unit_test(dumps_with_the_lock),
      cmocka_unit_test(getters_are_cheap),
      cmocka_unit_test(time_of_collections),
      cmocka_unit_test(dumps),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
