/* A01: the library itself holds the only pointer to an object across an allocation that collects.
 *
 * Collecting in every allocation, each public function that is handed an object keeps it until it is done with it. */
#include "bug.h"

static const char text[] = "the quick brown fox jumps over the lazy dog";
static uintptr_t source; /* hidden */
static char *result;
static vgc_layout_id pair;

static void make_text(void *arg) {
  (void)arg;
  source = hide(vgc_strdup(text));
}

static void make_scanned(void *arg) {
  (void)arg;
  source = hide(vgc_memdup(text, sizeof text));
}

static void make_typed(void *arg) {
  (void)arg;
  source = hide(memcpy(vgc_malloc_typed(pair, 4), text, sizeof text));
}

static void make_large(void *arg) {
  (void)arg;
  source = hide(memcpy(vgc_malloc(100000), text, sizeof text));
}

static void duplicate(void *arg) { *(void **)arg = vgc_memdup(reveal(source), sizeof text); }
static void duplicate_string(void *arg) { *(void **)arg = vgc_strdup(reveal(source)); }
static void grow(void *arg) { *(void **)arg = vgc_realloc(reveal(source), 5000); }
static void grow_large(void *arg) { *(void **)arg = vgc_realloc(reveal(source), 300000); }

static const struct {
  void (*make)(void *), (*use)(void *);
  bool frees; /* the source */
} cases[] = {{make_text, duplicate, false},    {make_text, duplicate_string, false},
             {make_scanned, duplicate, false}, {make_large, duplicate, false},
             {make_text, grow, true},          {make_scanned, grow, true},
             {make_typed, grow, true},         {make_text, grow_large, true},
             {make_scanned, grow_large, true}, {make_large, grow_large, true}};

static void held_until_done(void **state) {
  (void)state;
  struct vgc_config wanted = config_quiet();
  wanted.collect_every = 1;
  wanted.minimum_heap = 1; /* the same for large objects, which take pages */
  wanted.growth_percent = 1;
  assert_int_equal(vgc_init(&wanted), 0);
  errors_record();
  pair = vgc_layout_register(&(struct vgc_layout){.size = 16, .pointer_words = (const uint64_t[]){2}});
  static struct worker worker;
  worker_start(&worker);
  for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
    uint64_t cycles = stats_now().cycles;
    worker_do(&worker, cases[i].make, NULL);
    worker_do(&worker, scrub_stack, NULL);
    worker_do(&worker, cases[i].use, &result);
    assert_true(stats_now().cycles > cycles);
    assert_memory_equal(result, text, sizeof text);
    if (!cases[i].frees) vgc_free(reveal(source));
    vgc_free(result);
    result = NULL;
    struct vgc_stats stats = stats_now();
    assert_int_equal(stats.objects_swept, 0);
    assert_int_equal(stats.live_objects, 0);
    assert_int_equal(errors_count(), 0);
  }
  worker_stop(&worker);
}

BUG(A01) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(held_until_done, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("A01", tests, NULL, NULL);
}
