/* C01: what is due is strung together through words of the objects, which a walk over the heap meanwhile finds changed,
 * or changes.
 *
 * Objects full of a pattern become due at once. Each finalizer walks the heap: every object that is still to be
 * finalized, and the one that is being, has its pattern, and none is left out or called twice. */
#include "bug.h"
#include "probe.h"

enum { OBJECTS = 16, WORDS = 8 };

struct patterned {
  uint64_t word[WORDS];
};
static uint64_t numbers[OBJECTS]; /* the arguments */
static unsigned calls[OBJECTS], seen, wrong;

/* The top bit set: no address. */
static uint64_t pattern(uint64_t number, unsigned word) { return UINT64_C(0xc01) << 52 | number << 8 | word; }

static bool intact(const struct patterned *object) {
  uint64_t number = object->word[WORDS - 1] >> 8 & 0xff;
  for (unsigned w = 0; w < WORDS; w++)
    if (object->word[w] != pattern(number, w)) return false;
  return true;
}

static void visit(void *object, size_t size, int reached, void *arg) {
  (void)arg;
  const struct patterned *patterned = object;
  if (!reached || size != sizeof *patterned || patterned->word[WORDS - 1] >> 52 != 0xc01) return;
  seen++;
  wrong += !intact(patterned);
}

static void walk(void *object, void *arg) {
  uint64_t number = *(uint64_t *)arg;
  calls[number]++;
  wrong += !intact(object) || ((struct patterned *)object)->word[0] != pattern(number, 0);
  seen = 0;
  must(vgc_collect_and_visit(visit, NULL) == 0);
  unsigned left = 0;
  for (unsigned i = 0; i < OBJECTS; i++) left += !calls[i];
  wrong += seen < left + 1;
}

static void make_objects(void *arg) {
  (void)arg;
  for (unsigned i = 0; i < OBJECTS; i++) {
    struct patterned *object = vgc_malloc(sizeof *object);
    numbers[i] = i;
    for (unsigned w = 0; w < WORDS; w++) object->word[w] = pattern(i, w);
    must(vgc_set_finalizer(object, walk, &numbers[i], VGC_UNORDERED) == 0);
  }
}

static void finalizers_walk_the_heap(void **state) {
  (void)state;
  start_quiet();
  probe_in_thread(make_objects, NULL);
  assert_int_equal(vgc_collect(), 0);
  assert_int_equal(wrong, 0);
  for (unsigned i = 0; i < OBJECTS; i++) assert_int_equal(calls[i], 1);
  assert_int_equal(vgc_finalizers_due(), 0);
}

BUG(C01) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(finalizers_walk_the_heap, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("C01", tests, NULL, NULL);
}
