/* V03: the arena count is published before the arena that it gates.
 *
 * A thread adds an arena under the pages lock; another looks an address up without a lock while the arena has its base
 * and nothing else. It must find no arena there: half of one has no page map to read. */
#include "bug.h"
#include "objects.h"

static struct worker reader;
static uintptr_t half_made;

static void look_up(void *arg) {
  (void)arg;
  half_made = arenas[1].base;
  must(half_made);
  must(arena_of(half_made + 4096) == NULL);
  must(vgc_base_of((void *)(half_made + 4096)) == NULL);
}

static void read_beside(void *arg) { worker_do(&reader, look_up, arg); }

static void arena_is_not_seen_before_it_is_made(void **state) {
  (void)state;
  struct vgc_config given = config_quiet();
  given.arena_bytes = 256 * 1024;
  assert_int_equal(vgc_init(&given), 0);
  worker_start(&reader);
  struct park *window = park_arm_call("arena_half_made", read_beside, NULL);
  char *object = vgc_malloc(1024 * 1024);
  assert_non_null(object);
  park_await(window);
  assert_ptr_equal(vgc_base_of(object + 4096), object);
  assert_true((uintptr_t)object - half_made < 2 * 1024 * 1024);
  worker_stop(&reader);
}

BUG(V03) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(arena_is_not_seen_before_it_is_made, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("V03", tests, NULL, NULL);
}
