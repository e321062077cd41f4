/* X103: a program frees the value of an ephemeron whose key lives; the collector goes on trying to mark it, and the
 * world stands for ever.
 *
 * It is left out, by the second marker too, whether its memory has gone back to the system or not. */
#include "bug.h"
#include "probe.h"

enum { DEADLINE_S = 4 };

static void collect_without_the_value(void *arg) {
  struct vgc_config given = config_quiet();
  given.check_level = 3;
  must(vgc_init(&given) == 0);
  void *volatile key = vgc_malloc(16);
  void *value = vgc_malloc(*(size_t *)arg);
  struct vgc_ephemeron *volatile ephemeron = vgc_ephemeron_new(key, value);
  must(ephemeron);
  vgc_free(value);
  must(vgc_collect() == 0);
  must(vgc_ephemeron_key(ephemeron) == key);
}

static void the_world_goes_on(void **state) {
  (void)state;
  static size_t sizes[] = {16, 100, 100000};
  for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    static struct child_result result;
    child_run(collect_without_the_value, &sizes[i], DEADLINE_S, &result);
    assert_false(result.timed_out);
    if (result.exit_code) fail_msg("exit %d, signal %d\n%s", result.exit_code, result.signal, result.text);
  }
}

BUG(X103) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(the_world_goes_on, fault_reset, park_reset)};
  return cmocka_run_group_tests_name("X103", tests, NULL, NULL);
}
