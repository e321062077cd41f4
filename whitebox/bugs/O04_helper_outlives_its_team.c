/* O04: a helper is replaced while it still lives, and two of one number use one mark stack.
 *
 * One is held on its way from giving idle pages back, while the helpers are told to end. Whoever tells them waits for
 * it; then none is left, and those that are hired next are alone. */
#include <unistd.h>

#include "bug.h"
#include "probe.h"

static void *volatile keep[1000]; /* volatile: nobody reads it but the collector */
static _Atomic bool ended;
static _Atomic int ender;

static void end_helpers(void *arg) {
  (void)arg;
  atomic_store(&ender, gettid());
  mark_team_end();
  atomic_store(&ended, true);
}

static void none_is_left(void **state) {
  (void)state;
  static struct worker worker;
  unsigned others = probe_tasks();
  struct vgc_config given = config_quiet();
  given.mark_workers = 3;
  given.minimum_heap = 1;
  given.trim_ms = 1;
  assert_int_equal(vgc_init(&given), 0);
  for (unsigned i = 0; i < 1000; i++) must(keep[i] = vgc_malloc(100));
  worker_start(&worker);
  struct park *window = park_arm("mark_team_trimmed");
  assert_int_equal(vgc_collect(), 0);
  assert_int_equal(mark_team_helpers(), 2);
  park_await(window);
  worker_begin(&worker, end_helpers, NULL);
  probe_await_sleep(&ender, &ended);
  bool early = atomic_load(&ended);
  park_release(window);
  worker_finish(&worker);
  assert_false(early);
  assert_int_equal(mark_team_helpers(), 0);
  if (!UNDER_TSAN) assert_int_equal(probe_tasks(), others + 1); /* its runtime has one of its own, sooner or later */
  worker_stop(&worker);
}

BUG(O04) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(none_is_left, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("O04", tests, NULL, NULL);
}
